"""Stock kubectl works on the local cluster without knowing what it is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Result, clean_env
from tests.live import LiveCluster

pytestmark = [
    pytest.mark.full,
    pytest.mark.only("local"),
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on the PATH"),
]

Kubectl = Callable[..., Result]

SERVER = "import http.server as h, os; h.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), h.SimpleHTTPRequestHandler)"
COUNTER = "import sys, time; [print('line', i, flush=True) or time.sleep(0.02) for i in range(1000000)]"


def deployment(name: str, program: str = f"{SERVER}.serve_forever()", replicas: int = 1, note: str = "a") -> str:
    """A Deployment whose pods run a line of Python; ready when they listen, if they are servers."""
    probe = {"readinessProbe": {"httpGet": {"port": "http"}, "periodSeconds": 1}} if "serve_forever" in program else {}
    container = {
        "name": "main",
        "image": "example.com/python:3",
        "env": [{"name": "PORT", "value": "8000"}, {"name": "NOTE", "value": note}],
        "ports": [{"name": "http", "containerPort": 8000}],
        **probe,
    }
    template = {
        "metadata": {
            "labels": {"app": name},
            "annotations": {"local.kaos.tools/command.main": json.dumps(["python", "-c", program])},
        },
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec})


def config_map(name: str, **data: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})


WIDGETS = Path(__file__).parent.parent / "parity/given/widgets.yaml"
WIDGET = textwrap.dedent(
    """
    apiVersion: parity.example.com/v1
    kind: Widget
    metadata:
      name: one
    spec:
      size: small
      tags: [a]
    """
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    with LiveCluster(tmp_path_factory.mktemp("kubectl") / "local") as live:
        yield live


@pytest.fixture(scope="module")
def kubectl(cluster: LiveCluster, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    home = tmp_path_factory.mktemp("home")
    env = clean_env(home) | {"KUBECONFIG": str(cluster.kubeconfig)}

    def run(*arguments: str, stdin: str | None = None, **more: str) -> Result:
        finished = subprocess.run(
            ["kubectl", *arguments],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=60,
            env=env | more,
            check=False,
        )
        return Result(finished.returncode, finished.stdout, finished.stderr)

    run.env = env
    run("apply", "-f", str(WIDGETS)).ok()
    run("wait", "--for=condition=Established", "crd/widgets.parity.example.com", "--timeout=10s").ok()
    return run


@pytest.fixture
def here(kubectl: Kubectl, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """kubectl in a namespace of the test's own."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-")
    kubectl("create", "namespace", name).ok()
    yield lambda *arguments, **more: kubectl("-n", name, *arguments, **more)
    kubectl("delete", "namespace", name, "--timeout=20s").ok()


@pytest.fixture
def web(here: Kubectl) -> Kubectl:
    """A Deployment `web` that is rolled out."""
    here("apply", "-f", "-", stdin=deployment("web")).ok()
    here("rollout", "status", "deployment/web", "--timeout=20s").ok()
    return here


# Asking.


def test_version_and_cluster_info(kubectl):
    assert "Server Version: v1.34" in kubectl("version").ok().stdout
    assert "is running at https://127.0.0.1:" in kubectl("cluster-info").ok().stdout


def test_api_resources_lists_built_in_and_custom_kinds(kubectl):
    listed = kubectl("api-resources").ok().stdout
    for line in ("deployments", "configmaps", "networkpolicies", "selfsubjectaccessreviews", "widgets"):
        assert re.search(rf"^{line}\s", listed, re.MULTILINE), line
    wide = kubectl("api-resources", "--api-group=parity.example.com", "-o", "wide").ok().stdout
    assert re.search(
        r"^widgets\s+wd\s+parity.example.com/v1\s+true\s+Widget\s+\S*create\S*\s+parity", wide, re.MULTILINE
    )


def test_api_versions(kubectl):
    listed = kubectl("api-versions").ok().stdout.split()
    assert {"v1", "apps/v1", "parity.example.com/v1"} <= set(listed)


