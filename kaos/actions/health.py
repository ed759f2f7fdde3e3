"""How a resource is, in one word, and how it is called: what overview, map and diagnosis share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kaos.actions.kinds import KINDS, Kind
from kaos.api.names import Phase
from kaos.errors import UsageError
from kaos.kube.names import nearest

Object = dict[str, Any]


class State(StrEnum):
    """From the worst to the best; the order is used to sort."""

    MISSING = "missing"
    FAILED = "failed"
    PENDING = "pending"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"
    SUSPENDED = "suspended"
    READY = "ready"

    @property
    def glyph(self) -> str:
        """A mark that stands beside the word, never alone."""
        return _GLYPHS[self]

    @property
    def rank(self) -> int:
        return list(State).index(self)

    @property
    def healthy(self) -> bool:
        return self in (State.READY, State.SUSPENDED)


_GLYPHS = {
    State.MISSING: "✖",
    State.FAILED: "✖",
    State.PENDING: "◐",
    State.DEGRADED: "◑",
    State.UNKNOWN: "?",
    State.SUSPENDED: "○",
    State.READY: "●",
}
_OF_PHASE = {
    Phase.READY: State.READY,
    Phase.DEGRADED: State.DEGRADED,
    Phase.SUSPENDED: State.SUSPENDED,
    Phase.FAILED: State.FAILED,
}


@dataclass(frozen=True, order=True)
class Ref:
    """One resource of KAOS, there or not."""

    kind: str  # MCPServer, ModelAPI, Agent
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def handler(self) -> Kind:
        return next(kind for kind in KINDS if kind.title == self.kind)

    @property
    def word(self) -> str:
        """As commands take it: `mcp/calculator`."""
        return f"{self.handler.command}/{self.name}"


def ref_of(obj: Object) -> Ref:
    meta = obj["metadata"]
    return Ref(obj["kind"], meta.get("namespace", ""), meta["name"])


def parse_ref(text: str, namespace: str) -> Ref:
    """`KIND/NAME`, the kind by its command, title, plural or short name. Raises UsageError."""
    word, slash, name = text.partition("/")
    kinds = {alias: kind for kind in KINDS for alias in _aliases(kind)}
    kind = kinds.get(word.lower())
    if kind is None:
        like = nearest(word.lower(), kinds) if slash else None
        hint = f"Did you mean {like}/{name}?" if like else "Kinds: mcp, agent, modelapi"
        raise UsageError(f"{text!r} is not KIND/NAME.", hint)
    if not slash or not name or "/" in name:
        raise UsageError(f"{text!r} is not KIND/NAME.", f"Name one: {kind.command}/NAME")
    return Ref(kind.title, namespace, name)


_SHORT = {"MCPServer": ("mcps",), "ModelAPI": ("mapi", "api"), "Agent": ("ag",)}


def _aliases(kind: Kind) -> tuple[str, ...]:
    return kind.command, kind.title.lower(), kind.resource.plural, *_SHORT[kind.title]


def state_of(obj: Object | None) -> State:
    """The phase as a state; pending for what no operator has looked at yet."""
    if obj is None:
        return State.MISSING
    phase = (obj.get("status") or {}).get("phase")
    return _OF_PHASE.get(phase, State.PENDING)
