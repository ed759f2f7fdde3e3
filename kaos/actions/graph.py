"""Who uses whom: Agents their ModelAPI, MCPServers and other agents; and what of it is broken. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kaos.actions.health import Ref, State, ref_of, state_of

Object = dict[str, Any]
NOT_EXPOSED = "does not expose itself"
THINKS_WITH, USES_TOOLS_OF, DELEGATES_TO = "thinks with", "uses tools of", "delegates to"


@dataclass(frozen=True)
class Node:
    """A resource, or one that others name and that is not there."""

    ref: Ref
    state: State
    about: str = ""  # model, runtime or type
    reason: str = ""  # why it is not ready
    message: str = ""
    tools: tuple[str, ...] = ()  # of an MCPServer, as far as its status names them


@dataclass(frozen=True)
class Edge:
    """One resource needs another; `problem` says why that does not work, if it does not."""

    user: Ref
    used: Ref
    does: str
    problem: str = ""


@dataclass(frozen=True)
class Graph:
    """All of it; edges in the order of the specs."""

    nodes: dict[Ref, Node] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()

    def uses(self, ref: Ref) -> list[Edge]:
        return self._by_user.get(ref, [])

    def used_by(self, ref: Ref) -> list[Edge]:
        return self._by_used.get(ref, [])

    @cached_property
    def _by_user(self) -> dict[Ref, list[Edge]]:
        found: defaultdict[Ref, list[Edge]] = defaultdict(list)
        for edge in self.edges:
            found[edge.user].append(edge)
        return dict(found)

    @cached_property
    def _by_used(self) -> dict[Ref, list[Edge]]:
        found: defaultdict[Ref, list[Edge]] = defaultdict(list)
        for edge in self.edges:
            found[edge.used].append(edge)
        return dict(found)

    def roots(self) -> list[Ref]:
        """Where to begin so that everything is met: what nobody uses, and one of each circle that nothing leads to."""
        used = {edge.used for edge in self.edges if edge.used != edge.user}
        ordered = sorted(self.nodes, key=lambda ref: (ref.kind != "Agent", ref))
        roots, met = [], set()
        for candidates in ([ref for ref in ordered if ref not in used], ordered):
            for ref in candidates:
                if ref not in met:
                    roots.append(ref)
                    met |= self._reached(ref)
        return roots

    def _reached(self, start: Ref) -> set[Ref]:
        met, ahead = set(), [start]
        while ahead:
            ref = ahead.pop()
            if ref not in met:
                met.add(ref)
                ahead += [edge.used for edge in self.uses(ref)]
        return met


def graph(objects: Mapping[Ref, Object]) -> Graph:
    """The graph of these resources."""
    nodes = {ref: _node(ref, obj) for ref, obj in sorted(objects.items(), key=lambda pair: pair[0])}
    edges = []
    for obj in objects.values():
        for edge in needs(obj):
            nodes.setdefault(edge.used, Node(edge.used, State.MISSING, reason="does not exist"))
            edges.append(Edge(edge.user, edge.used, edge.does, problem(edge, objects)))
    return Graph(nodes, tuple(edges))


def needs(obj: Object) -> list[Edge]:
    """What an Agent names in its spec: its ModelAPI, its MCPServers, its peers. The others need nothing."""
    if obj["kind"] != "Agent":
        return []
    user, spec = ref_of(obj), obj.get("spec") or {}
    wanted = [("ModelAPI", spec["modelAPI"], THINKS_WITH)] if spec.get("modelAPI") else []
    wanted += [("MCPServer", name, USES_TOOLS_OF) for name in spec.get("mcpServers") or ()]
    wanted += [("Agent", name, DELEGATES_TO) for name in (spec.get("agentNetwork") or {}).get("access") or ()]
    return [Edge(user, Ref(kind, user.namespace, name), does) for kind, name, does in wanted]


def problem(edge: Edge, objects: Mapping[Ref, Object]) -> str:
    """Why an edge is broken; empty when it is not."""
    used = objects.get(edge.used)
    if used is None:
        return "does not exist"
    if edge.does == DELEGATES_TO and not ((used.get("spec") or {}).get("agentNetwork") or {}).get("expose"):
        return NOT_EXPOSED
    status = used.get("status") or {}
    if not status.get("ready"):
        return f"is not ready: {status.get('reason') or 'no operator has looked at it'}"
    if edge.does == THINKS_WITH:
        user = objects[edge.user]
        told = user.get("status") or {}
        if told.get("reason") == "ModelNotServed":
            return f"does not serve {user['spec'].get('model')}"
    return ""


def _node(ref: Ref, obj: Object) -> Node:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    match ref.kind:
        case "Agent":
            about = spec.get("model", "")
        case "ModelAPI":
            about = spec.get("type") or str(spec.get("mode", "")).lower()
        case _:
            about = spec.get("runtime") or "remote"
    state = state_of(obj)
    well = state in (State.READY, State.SUSPENDED)
    tools = tuple(one["name"] for one in status.get("tools") or ()) if ref.kind == "MCPServer" else ()
    reason, message = ("", "") if well else (status.get("reason", ""), status.get("message", ""))
    return Node(ref, state, about, reason, message, tools)