def test_explain_knows_built_in_and_custom_fields(kubectl):
    assert "<PodTemplateSpec>" in kubectl("explain", "deployment.spec.template").ok().stdout
    explained = kubectl("explain", "widget.spec.size").ok().stdout
    assert "FIELD: size <string>" in explained
    assert re.search(r"ENUM:\s+small\s+medium\s+large", explained)
    assert "How big it is" in explained
    assert "count" in kubectl("explain", "widgets.spec", "--recursive").ok().stdout


def test_explain_names_an_unknown_field(kubectl):
    refused = kubectl("explain", "widget.spec.nonsense")
    assert refused.code == 1
    assert 'field "nonsense" does not exist' in refused.stderr


def test_auth_can_i(kubectl):
    assert kubectl("auth", "can-i", "create", "deployments").ok().stdout.strip() == "yes"
    assert "*.*" in kubectl("auth", "can-i", "--list").ok().stdout
    assert "kaos-local" in kubectl("auth", "whoami").ok().stdout


def test_get_node(kubectl):
    assert re.search(r"^kaos-local\s+Ready\s+control-plane", kubectl("get", "nodes").ok().stdout, re.MULTILINE)


# Reading.


def test_get_in_every_form(web):
    assert re.search(r"^web\s+1/1\s+1\s+1\s+\d+s", web("get", "deployments").ok().stdout, re.MULTILINE)
    wide = web("get", "pods", "-o", "wide").ok().stdout
    assert re.search(r"^web-\w+-\w+\s+1/1\s+Running\s+0\s+\d+s\s+127\.0\.0\.1\s+kaos-local", wide, re.MULTILINE)
    assert "kind: Deployment" in web("get", "deployment", "web", "-o", "yaml").ok().stdout
    assert json.loads(web("get", "deployment", "web", "-o", "json").ok().stdout)["metadata"]["name"] == "web"
    assert web("get", "deployment/web", "-o", "jsonpath={.status.readyReplicas}").ok().stdout == "1"
    assert web("get", "deployments", "-o", "name").ok().stdout == "deployment.apps/web\n"
    columns = web("get", "deploy", "-o", "custom-columns=N:.metadata.name,R:.spec.replicas").ok().stdout
    assert columns.split() == ["N", "R", "web", "1"]


def test_get_all_and_by_category(web):
    listed = web("get", "all").ok().stdout
    assert re.search(r"^pod/web-.*^deployment.apps/web.*^replicaset.apps/web-", listed, re.MULTILINE | re.DOTALL)
    web("apply", "-f", "-", stdin=WIDGET).ok()
    assert "one" in web("get", "parity").ok().stdout


def test_get_by_selector_sorted_and_everywhere(here):
    for name, app in (("b", "x"), ("a", "x"), ("c", "y")):
        here("create", "configmap", name).ok()
        here("label", "configmap", name, f"app={app}").ok()
    assert here("get", "cm", "-l", "app=x", "-o", "name").ok().stdout == "configmap/a\nconfigmap/b\n"
    assert here("get", "cm", "-l", "app in (x,y),app!=x", "-o", "name").ok().stdout == "configmap/c\n"
    assert here("get", "cm", "--field-selector=metadata.name=b", "-o", "name").ok().stdout == "configmap/b\n"
    everywhere = here("get", "cm", "-A", "-l", "app", "--sort-by=.metadata.name").ok().stdout
    assert [line.split()[1] for line in everywhere.splitlines()[1:]] == ["a", "b", "c"]
    assert here("get", "cm", "--chunk-size=1", "-o", "name", "-l", "app").ok().stdout.count("\n") == 3


def test_printer_columns_of_custom_kinds(here):
    here("apply", "-f", "-", stdin=WIDGET).ok()
    assert re.search(r"^NAME\s+SIZE\s+REPLICAS\s+READY\s+SINCE\s+AGE\none\s+small\s+1\s", here("get", "wd").ok().stdout)
    assert "ENABLED" in here("get", "widgets", "-o", "wide").ok().stdout


