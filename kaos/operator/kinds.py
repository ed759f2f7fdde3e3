"""The kinds that the operator makes so, and who depends on whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kaos.api.names import AGENTS, MCPSERVERS, MODELAPIS
from kaos.kube.resources import Resource
from kaos.operator.decide import agent, mcpserver, modelapi
from kaos.operator.decide.world import Decision, World

Object = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """One kind of the group kaos.tools."""

    resource: Resource
    decide: Callable[[Object, World], Decision]


KINDS = {
    kind.resource.kind: kind
    for kind in (
        Kind(MCPSERVERS, mcpserver.decide),
        Kind(MODELAPIS, modelapi.decide),
        Kind(AGENTS, agent.decide),
    )
}


def depends(obj: Object, kind: str, name: str) -> bool:
    """Whether the resource refers to that other resource of its namespace, or to a ServiceAccount."""
    spec = obj.get("spec") or {}
    match kind:
        case "ServiceAccount":
            pod = spec.get("podSpec") or {}
            return name in (spec.get("serviceAccountName"), pod.get("serviceAccountName"), pod.get("serviceAccount"))
        case "ModelAPI":
            return obj["kind"] == "Agent" and spec.get("modelAPI") == name
        case "MCPServer":
            return obj["kind"] == "Agent" and name in (spec.get("mcpServers") or ())
        case "Agent":
            return obj["kind"] == "Agent" and name in ((spec.get("agentNetwork") or {}).get("access") or ())
    return False
