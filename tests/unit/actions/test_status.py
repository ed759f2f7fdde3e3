"""The one glance: counts by health, the broken ones first, and what to do next."""

from __future__ import annotations

import pytest

from kaos.actions import events, status
from kaos.actions.describe import describe, pod_state
from kaos.actions.kinds import MCPSERVER
from kaos.cluster import ApiError
from kaos.errors import Forbidden
from kaos.kube import times
from kaos.kube.resources import DEPLOYMENTS, EVENTS, SERVICES


def server(client, room, name, **state):
    obj = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": name},
           "spec": {"runtime": "rawpython"}}  # fmt: skip
    made = client.create(MCPSERVER.resource, obj, room)
    if state:
        ready = {"type": "Ready", "status": str(state["ready"])}
        client.patch(MCPSERVER.resource, name, {"status": state | {"conditions": [ready]}}, room, subresource="status")
    return made


@pytest.fixture
def operator(hold_lease):
    hold_lease(renewTime=times.micro_now())


def test_servers_are_counted_by_health_and_the_failed_come_first(client, room, operator):
    server(client, room, "a-starting", ready=False, reason="RolloutInProgress", message="pods are being started")
    server(client, room, "b-good", ready=True, reason="Ready")
    server(client, room, "c-asleep", ready=False, reason="Suspended")
    server(client, room, "d-broken", ready=False, reason="InvalidParams", message="line 1: SyntaxError")
    found = status.overview(client, room)
    assert found.counts["MCPServer"] == {"ready": 1, "pending": 1, "suspended": 1, "failed": 1}
    assert [(one.name, one.state, one.message) for one in found.troubled] == [
        ("d-broken", "failed", "line 1: SyntaxError"),
        ("a-starting", "pending", "pods are being started"),
    ]
    assert found.operator.holder == "me"
    assert found.next == [f"kaos why mcp/d-broken -n {room}"]


def test_an_empty_cluster_says_how_to_begin(client, room, operator):
    assert status.overview(client, room).next == ["kaos mcp deploy -f FILE"]


def test_a_missing_operator_is_the_first_thing_to_do(client, room):
    server(client, room, "waits")
    found = status.overview(client, room)
    assert found.operator is None
    assert found.next[0] == "kaos operator run"
    assert found.counts["MCPServer"] == {"pending": 1}


def test_all_namespaces_are_seen_at_once(client, room):
    server(client, room, "somewhere", ready=False, reason="InvalidParams")
    assert (room, "somewhere") in [(one.namespace, one.name) for one in status.overview(client, None).troubled]


class Partly:
    """A client that may not list some kinds."""

    def __init__(self, client, *forbidden):
        self._client = client
        self._forbidden = forbidden

    def __getattr__(self, name):
        return getattr(self._client, name)

    def table(self, resource, *arguments, **more):
        if resource.kind in self._forbidden:
            message = f'{resource.plural} is forbidden: User "eve" cannot list resource "{resource.plural}"'
            raise ApiError(403, "Forbidden", message)
        return self._client.table(resource, *arguments, **more)


def test_kinds_that_one_may_not_list_hide_no_others(client, room, operator):
    server(client, room, "good", ready=True, reason="Ready")
    found = status.overview(Partly(client, "Agent", "ModelAPI"), room)
    assert found.counts == {"MCPServer": {"ready": 1}, "ModelAPI": None, "Agent": None}


def test_without_any_right_the_missing_one_is_named(client, room):
    with pytest.raises(Forbidden, match='cannot list resource "mcpservers"'):
        status.overview(Partly(client, "MCPServer", "Agent", "ModelAPI"), room)


def event(client, room, name, kind, uid, reason, **more):
    body = {
        "metadata": {"name": f"{name}.{reason.lower()}"},
        "involvedObject": {"kind": kind, "name": name, "namespace": room, "uid": uid},
        "reason": reason, "message": f"about {name}", "type": "Normal", **more,
    }  # fmt: skip
    client.create(EVENTS, body, room)


def test_events_are_those_of_kaos_oldest_first(client, room):
    event(client, room, "mcpserver-a-pod", "Pod", "1", "Started", lastTimestamp="2026-01-01T00:00:02Z", count=3)
    event(client, room, "a", "MCPServer", "2", "Ready", lastTimestamp="2026-01-01T00:00:01Z")
    event(client, room, "stranger", "Pod", "3", "Killed", lastTimestamp="2026-01-01T00:00:00Z")
    found = events.listed(client, room)
    assert [(one.reason, one.count) for one in found] == [("Ready", 1), ("Started", 3)]
    assert found[0].object == "MCPServer/a"


def test_an_event_series_counts_by_its_own_time(client, room):
    series = {"count": 7, "lastObservedTime": "2026-01-01T00:00:09.000000Z"}
    event(client, room, "a", "MCPServer", "2", "Again", eventTime="2026-01-01T00:00:01.000000Z", series=series,
          reportingComponent="kaos", reportingInstance="x", action="Test")  # fmt: skip
    (found,) = events.listed(client, room)
    assert (found.count, found.last[:19]) == (7, "2026-01-01T00:00:09")


def test_a_description_has_the_children_and_the_events_of_this_one_alone(client, room):
    made = server(client, room, "calc")
    server(client, room, "calc-other")
    for name in ("calc", "calc-other"):
        labels = {"app.kubernetes.io/part-of": "kaos", "mcpserver": name}
        client.create(
            SERVICES, {"metadata": {"name": f"mcpserver-{name}", "labels": labels},
                       "spec": {"selector": labels, "ports": [{"port": 8000, "targetPort": "http"}]}}, room,
        )  # fmt: skip
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "example.org/a:1"}]}}
        client.create(
            DEPLOYMENTS,
            {"metadata": {"name": f"mcpserver-{name}", "labels": labels},
             "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}},
            room,
        )  # fmt: skip
    event(client, room, "calc", "MCPServer", made["metadata"]["uid"], "Ready")
    event(client, room, "calc-other", "MCPServer", "other", "Broken")
    found = describe(client, MCPSERVER, "calc", room)
    assert [(child.kind, child.name) for child in found.children] == [
        ("Deployment", "mcpserver-calc"),
        ("Service", "mcpserver-calc"),
    ]
    assert "8000 -> http" in found.children[1].state
    assert [one.reason for one in found.events] == ["Ready"]


def pod(phase="Running", containers=(), deleted=False, **status):
    meta = {"name": "p"} | ({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {})
    return {
        "metadata": meta, "spec": {"containers": [{"name": "a"}]},
        "status": {"phase": phase, "containerStatuses": list(containers), **status},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("obj", "words"),
    [
        (pod(containers=[{"ready": True, "state": {"running": {}}}]), "Running, 1 of 1 ready"),
        (
            pod(containers=[{"ready": False, "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]),
            "CrashLoopBackOff, 0 of 1 ready, 2 restarts",
        ),
        (
            pod(containers=[{"ready": False, "restartCount": 1, "state": {"terminated": {"reason": "OOMKilled"}}}]),
            "OOMKilled, 0 of 1 ready, 1 restart",
        ),
        (pod("Failed", reason="Evicted"), "Evicted, 0 of 1 ready"),
        (pod("Pending"), "Pending, 0 of 1 ready"),
        (pod(deleted=True), "ending"),
        (
            pod("Pending", initContainerStatuses=[{"state": {"waiting": {"reason": "ErrImagePull"}}}]),
            "ErrImagePull, 0 of 1 ready",
        ),
    ],
)  # fmt: skip
def test_a_pods_state_is_its_first_trouble(obj, words):
    assert pod_state(obj) == words