def test_what_is_not_there_is_named(here):
    refused = here("get", "widget", "missing")
    assert refused.code == 1
    assert refused.stderr.strip() == 'Error from server (NotFound): widgets.parity.example.com "missing" not found'
    assert "No resources found" in here("get", "widgets").ok().stderr
    assert 'the server doesn\'t have a resource type "nonsense"' in here("get", "nonsense").stderr


def test_watching_shows_what_happens(here, kubectl):
    here("create", "configmap", "one").ok()
    namespace = here("get", "cm", "one", "-o", "jsonpath={.metadata.namespace}").ok().stdout
    watching = subprocess.Popen(
        ["kubectl", "-n", namespace, "get", "configmaps", "-w", "--output-watch-events"],
        stdout=subprocess.PIPE,
        text=True,
        env=kubectl.env,
    )
    try:
        assert watching.stdout.readline().split()[0] == "EVENT"
        assert watching.stdout.readline().split()[:2] == ["ADDED", "one"]
        here("create", "configmap", "two").ok()
        here("delete", "configmap", "one").ok()
        assert watching.stdout.readline().split()[:2] == ["ADDED", "two"]
        assert watching.stdout.readline().split()[:2] == ["DELETED", "one"]
    finally:
        watching.terminate()
        watching.wait(10)


def test_describe_tells_of_pods_and_events(web):
    pod = web("describe", "pod", "-l", "app=web").ok().stdout
    assert re.search(r"Status:\s+Running", pod)
    assert re.search(r"Normal\s+Started\s+\d+s.*Started container main", pod)
    described = web("describe", "deployment", "web").ok().stdout
    assert "ScalingReplicaSet" in described
    assert re.search(r"Replicas:\s+1 desired \| 1 updated \| 1 total \| 1 available", described)
    web("apply", "-f", "-", stdin=WIDGET).ok()
    assert re.search(r"Size:\s+small", web("describe", "widget", "one").ok().stdout)


def test_describe_service_shows_its_endpoints(web):
    web("expose", "deployment", "web", "--port=80", "--target-port=8000").ok()
    web("wait", "--for=jsonpath={.endpoints[0].conditions.ready}=true", "endpointslice", "--all", "--timeout=10s").ok()
    described = web("describe", "service", "web").ok().stdout
    assert re.search(r"Endpoints:\s+127\.0\.0\.1:\d+", described)


def test_events(web):
    assert "ScalingReplicaSet" in web("events", "--for=deployment/web").ok().stdout
    assert "ScalingReplicaSet" in web("get", "events", "--field-selector=reason=ScalingReplicaSet").ok().stdout


def test_logs_follow_and_end(here, kubectl):
    here("apply", "-f", "-", stdin=deployment("count", COUNTER)).ok()
    here("rollout", "status", "deployment/count", "--timeout=20s").ok()
    here("wait", "--for=condition=Ready", "pod", "-l", "app=count", "--timeout=10s").ok()
    assert "line 0\n" in here("logs", "deployment/count").ok().stdout
    assert here("logs", "deployment/count", "--tail=2").ok().stdout.count("line") == 2
    assert re.match(r"\d{4}-\d\d-\d\dT.*Z line 0", here("logs", "deploy/count", "--timestamps").ok().stdout)
    namespace = here("get", "deploy/count", "-o", "jsonpath={.metadata.namespace}").ok().stdout
    following = subprocess.Popen(
        ["kubectl", "-n", namespace, "logs", "-f", "deployment/count", "--tail=1"],
        stdout=subprocess.PIPE,
        text=True,
        env=kubectl.env,
    )
    numbers = [int(following.stdout.readline().split()[1]) for _ in range(20)]
    assert numbers == list(range(numbers[0], numbers[0] + 20))
    here("delete", "deployment", "count").ok()
    assert following.stdout.read() is not None  # ends with the pod
    assert following.wait(20) == 0


