"""The kinds that a person handles: what the verbs that all kinds share need to know of each."""

from __future__ import annotations

from dataclasses import dataclass

from kaos.api.names import (
    AGENT_CONTAINER,
    AGENTS,
    MCP_CONTAINER,
    MCPSERVERS,
    MODEL_CONTAINER,
    MODELAPIS,
    child_name,
)
from kaos.kube.resources import Resource


@dataclass(frozen=True)
class Kind:
    """One kind of the group kaos.tools and the command group that handles it."""

    resource: Resource
    command: str  # `kaos <command> ...`
    container: str  # the main container of its pods

    @property
    def title(self) -> str:
        return self.resource.kind

    def child(self, name: str) -> str:
        """The name of every child of one resource."""
        return child_name(self.title, name)

    def selector(self, name: str) -> str:
        """The label selector of one resource's children."""
        return f"{self.title.lower()}={name}"


MCPSERVER = Kind(MCPSERVERS, "mcp", MCP_CONTAINER)
MODELAPI = Kind(MODELAPIS, "modelapi", MODEL_CONTAINER)
AGENT = Kind(AGENTS, "agent", AGENT_CONTAINER)
KINDS = (MCPSERVER, MODELAPI, AGENT)


def kind_of(obj: dict) -> Kind | None:
    """The kind of an object or manifest, if it is one of KAOS's."""
    for kind in KINDS:
        if (obj.get("apiVersion"), obj.get("kind")) == (kind.resource.api_version, kind.title):
            return kind
    return None
