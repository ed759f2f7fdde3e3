"""The pod of a stdio server: its own container unchanged but for what starts it, and the bridge beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kaos.api.names import Reason
from kaos.operator.decide import health
from kaos.operator.decide.mcpserver import decide
from kaos.operator.decide.world import Decision
from tests.unit.operator.worlds import registry_of, server, world

Object = dict[str, Any]

REGISTRY = """
runtimes:
  notes:
    image: example.org/notes:1
    transport: stdio
    command: [notes, --quiet]
    args: [--keep, "3"]
    path: /notes
    port: 9000
    local: {command: [uvx, notes==1]}
"""
CUSTOM: Object = {"image": "x:1", "command": ["server"], "args": ["--data", "/data"]}


def custom(**spec: Any) -> Decision:
    return decide(server(runtime="custom", transport="stdio", container=CUSTOM, **spec), world())


def notes(**spec: Any) -> Decision:
    return decide(server(runtime="notes", **spec), world(registry=registry_of(REGISTRY)))


def template(decision: Decision) -> Object:
    return decision.children[0].object["spec"]["template"]


def containers(decision: Decision) -> dict[str, Object]:
    return {one["name"]: one for one in template(decision)["spec"]["containers"]}


def test_the_whole_command_is_started_by_stdio_exec_in_the_servers_own_image() -> None:
    main = containers(custom())["mcp-server"]
    assert main["image"] == "x:1"
    assert main["command"] == ["/kaos/stdio-exec", "/kaos/s.sock", "--", "server", "--data", "/data"]
    assert "args" not in main


def test_the_server_is_not_asked_over_http_but_its_bridge_is() -> None:
    both = containers(notes())
    assert not {"ports", "readinessProbe", "startupProbe", "livenessProbe"} & both["mcp-server"].keys()
    assert "PORT" not in [one["name"] for one in both["mcp-server"]["env"]]
    bridge = both["bridge"]
    assert bridge["ports"] == [{"name": "http", "containerPort": 9000, "protocol": "TCP"}]
    assert {"name": "PORT", "value": "9000"} in bridge["env"]
    assert bridge["args"][:2] == ["--path", "/notes"]
    assert bridge["readinessProbe"]["httpGet"]["path"] == "/ready"


def test_the_bridge_is_told_whether_sessions_share_a_process() -> None:
    def isolation(decision: Decision) -> str:
        words = containers(decision)["bridge"]["args"]
        return words[words.index("--isolation") + 1]

    shared = REGISTRY + "    isolation: shared\n"
    assert isolation(decide(server(runtime="notes"), world(registry=registry_of(shared)))) == "shared"
    assert (isolation(notes()), isolation(custom())) == ("session", "session")


def test_both_containers_and_the_installer_share_a_directory_and_are_restricted() -> None:
    pod = template(custom())["spec"]
    for one in [*pod["initContainers"], *pod["containers"]]:
        assert {"name": "kaos-stdio", "mountPath": "/kaos"} in one["volumeMounts"], one["name"]
        assert one["securityContext"]["allowPrivilegeEscalation"] is False, one["name"]
        assert one["securityContext"]["readOnlyRootFilesystem"] is True, one["name"]
    assert [one["name"] for one in pod["initContainers"]] == ["stdio-exec"]


def test_on_a_laptop_the_entrys_command_is_started_the_same_way() -> None:
    annotations = template(notes())["metadata"]["annotations"]
    assert json.loads(annotations["local.kaos.tools/command.mcp-server"]) == [
        "/kaos/stdio-exec", "/kaos/s.sock", "--", "uvx", "notes==1", "--keep", "3",
    ]  # fmt: skip


def test_a_command_of_the_persons_own_has_no_other_on_a_laptop() -> None:
    annotations = template(notes(container={"command": ["mine"]}))["metadata"]["annotations"]
    assert "local.kaos.tools/command.mcp-server" not in annotations


def test_logs_are_the_servers_where_no_container_is_named() -> None:
    assert template(custom())["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] == "mcp-server"


def test_the_bridge_can_be_changed_by_its_name_in_the_pod_spec() -> None:
    changed = {"containers": [{"name": "bridge", "resources": {"limits": {"memory": "1Gi"}}}]}
    bridge = containers(custom(podSpec=changed))["bridge"]
    assert bridge["resources"]["limits"]["memory"] == "1Gi"
    assert bridge["command"] == ["python", "-m", "kaos.dataplane.bridge"]


@pytest.mark.parametrize(
    ("package", "words"),
    [("pypi:mcp-server-time==1.2", ["uvx", "mcp-server-time==1.2"]), ("npm:@a/b@1.2", ["npx", "-y", "@a/b@1.2"])],
)
def test_a_package_is_fetched_and_run_in_an_image_that_can(package: str, words: list[str]) -> None:
    decision = decide(server(runtime="package", package=package, container={"args": ["--utc"]}), world())
    main, start = containers(decision)["mcp-server"], ["/kaos/stdio-exec", "/kaos/s.sock", "--", *words, "--utc"]
    assert main["image"].startswith("kaostools/kaos-mcp-package:")
    assert main["command"] == start
    annotations = template(decision)["metadata"]["annotations"]
    assert json.loads(annotations["local.kaos.tools/command.mcp-server"]) == start


def test_an_entry_may_name_a_package_alone() -> None:
    text = "runtimes: {time: {package: 'pypi:mcp-server-time==1'}}"
    decision = decide(server(runtime="time"), world(registry=registry_of(text)))
    assert containers(decision)["mcp-server"]["command"][-2:] == ["uvx", "mcp-server-time==1"]


def ended(name: str, said: str) -> Object:
    state = {"terminated": {"exitCode": 1, "reason": "Error", "message": said}}
    return {"name": name, "ready": False, "restartCount": 2, "state": state}


def pod(*statuses: Object) -> Object:
    meta = {"name": "p", "uid": "u", "creationTimestamp": "2026-11-24T10:00:00Z"}
    return {"metadata": meta, "spec": {"containers": []}, "status": {"containerStatuses": list(statuses)}}


def test_the_reason_is_what_the_server_said_last() -> None:
    said = "INFO leaving\nthe server ended with exit code 3; its last words: no token\n"
    problem = health.pod_problem([pod(ended("bridge", said))])
    assert problem.reason == Reason.CRASH_LOOPING
    assert problem.message == "the server ended with exit code 3; its last words: no token (restarts: 2)"


def test_what_is_wrong_with_the_servers_container_says_more_than_the_bridge() -> None:
    waiting = {"name": "mcp-server", "image": "x:1", "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}
    problem = health.pod_problem([pod(ended("bridge", "the server's container does not run"), waiting)])
    assert problem.reason == Reason.IMAGE_PULL_ERROR