def test_logs_of_the_life_before(here):
    once = (
        "import os, time; mark = os.path.expanduser('~/ran'); first = not os.path.exists(mark); open(mark, 'w'); "
        "print('first' if first else 'second', flush=True); first or time.sleep(600)"
    )
    here("apply", "-f", "-", stdin=deployment("brief", once)).ok()
    restarted = "--for=jsonpath={.status.containerStatuses[0].restartCount}=1"
    here("wait", restarted, "pod", "-l", "app=brief", "--timeout=20s").ok()
    assert here("logs", "-l", "app=brief", "--previous").ok().stdout == "first\n"
    assert here("logs", "-l", "app=brief").ok().stdout == "second\n"


# Writing.


def test_create_in_short_forms(here):
    here("create", "configmap", "cm", "--from-literal=key=value").ok()
    here("create", "secret", "generic", "s", "--from-literal=password=x").ok()
    here("create", "serviceaccount", "robot").ok()
    here("create", "role", "reader", "--verb=get", "--resource=pods").ok()
    here("create", "rolebinding", "robot-reads", "--role=reader", "--serviceaccount=default:robot").ok()
    here("create", "deployment", "plain", "--image=example.com/x:1", "--replicas=0").ok()
    here("create", "service", "clusterip", "plain", "--tcp=80:8000").ok()
    assert here("get", "cm", "cm", "-o", "jsonpath={.data.key}").ok().stdout == "value"
    assert here("get", "secret", "s", "-o", "jsonpath={.data.password}").ok().stdout == "eA=="


def test_create_refuses_what_is_there_and_what_is_wrong(here):
    here("create", "configmap", "cm").ok()
    assert 'configmaps "cm" already exists' in here("create", "configmap", "cm").stderr
    wrong = here("create", "-f", "-", stdin=WIDGET.replace("small", "huge"))
    assert wrong.code == 1
    assert 'spec.size: Unsupported value: "huge": supported values: "small", "medium", "large"' in wrong.stderr
    unknown = here("create", "-f", "-", stdin=WIDGET + "  colour: red\n")
    assert unknown.code == 1
    assert 'unknown field "spec.colour"' in unknown.stderr


def test_apply_creates_changes_and_removes(here):
    assert "created" in here("apply", "-f", "-", stdin=config_map("cm", a="1", b="2")).ok().stdout
    assert "unchanged" in here("apply", "-f", "-", stdin=config_map("cm", a="1", b="2")).ok().stdout
    assert "configured" in here("apply", "-f", "-", stdin=config_map("cm", a="9")).ok().stdout
    assert json.loads(here("get", "cm", "cm", "-o", "json").ok().stdout)["data"] == {"a": "9"}
    assert "created" in here("apply", "-f", "-", stdin=WIDGET).ok().stdout
    assert "configured" in here("apply", "-f", "-", stdin=WIDGET.replace("[a]", "[b]")).ok().stdout


def test_apply_prunes_what_is_left_out(here):
    label = '{"labels": {"set": "mine"}, "name"'
    one, two = (config_map(name).replace('{"name"', label) for name in ("one", "two"))
    here("apply", "-f", "-", stdin=f"{one}\n---\n{two}").ok()
    pruned = here("apply", "-f", "-", "--prune", "-l", "set=mine", "--prune-allowlist=core/v1/ConfigMap", stdin=one)
    assert "configmap/two pruned" in pruned.ok().stdout


