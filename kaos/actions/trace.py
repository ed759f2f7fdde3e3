"""What an agent did to answer, step by step with times, from its memory and that of the agents that it delegated to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from kaos.actions.chat import Endpoint
from kaos.actions.kinds import AGENT
from kaos.cluster import Client
from kaos.errors import KaosError, NotFound

Object = dict[str, Any]
EVENTS = 1000
TIMEOUT_S = 20.0
SKEW_S = 2.0  # how far the clocks of two pods may be apart
_BEGINS = ("user_message", "task_delegation_received")
_CALLS = {"tool_call": "tool", "delegation_request": "delegation"}
_RESULTS = {"tool_result": "tool", "delegation_response": "delegation", "delegation_error": "delegation"}


@dataclass(frozen=True)
class Step:
    """Something that took its time: the model's thinking, a call of a tool or peer, the answer, an error."""

    kind: str  # model, tool, delegation, answer, error, note
    at: float  # seconds since 1970
    seconds: float | None = None  # None: not ended
    name: str = ""
    arguments: Any = None
    text: str = ""
    failed: bool = False
    below: tuple[Turn, ...] = ()


@dataclass(frozen=True)
class Turn:
    """A question to an agent and what it did about it."""

    agent: str
    session_id: str
    at: float
    question: str
    asked_by: str = ""  # the agent that delegated it
    steps: tuple[Step, ...] = ()

    @property
    def seconds(self) -> float | None:
        """None while it is not answered."""
        ended = [step for step in self.steps if step.kind in ("answer", "error")]
        return ended[-1].at - self.at if ended else None


def trace(client: Client, name: str, namespace: str, session_id: str | None = None) -> list[Turn]:
    """The turns of a session, or the last turn of the last one. Raises KaosError, NotFound for an unknown session."""
    agent = Endpoint(client, AGENT, name, namespace, TIMEOUT_S)
    wanted = session_id or _last_session(agent)
    if wanted is None:
        return []
    found = _turns(client, agent, wanted, frozenset())
    if not found and session_id:
        raise NotFound(f"{agent.who} remembers nothing of session {session_id}.",
                       f"See: kaos agent memory {name} -n {namespace}")  # fmt: skip
    return found if session_id else found[-1:]


def _last_session(agent: Endpoint) -> str | None:
    sessions = agent.get("/memory/sessions").get("sessions") or []
    return max(sessions, key=lambda one: one["updated"])["id"] if sessions else None


def _turns(client: Client, agent: Endpoint, session_id: str, seen: frozenset[tuple[str, str]]) -> list[Turn]:
    answer = agent.get(f"/memory/events?session_id={quote(session_id, safe='')}&limit={EVENTS}")
    peers = ((agent.object["spec"].get("agentNetwork") or {}).get("access")) or []
    seen |= {(agent.name, session_id)}

    def follow(step: Step) -> Step:
        peer = peer_of(step.name, peers)
        there = (peer, peer_session(agent.name, session_id))
        return step if not peer or there in seen else _followed(client, agent.namespace, step, *there, seen)

    return turns(agent.name, session_id, answer.get("events") or [], follow)


def _followed(
    client: Client, namespace: str, step: Step, peer: str, session_id: str, seen: frozenset[tuple[str, str]]
) -> Step:
    """With what the peer did meanwhile; what it does not tell is no failure of the trace."""
    try:
        there = _turns(client, Endpoint(client, AGENT, peer, namespace, TIMEOUT_S), session_id, seen)
    except KaosError as error:
        note = Step("note", step.at, 0.0, peer, text=f"its memory cannot be read: {error.cause}")
        return replace(step, below=(Turn(peer, session_id, step.at, "", steps=(note,)),))
    until = step.at + step.seconds if step.seconds is not None else float("inf")
    return replace(step, below=tuple(one for one in there if step.at - SKEW_S <= one.at <= until + SKEW_S))


def turns(
    agent: str, session_id: str, events: Iterable[Object], follow: Callable[[Step], Step] = lambda step: step
) -> list[Turn]:
    """The turns that these events tell of; delegations are handed to `follow`. Pure but for that."""
    found: list[list[Object]] = []
    for event in events:
        if event["kind"] in _BEGINS or not found:
            found.append([])
        found[-1].append(event)
    return [_turn(agent, session_id, part, follow) for part in found]


def _turn(agent: str, session_id: str, events: list[Object], follow: Callable[[Step], Step]) -> Turn:
    first = events[0]
    begins = first["kind"] in _BEGINS  # the beginning of a long session may be forgotten
    said = first["data"] if begins else {}
    steps: list[Step] = []
    thinking_since: float | None = first["at"]
    for event in events[1:] if begins else events:
        kind, at, data = event["kind"], event["at"], event["data"]
        if kind in _RESULTS:
            _end(steps, _RESULTS[kind], at, data)
            thinking_since = at
            continue
        if thinking_since is not None and kind in (*_CALLS, "agent_response"):
            steps.append(Step("model", thinking_since, at - thinking_since))
        thinking_since = None
        if kind in _CALLS:
            steps.append(Step(_CALLS[kind], at, None, data.get("name") or "", data.get("arguments")))
        elif kind == "agent_response":
            steps.append(Step("answer", at, 0.0, text=data.get("text") or ""))
        elif kind == "error":
            steps.append(Step("error", at, 0.0, text=data.get("message") or "", failed=True))
    steps = [follow(step) if step.kind == "delegation" else step for step in steps]
    return Turn(agent, session_id, first["at"], said.get("text") or "", said.get("from") or "", tuple(steps))


def _end(steps: list[Step], kind: str, at: float, data: Object) -> None:
    """The first call of that name that has not ended; calls side by side are told apart by their order alone."""
    for index, step in enumerate(steps):
        if (step.kind, step.name, step.seconds) == (kind, data.get("name"), None):
            text, failed = data.get("text") or "", bool(data.get("failed"))
            steps[index] = replace(step, seconds=at - step.at, text=text, failed=failed)
            return


def peer_of(tool: str, peers: Iterable[str]) -> str:
    """The peer behind the name of a delegation's tool, which may have been cut to what models take."""
    wanted = tool.removeprefix("delegate_to_")
    known = list(peers)
    return wanted if wanted in known else next((one for one in known if f"delegate_to_{one}"[:55] == tool[:55]), "")


def peer_session(agent: str, session_id: str) -> str:
    """The session in which an agent's peer works for a session of the agent: a convention of the agent's runtime."""
    context = f"{agent}-{session_id}"
    return context if len(context) <= 128 else f"{agent}-{hashlib.sha256(session_id.encode()).hexdigest()[:32]}"
