"""The operator's log is found where the operator runs; where it cannot be had, it is said who runs it."""

from __future__ import annotations

import json
import sys
import threading

import pytest

from kaos.actions.operatorlogs import file_lines, followed_lines, operator_source
from kaos.actions.podlogs import LogFile, PodsOf, Selection, past
from kaos.api.names import OPERATOR_LEASE, SYSTEM_NAMESPACE
from kaos.cluster import wait
from kaos.errors import NotFound
from kaos.kube import times
from kaos.kube.resources import DEPLOYMENTS, PODS

DAEMON = """\
2026-11-24 10:04:33,747 INFO    kaos.local: serving on 127.0.0.1:20807
2026-11-24 10:04:34,159 INFO    kaos.operator: leading as kaos-local
2026-11-24 10:04:35,000 ERROR   kaos.operator: a defect in KAOS
Traceback (most recent call last):
  boom
2026-11-24 10:04:36,000 INFO    kaos.local.node: pod started
  with a second line
2026-11-24 10:04:37,000 WARNING kopf.objects: patching
"""
LOGGERS = ("kaos.operator", "kopf")


@pytest.fixture
def daemon(tmp_path):
    path = tmp_path / "daemon.log"
    path.write_text(DAEMON)
    return LogFile("operator", str(path), LOGGERS)


@pytest.fixture
def deployment(client):
    """The operator as the chart runs it, or something that speaks in its place."""
    command = json.dumps([sys.executable, "-c", "print('leading', flush=True); import time; time.sleep(600)"])
    labels = {"app.kubernetes.io/name": "kaos-operator"}
    template = {
        "metadata": {"labels": labels, "annotations": {"local.kaos.tools/command.manager": command}},
        "spec": {"containers": [{"name": "manager", "image": "example.org/op:1"}], "terminationGracePeriodSeconds": 1},
    }
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    client.create(DEPLOYMENTS, {"metadata": {"name": OPERATOR_LEASE}, "spec": spec}, SYSTEM_NAMESPACE)
    yield
    client.delete(DEPLOYMENTS, OPERATOR_LEASE, SYSTEM_NAMESPACE)
    wait.until(client, DEPLOYMENTS, OPERATOR_LEASE, SYSTEM_NAMESPACE, lambda obj: obj is None, 20)


def said(source, **selection):
    return [line.text for line in file_lines(source, Selection(**selection))]


def test_as_deployment_its_pods_are_read(client, deployment):
    source = operator_source(client)
    assert isinstance(source, PodsOf)
    assert (source.namespace, source.selector) == (SYSTEM_NAMESPACE, "app.kubernetes.io/name=kaos-operator")
    wait.until(client, DEPLOYMENTS, OPERATOR_LEASE, SYSTEM_NAMESPACE,
               lambda obj: ((obj or {}).get("status") or {}).get("readyReplicas"), 20)  # fmt: skip
    pod = client.list(PODS, SYSTEM_NAMESPACE, labels=source.selector).items[0]["metadata"]["name"]
    follow = client.logs(pod, SYSTEM_NAMESPACE, follow=True)
    next(follow.lines())
    follow.close()
    _, lines = past(client, [source], Selection())
    assert [(line.pod, line.text) for line in lines] == [(pod, "leading")]


def test_outside_the_cluster_its_holder_is_named(client, hold_lease):
    hold_lease(holderIdentity="laptop-7", renewTime=times.micro_now(), leaseDurationSeconds=3600)
    with pytest.raises(NotFound, match="runs outside the cluster, as laptop-7"):
        operator_source(client)


def test_without_any_it_says_how_to_start_one(client, hold_lease):
    hold_lease(holderIdentity="")
    with pytest.raises(NotFound, match="No operator runs in context") as missing:
        operator_source(client)
    assert missing.value.cure == "Start one: kaos operator run"


def test_of_the_daemons_log_only_the_operator_speaks_with_all_of_its_lines(daemon):
    assert said(daemon) == [
        "2026-11-24 10:04:34,159 INFO    kaos.operator: leading as kaos-local",
        "2026-11-24 10:04:35,000 ERROR   kaos.operator: a defect in KAOS",
        "Traceback (most recent call last):",
        "  boom",
        "2026-11-24 10:04:37,000 WARNING kopf.objects: patching",
    ]


def test_its_end_can_be_chosen(daemon):
    assert said(daemon, tail=1) == ["2026-11-24 10:04:37,000 WARNING kopf.objects: patching"]
    assert said(daemon, tail=0) == []
    assert said(daemon, since_s=60) == []
    assert len(said(daemon, since_s=10**9)) == 5


def test_it_has_no_life_before(client, daemon):
    with pytest.raises(NotFound, match="keeps one log"):
        past(client, [daemon], Selection(previous=True))


def test_followed_it_goes_on_with_whole_lines(daemon):
    ended = threading.Event()
    batches = followed_lines(daemon, Selection(tail=1), ended)
    assert [line.text for line in next(batches)] == ["2026-11-24 10:04:37,000 WARNING kopf.objects: patching"]
    with open(daemon.path, "a") as log:
        log.write("2026-11-24 10:05:00,000 INFO    kaos.operator: one\n2026-11-24 10:05:01,000 INFO    kaos.op")
        log.flush()
        assert [line.text[-3:] for line in next(batches)] == ["one"]
        log.write("erator: two\n")
        log.flush()
        assert [line.text[-3:] for line in next(batches)] == ["two"]
    ended.set()
    assert list(batches) == []


def test_a_daemon_without_a_log_is_told(tmp_path):
    with pytest.raises(NotFound, match="There is no log"):
        said(LogFile("operator", str(tmp_path / "none.log"), LOGGERS))