def test_apply_server_side_tells_conflicts_and_forces(here):
    here("apply", "--server-side", "-f", "-", stdin=config_map("cm", a="1")).ok()
    other = ("apply", "--server-side", "--field-manager=other", "-f", "-")
    refused = here(*other, stdin=config_map("cm", a="2"))
    assert refused.code == 1
    assert 'conflict with "kubectl": .data.a' in refused.stderr
    here(*other, "--force-conflicts", stdin=config_map("cm", a="2")).ok()
    assert here("get", "cm", "cm", "-o", "jsonpath={.data.a}").ok().stdout == "2"
    here("apply", "--server-side", "-f", "-", stdin=WIDGET).ok()
    managers = here(
        "get", "widget", "one", "--show-managed-fields", "-o", "jsonpath={.metadata.managedFields[*].manager}"
    )
    assert managers.ok().stdout == "kubectl"


def test_dry_run_on_the_server(here):
    assert "created (server dry run)" in here("apply", "--dry-run=server", "-f", "-", stdin=WIDGET).ok().stdout
    assert here("get", "widget", "one").code == 1


def test_diff_shows_the_change(here):
    here("apply", "-f", "-", stdin=config_map("cm", a="1")).ok()
    changed = here("diff", "-f", "-", stdin=config_map("cm", a="2"))
    assert changed.code == 1
    assert re.search(r'^-  a: "1"\n\+  a: "2"$', changed.stdout, re.MULTILINE)
    assert here("diff", "-f", "-", stdin=config_map("cm", a="1")).code == 0


def test_edit_with_an_editor(here, tmp_path):
    here("apply", "-f", "-", stdin=WIDGET).ok()
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/size: small/size: large/' \"$1\"\n")
    editor.chmod(0o755)
    here("edit", "widget", "one", EDITOR=str(editor)).ok()
    assert here("get", "widget", "one", "-o", "jsonpath={.spec.size}").ok().stdout == "large"


def test_three_kinds_of_patch(here):
    here("create", "deployment", "d", "--image=example.com/x:1", "--replicas=0").ok()
    here(
        "patch", "deployment", "d", "-p", '{"spec":{"template":{"spec":{"containers":[{"name":"y","image":"y:1"}]}}}}'
    ).ok()
    names = here("get", "deployment", "d", "-o", "jsonpath={.spec.template.spec.containers[*].name}").ok().stdout
    assert set(names.split()) == {"x", "y"}
    here("patch", "deployment", "d", "--type=merge", "-p", '{"metadata":{"annotations":{"a":"b"}}}').ok()
    here("patch", "deployment", "d", "--type=json", "-p", '[{"op":"remove","path":"/metadata/annotations/a"}]').ok()
    assert "no change" in here("patch", "deployment", "d", "--type=merge", "-p", "{}").ok().stdout
    refused = here("patch", "widget", "missing", "-p", "{}")
    assert refused.code == 1


def test_replace_refuses_a_stale_version(here):
    here("create", "-f", "-", stdin=WIDGET).ok()
    read = here("get", "widget", "one", "-o", "json").ok().stdout
    here("replace", "-f", "-", stdin=read.replace("small", "large")).ok()
    stale = here("replace", "-f", "-", stdin=read.replace("small", "medium"))
    assert stale.code == 1
    assert "the object has been modified" in stale.stderr


