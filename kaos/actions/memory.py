"""What an agent remembers and has at hand: its sessions, what happened in them, its tools."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from kaos.actions.chat import Endpoint

Object = dict[str, Any]
LOOKED_BACK = 50  # events
TITLE = 80  # characters


@dataclass(frozen=True)
class Session:
    """A conversation that the agent remembers; times in seconds since 1970."""

    id: str
    events: int
    created: float
    updated: float


@dataclass(frozen=True)
class Event:
    """Something that happened in a session."""

    number: int
    session_id: str
    at: float
    kind: str  # user_message, agent_response, tool_call, tool_result, delegation_..., error
    data: Object

    @property
    def words(self) -> str:
        """What it says, on one line."""
        data = self.data
        text = data.get("text") or data.get("message") or ""
        if data.get("arguments") is not None:
            text = json.dumps(data["arguments"], ensure_ascii=False)
        named = f"{data['name']} " if data.get("name") else ""
        return f"{named}{' '.join(str(text).split())}"

    @property
    def failed(self) -> bool:
        return bool(self.data.get("failed")) or self.kind in ("error", "delegation_error")


@dataclass(frozen=True)
class Tool:
    """A tool as the agent's model sees it, and the MCPServer that has it."""

    name: str
    server: str
    description: str
    schema: Object

    @property
    def full_name(self) -> str:
        """server.tool, also where the agent has put the server's name before the tool's own."""
        own = self.name.removeprefix(f"{self.server}__")
        return f"{self.server}.{own}" if self.server else own


@dataclass(frozen=True)
class Belongings:
    """The tools of an agent now, and who is away and why."""

    tools: tuple[Tool, ...]
    away: tuple[tuple[str, str, str], ...]  # (MCPServer or Agent, name, why)
    peers: tuple[str, ...]


def sessions(agent: Endpoint) -> list[Session]:
    """All of them, the one last used first. Raises KaosError."""
    found = agent.get("/memory/sessions").get("sessions") or ()
    return [Session(str(one["id"]), one["events"], one["created"], one["updated"]) for one in found]


def events(agent: Endpoint, session_id: str, limit: int) -> list[Event]:
    """The last so many of a session, in the order in which they happened. Raises KaosError."""
    path = f"/memory/events?session_id={quote(session_id, safe='')}&limit={limit}"
    return [
        Event(one["number"], str(one["session_id"]), one["at"], str(one["kind"]), one["data"])
        for one in agent.get(path).get("events") or ()
    ]


def recent(agent: Endpoint, titled: int) -> list[tuple[Session, str]]:
    """All sessions, the one last used first; the first so many with what was asked in them last. Raises KaosError."""
    found = sessions(agent)
    return [(one, _last_question(agent, one.id) if place < titled else "") for place, one in enumerate(found)]


def _last_question(agent: Endpoint, session_id: str) -> str:
    """One line; empty when it lies too far back."""
    asked = [one.words for one in events(agent, session_id, LOOKED_BACK) if one.kind == "user_message"]
    return asked[-1][:TITLE] if asked else ""


def belongings(agent: Endpoint) -> Belongings:
    """What the agent has at hand. Raises KaosError."""
    return belongings_told(agent.get("/tools"))


def belongings_told(found: Object) -> Belongings:
    """The same, of the agent's own words."""
    tools = tuple(
        Tool(str(one["name"]), str(one.get("server") or ""), one.get("description") or "", one.get("inputSchema") or {})
        for one in found.get("tools") or ()
    )
    away = tuple(
        (kind, str(one["name"]), str(one.get("message") or "it does not answer"))
        for kind, ones in (("MCPServer", found.get("servers")), ("Agent", found.get("peers")))
        for one in ones or ()
        if not one.get("ready")
    )
    return Belongings(tools, away, tuple(str(one["name"]) for one in found.get("peers") or ()))
