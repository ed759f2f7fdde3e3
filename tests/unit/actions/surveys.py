"""Surveys made by hand: resources with the status that an operator would have written, and their pods."""

from __future__ import annotations

from typing import Any

from kaos.actions.health import Ref, ref_of
from kaos.actions.operators import OperatorState
from kaos.actions.survey import Survey
from kaos.api.names import REASONS, Phase, Reason

Object = dict[str, Any]
AT_WORK = [OperatorState("kaos-operator", "me", fresh=True, renewed="2026-01-01T00:00:00Z")]
GONE = [OperatorState("kaos-operator", "laptop_12", fresh=False, renewed="2026-01-01T00:00:00Z")]


def resource(kind: str, name: str, reason: str = "Ready", message: str = "", phase: str = "", **spec: Any) -> Object:
    known = REASONS.get(Reason(reason)) if reason in set(Reason) else None
    phase = phase or (known.phase.value if known else "Pending")
    ready = phase in (Phase.READY, Phase.DEGRADED)
    status = {"phase": phase, "reason": reason, "message": message, "ready": ready} if reason else {}
    return {"kind": kind, "metadata": {"name": name, "namespace": "demo"}, "spec": spec, "status": status}


def server(name: str, reason: str = "Ready", message: str = "", **more: Any) -> Object:
    return resource("MCPServer", name, reason, message, **({"runtime": "rawpython"} | more))


def model(name: str = "mock", reason: str = "Ready", message: str = "", **more: Any) -> Object:
    return resource("ModelAPI", name, reason, message, **({"type": "mock"} | more))


def agent(name: str, reason: str = "Ready", message: str = "", peers: tuple[str, ...] = (), **more: Any) -> Object:
    network = {"access": list(peers), "expose": more.pop("expose", True)}
    wanted = {"modelAPI": "mock", "model": "gpt", "agentNetwork": network}
    return resource("Agent", name, reason, message, **(wanted | more))


def survey(*objects: Object, **more: Any) -> Survey:
    return Survey("here", resources={ref_of(obj): obj for obj in objects}, **({"operators": AT_WORK} | more))


def ref(text: str) -> Ref:
    kind, name = text.split("/")
    return Ref({"mcp": "MCPServer", "modelapi": "ModelAPI", "agent": "Agent"}[kind], "demo", name)


def pod(name: str, container: str, state: Object, restarts: int = 0, last: Object | None = None) -> Object:
    ready = "running" in state and not restarts
    status = {"name": container, "state": state, "lastState": last or {}, "restartCount": restarts, "ready": ready}
    return {
        "metadata": {"name": name, "namespace": "demo"},
        "spec": {"containers": [{"name": container}]},
        "status": {"phase": "Running", "containerStatuses": [status],
                   "conditions": [{"type": "Ready", "status": str(ready)}]},
    }  # fmt: skip
