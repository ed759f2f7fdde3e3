"""What a decision is made from, and what it consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import kaos
from kaos.api.names import FIELD_MANAGER, SYSTEM_NAMESPACE, Reason
from kaos.api.registry import Registry
from kaos.kube.resources import Resource

Object = dict[str, Any]


OWN_IMAGE = f"kaostools/kaos:{kaos.__version__}"
GATEWAY_TIMEOUTS = {"MCPServer": "60s", "Agent": "300s", "ModelAPI": "120s"}


@dataclass(frozen=True)
class Gateway:
    """The Gateway that routes are attached to."""

    name: str
    namespace: str
    # Of routes whose resource names none, by kind.
    timeouts: Mapping[str, str] = field(default_factory=lambda: dict(GATEWAY_TIMEOUTS))


@dataclass(frozen=True)
class Settings:
    """How this operator was set up; the same for every resource."""

    system_namespace: str = SYSTEM_NAMESPACE
    log_level: str = "INFO"
    network_policies: bool = True
    strict_network: bool = False  # they admit only KAOS's own pods of the namespace, the operator and the API servers
    api_servers: tuple[str, ...] = ()  # their addresses, as CIDRs; service proxies come from there
    watch_secrets: bool = False  # read referenced Secrets: early checks, and a rotation rolls the pods
    gateway: Gateway | None = None
    telemetry: bool = False  # of resources that say nothing about it
    telemetry_endpoint: str = ""  # where it goes, unless a resource says
    kaos_image: str = OWN_IMAGE  # of agents
    mock_image: str = OWN_IMAGE  # of the built-in mock model
    bridge_image: str = OWN_IMAGE  # of what serves stdio servers over HTTP
    package_image: str = f"kaostools/kaos-mcp-package:{kaos.__version__}"  # of packages without an image of their own
    litellm_image: str = "ghcr.io/berriai/litellm:v1.80.0-stable"
    ollama_image: str = "ollama/ollama:0.9.6"


@dataclass(frozen=True)
class Handshake:
    """What a server said when it was last asked in its own protocol."""

    pod: str  # identity of the pod's main container, see health.identity
    good: bool
    reason: Reason = Reason.READY
    message: str = ""
    server_info: Object = field(default_factory=dict)
    protocol_version: str = ""
    tools: tuple[Object, ...] = ()  # the first of them, name and description
    tool_count: int = 0
    models: tuple[str, ...] = ()
    keyed: bool = False  # it wants a key before it lists its models
    whole: bool = True  # False: some of what it uses is not there yet, and it will have more to say then


@dataclass(frozen=True)
class Problem:
    """Why something is not as it should be."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class World:
    """Everything outside the resource that its decision depends on. Objects are not to be changed."""

    settings: Settings
    now: str  # for the times in conditions
    registry: Registry | None  # None: there is no registry
    children: Mapping[tuple[str, str], Object] = field(default_factory=dict)  # (kind, name): live, ours or not
    pods: tuple[Object, ...] = ()
    service_accounts: Mapping[str, Object] = field(default_factory=dict)
    modelapis: Mapping[str, Object] = field(default_factory=dict)  # of the same namespace, as the two below
    mcpservers: Mapping[str, Object] = field(default_factory=dict)
    agents: Mapping[str, Object] = field(default_factory=dict)
    configmaps: Mapping[str, Object] = field(default_factory=dict)  # of those referenced, the ones that exist
    secrets: Mapping[str, Object] | None = None  # likewise, values blanked; None: Secrets are not read
    handshakes: tuple[Handshake, ...] = ()
    refused: Problem | None = None  # why the API server did not take a child just now

    def child(self, kind: str, name: str) -> Object | None:
        return self.children.get((kind, name))


@dataclass(frozen=True)
class Child:
    """An object that should exist."""

    resource: Resource
    object: Object


@dataclass(frozen=True)
class Event:
    """What a person should know."""

    reason: str
    message: str
    warning: bool


@dataclass(frozen=True)
class Ask:
    """A pod to shake hands with, where it listens, and how to ask: `mcp`, `models`, `hosted` or `agent`."""

    pod: Object
    container: str
    port: int
    path: str
    protocol: str
    model: str = ""  # hosted: which one is to be served


@dataclass(frozen=True)
class Decision:
    """What to do. `children` None: leave every child as it is."""

    status: Object
    children: tuple[Child, ...] | None = None
    events: tuple[Event, ...] = ()
    ask: Ask | None = None
    mentions: frozenset[tuple[str, str]] = frozenset()  # (ConfigMap or Secret, name) that the decision depends on


def owned_by(child: Object, owner: Object) -> bool:
    return any(reference.get("uid") == owner["metadata"]["uid"] for reference in _references(child))


def made_for(child: Object, owner: Object) -> bool:
    """Whether it is the owner's, or was made for it and has lost its owner since."""
    if _references(child):
        return owned_by(child, owner)
    writers = child["metadata"].get("managedFields") or ()
    return any(one.get("manager") == FIELD_MANAGER and one.get("operation") == "Apply" for one in writers)


def left_behind(child: Object, owner: Object) -> bool:
    """Whether it belonged to a former resource of the same name, and so is about to be collected."""
    name, uid = owner["metadata"]["name"], owner["metadata"]["uid"]
    return any(
        (one.get("kind"), one.get("name")) == (owner["kind"], name) and one.get("uid") != uid
        for one in _references(child)
    )


def _references(child: Object) -> list[Object]:
    return child["metadata"].get("ownerReferences") or []