def test_label_annotate_and_set(here):
    here("create", "deployment", "d", "--image=example.com/x:1", "--replicas=0").ok()
    here("label", "deployment", "d", "tier=front").ok()
    assert "--overwrite" in here("label", "deployment", "d", "tier=back").stderr
    here("annotate", "deployment", "d", "note=hello").ok()
    here("annotate", "deployment", "d", "note-").ok()
    here("set", "image", "deployment/d", "x=example.com/x:2").ok()
    here("set", "env", "deployment/d", "A=1").ok()
    shown = json.loads(here("get", "deployment", "d", "-o", "json").ok().stdout)
    assert shown["metadata"]["labels"]["tier"] == "front"
    assert "note" not in shown["metadata"]["annotations"]
    (container,) = shown["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["env"]) == ("example.com/x:2", [{"name": "A", "value": "1"}])


def test_scale_deployments_and_custom_kinds(web):
    web("scale", "deployment/web", "--replicas=2").ok()
    web("rollout", "status", "deployment/web", "--timeout=20s").ok()
    assert web("get", "pods", "-o", "name").ok().stdout.count("pod/web-") == 2
    web("apply", "-f", "-", stdin=WIDGET).ok()
    web("scale", "widget/one", "--replicas=5").ok()
    assert web("get", "widget", "one", "-o", "jsonpath={.spec.replicas}").ok().stdout == "5"


def test_rollout_restart_history_and_undo(web):
    before = web("get", "pods", "-o", "name").ok().stdout
    web("rollout", "restart", "deployment/web").ok()
    web("rollout", "status", "deployment/web", "--timeout=30s").ok()
    web("wait", "--for=delete", before.strip(), "--timeout=10s").ok()
    web("apply", "-f", "-", stdin=deployment("web", note="b")).ok()
    web("rollout", "status", "deployment/web", "--timeout=30s").ok()
    assert len(web("rollout", "history", "deployment/web").ok().stdout.split("\n")) >= 5
    web("rollout", "undo", "deployment/web").ok()
    web("rollout", "status", "deployment/web", "--timeout=30s").ok()
    note = "jsonpath={.spec.template.spec.containers[0].env[1].value}"
    assert web("get", "deployment", "web", "-o", note).ok().stdout == "a"


def test_rollout_pause_and_resume(web):
    web("rollout", "pause", "deployment/web").ok()
    web("set", "env", "deployment/web", "NOTE=paused").ok()
    assert web("get", "rs", "-o", "name").ok().stdout.count("replicaset") == 1
    web("rollout", "resume", "deployment/web").ok()
    web("rollout", "status", "deployment/web", "--timeout=30s").ok()
    assert web("get", "rs", "-o", "name").ok().stdout.count("replicaset") == 2


def test_delete_waits_until_it_is_gone(web):
    pod = web("get", "pods", "-o", "name").ok().stdout.strip()
    web("delete", "deployment", "web").ok()
    web("wait", "--for=delete", pod, "--timeout=20s").ok()
    assert "No resources found" in web("get", "all").ok().stderr


def test_delete_in_many_ways(here):
    for name in ("a", "b", "c"):
        here("create", "configmap", name).ok()
    here("label", "configmap", "a", "b", "go=yes").ok()
    assert here("delete", "configmap", "-l", "go=yes").ok().stdout.count("deleted") == 2
    here("delete", "configmap", "--all").ok()
    here("delete", "configmap", "a", "--ignore-not-found").ok()
    assert "NotFound" in here("delete", "configmap", "a").stderr


def test_wait_gives_up_in_time(here):
    here("apply", "-f", "-", stdin=WIDGET).ok()
    refused = here("wait", "--for=condition=Ready", "widget/one", "--timeout=1s")
    assert refused.code == 1
    assert "timed out waiting for the condition" in refused.stderr


# What the local cluster does not offer is refused, and nothing happens.


@pytest.mark.parametrize(
    "command",
    [
        ["exec", "deployment/web", "--", "ls"],
        ["cp", "{pod}:/etc/hostname", "-"],
        ["port-forward", "deployment/web", "0:8000"],
        ["attach", "deployment/web"],
    ],
    ids=lambda command: command[0],
)
def test_not_offered(web, command, tmp_path):
    pod = web("get", "pods", "-o", "jsonpath={.items[0].metadata.name}").ok().stdout
    target = str(tmp_path / "copied")
    refused = web(*(word.format(pod=pod) if word != "-" else target for word in command))
    assert refused.code != 0
    assert "does not offer kubectl" in refused.stderr
    assert not os.path.exists(target)


@pytest.mark.parametrize("kind", ["statefulset", "job", "ingress"])
def test_kinds_that_are_not_served_are_named(here, kind):
    refused = here("get", kind)
    assert refused.code == 1
    assert f'the server doesn\'t have a resource type "{kind}"' in refused.stderr
