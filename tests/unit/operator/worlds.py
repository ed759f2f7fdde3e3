"""MCPServers and the worlds around them, for tables of decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kaos.api import registry
from kaos.api.names import FIELD_MANAGER, MCP_CONTAINER, child_name, labels
from kaos.operator.decide import mcpserver
from kaos.operator.decide.world import Decision, Handshake, Settings, World

Object = dict[str, Any]
NAMESPACE = "apps"
NAME = "mcpserver-calc"
NOW = "2026-11-24T10:00:00Z"
TOOLS = ({"name": "add", "description": "Add two numbers."},)

REGISTRY = """
runtimes:
  rawpython:
    image: example.org/rawpython:1
    paramsEnvVar: MCP_TOOLS_STRING
    local: {command: [python, -m, kaos_rawpython]}
  github:
    image: example.org/github:1
    requiredEnv: [GITHUB_TOKEN, GITHUB_ORG]
    env: [{name: READ_ONLY, value: "true"}, {name: LOG_LEVEL, value: debug}]
    args: [--port, $(PORT)]
    port: 9000
    path: /sse
  kubernetes:
    image: example.org/kubernetes:1
    requiresServiceAccount: true
    writableRoot: true
  everything:
    package: npm:@modelcontextprotocol/server-everything@1
  stdio:
    image: example.org/stdio:1
    transport: stdio
"""


def registry_of(text: str = REGISTRY) -> registry.Registry:
    return registry.read(
        [{"metadata": {"name": "kaos-mcp-runtimes", "namespace": "kaos-system"}, "data": {"runtimes.yaml": text}}]
    )


def server(status: Object | None = None, generation: int = 3, **spec: Any) -> Object:
    """The MCPServer `calc`, of runtime rawpython unless the spec says otherwise."""
    meta = {"name": "calc", "namespace": NAMESPACE, "uid": "uid-of-calc", "generation": generation}
    spec = {"runtime": "rawpython", "replicas": 1, **spec}
    obj = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": meta, "spec": spec}
    return obj | ({"status": status} if status else {})


def world(**facts: Any) -> World:
    return World(**{"settings": Settings(), "now": NOW, "registry": registry_of(), **facts})


def config_map(name: str, **data: str) -> Object:
    return {"metadata": {"name": name, "namespace": NAMESPACE, "uid": name, "resourceVersion": "1"}, "data": data}


def account(name: str, allow: str | None = None) -> dict[str, Object]:
    annotations = {"kaos.tools/allow": allow} if allow is not None else {}
    return {name: {"metadata": {"name": name, "namespace": NAMESPACE, "annotations": annotations}}}


def children(obj: Object, around: World) -> dict[tuple[str, str], Object]:
    """The children as they are once an API server has taken them, all pods of the newest template and serving."""
    made = mcpserver.decide(obj, around).children
    live = {}
    for number, child in enumerate(made):
        writers = [{"manager": "kaos-operator", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {}}]
        meta = child.object["metadata"] | {"uid": f"uid-{number}", "resourceVersion": "7", "generation": 1}
        meta["managedFields"] = writers
        live[child.object["kind"], meta["name"]] = child.object | {"metadata": meta}
    deployment = live["Deployment", NAME]
    live["Deployment", NAME] = deployment | {"status": rolled(deployment["spec"]["replicas"])}
    return live


def rolled(replicas: int = 1, **changes: Any) -> Object:
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), replicas)
    return {"observedGeneration": 1, **counts, **changes}


def with_deployment_status(live: dict[tuple[str, str], Object], **status: Any) -> dict[tuple[str, str], Object]:
    deployment = live["Deployment", NAME]
    return live | {("Deployment", NAME): deployment | {"status": deployment["status"] | status}}


def pod(
    name: str = "calc-1",
    ready: bool = True,
    created: str = "2026-11-24T09:00:00Z",
    restarts: int = 0,
    state: Object | None = None,
    last_state: Object | None = None,
    conditions: list[Object] | None = None,
    container: str = MCP_CONTAINER,
    **meta: Any,
) -> Object:
    """A pod as kubelet reports it."""
    status = {
        "name": container,
        "ready": ready,
        "restartCount": restarts,
        "containerID": f"containerd://{name}-{restarts}",
        "image": "example.org/rawpython:1",
        "state": state if state is not None else {"running": {"startedAt": created}},
        "lastState": last_state or {},
    }
    told = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": str(ready)}]
    return {
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-of-{name}",
            "creationTimestamp": created,
            "labels": labels("MCPServer", "calc"),
            **meta,
        },
        "spec": {"containers": [{"name": container, "ports": [{"name": "http", "containerPort": 8000}]}]},
        "status": {"conditions": conditions or told, "containerStatuses": [status]},
    }


def answered(one: Object, good: bool = True, **said: Any) -> Handshake:
    """What the pod said when it was asked."""
    status = one["status"]["containerStatuses"][0]
    identity = f"{one['metadata']['uid']}/{status['containerID']}/{status['restartCount']}"
    if good:
        info = {"name": "Calc", "version": "1"}
        said = {"server_info": info, "protocol_version": "2025-11-25", "tools": TOOLS, "tool_count": 1, **said}
    return Handshake(identity, good=good, **said)


def foreign(kind: str, name: str = NAME, **meta: Any) -> dict[tuple[str, str], Object]:
    """A child's name taken by an object that is not KAOS's."""
    return {
        (kind, name): {
            "kind": kind,
            "metadata": {"name": name, "namespace": NAMESPACE, "uid": "another", "resourceVersion": "1", **meta},
            "spec": {"replicas": 1, "template": {"metadata": {}, "spec": {}}},
        }
    }


def orphaned(live: dict[tuple[str, str], Object], **meta: Any) -> dict[tuple[str, str], Object]:
    """The children with other metadata, by default without owner, labels and annotations."""
    bare = {"ownerReferences": [], "labels": {}, "annotations": {}, **meta}
    return {place: obj | {"metadata": obj["metadata"] | bare} for place, obj in live.items()}


def former_owner() -> list[Object]:
    return [{"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "name": "calc", "uid": "uid-of-former"}]


def running(obj: Object, **facts: Any) -> World:
    """The world in which the server runs, answers, and nothing is wrong."""
    around = world(**{key: value for key, value in facts.items() if key not in ("children", "pods", "handshakes")})
    one = pod()
    filled = {"pods": (one,), "handshakes": (answered(one),), **facts}
    if "children" not in filled:
        filled["children"] = children(obj, around)
    return replace(around, **filled)


def was(**status: Any) -> Object:
    """A status from before."""
    return {"phase": "Ready", "ready": True, "reason": "Ready", "observedGeneration": 3, **status}


def condition(decision: Decision, kind: str) -> Object:
    return next(one for one in decision.status["conditions"] if one["type"] == kind)


def conditions(decision: Decision) -> dict[str, str]:
    return {one["type"]: one["status"] for one in decision.status["conditions"]}


def made(decision: Decision) -> dict[str, Object]:
    """The wanted children by kind."""
    return {child.object["kind"]: child.object for child in decision.children or ()}


def pod_spec(decision: Decision) -> Object:
    return made(decision)["Deployment"]["spec"]["template"]["spec"]


def main_container(decision: Decision) -> Object:
    return next(one for one in pod_spec(decision)["containers"] if one["name"] == MCP_CONTAINER)


def env(decision: Decision) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in main_container(decision)["env"]}


assert child_name("MCPServer", "calc") == NAME
assert FIELD_MANAGER == "kaos-operator"
