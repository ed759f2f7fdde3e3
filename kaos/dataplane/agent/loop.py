"""The loop: the model thinks, tools and peers act, until there is an answer or a limit."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from kaos.dataplane.agent.metrics import Metrics
from kaos.dataplane.agent.model import Model, Said
from kaos.dataplane.agent.peers import PeerConnection, Peers
from kaos.dataplane.agent.sessions import Sessions
from kaos.dataplane.agent.settings import Settings
from kaos.dataplane.agent.tools import Tool, Toolbox, ToolFailed
from kaos.dataplane.model.openai import Failure

Object = dict[str, Any]

DEADLINE_S = 300.0
AT_ONCE = 8


@dataclass(frozen=True)
class Turn:
    """A question to the agent."""

    session_id: str
    messages: list[Object]  # of the caller, OpenAI's shape
    path: tuple[str, ...] = ()  # the agents that it came through


@dataclass(frozen=True)
class Step:
    """A call of a tool or peer: before (`result` None) and after."""

    kind: str  # tool_call or delegation
    name: str
    arguments: Object
    identity: str
    result: str | None = None
    failed: bool = False
    seconds: float = 0.0

    def described(self) -> Object:
        """As callers see it."""
        return {key: value for key, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Finished:
    """The end of the answer."""

    text: str
    reason: str  # stop or length, as OpenAI's finish_reason
    usage: Object = field(default_factory=dict)


class Agent:
    """Answers turns."""

    def __init__(
        self, settings: Settings, model: Model, toolbox: Toolbox, peers: Peers, sessions: Sessions, metrics: Metrics
    ) -> None:
        self.settings = settings
        self.toolbox = toolbox
        self.peers = peers
        self.sessions = sessions
        self.metrics = metrics
        self._model = model

    async def offered(self) -> list[Object]:
        """The tools and peers that the model may use now."""
        tools, peers = await asyncio.gather(self.toolbox.refresh(), self.peers.refresh())
        return [*(tool.offered() for tool in tools), *peers]

    async def answer(self, turn: Turn) -> AsyncIterator[str | Step | Finished]:
        """Pieces of text and steps as they come, then the end. Raises Failure."""
        began, session = time.monotonic(), turn.session_id
        messages = self._messages(turn)
        self._note_question(turn)
        try:
            async with asyncio.timeout(DEADLINE_S):
                async for piece in self._think(turn, messages):
                    if isinstance(piece, Finished):
                        self.sessions.note(session, "agent_response", text=piece.text)
                    yield piece
        except TimeoutError:
            failure = Failure(504, "server_error", f"no answer within {DEADLINE_S:.0f} s")
            self._note_failure(session, failure)
            raise failure from None
        except Failure as failure:
            self._note_failure(session, failure)
            raise
        finally:
            self.metrics.answered(time.monotonic() - began)

    def _messages(self, turn: Turn) -> list[Object]:
        system = self.settings.instructions or self.settings.description
        told = [{"role": "system", "content": system}] if system else []
        if not self.settings.memory.enabled:
            return [*told, *turn.messages]
        return [*told, *self.sessions.history(turn.session_id), *turn.messages]

    def _note_question(self, turn: Turn) -> None:
        kind = "task_delegation_received" if turn.path else "user_message"
        more = {"from": turn.path[-1]} if turn.path else {}
        for message in turn.messages:
            if message.get("role") == "user":
                self.sessions.note(turn.session_id, kind, text=_text(message.get("content")), **more)

    def _note_failure(self, session_id: str, failure: Failure) -> None:
        self.metrics.failures.inc()
        self.sessions.note(session_id, "error", message=failure.message, status=failure.status)

    async def _think(self, turn: Turn, messages: list[Object]) -> AsyncIterator[str | Step | Finished]:
        total: Object = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        tools = await self.offered()
        for number in range(self.settings.max_steps):
            said = Said()
            async for piece in self._model.call(messages, tools, number):
                if isinstance(piece, Said):
                    said = piece
                else:
                    yield piece
            self.metrics.called_model(said.usage)
            total = {key: total[key] + int(said.usage.get(key) or 0) for key in total}
            if said.cut or not said.tool_calls:
                yield Finished(said.text, "length" if said.cut else "stop", total)
                return
            messages.append(said.message())
            async for step in self._act(turn, said.tool_calls, messages):
                yield step
        told = f"[stopped: no answer after {self.settings.max_steps} model calls]"
        yield told
        yield Finished(told, "length", total)

    async def _act(self, turn: Turn, calls: list[Object], messages: list[Object]) -> AsyncIterator[Step]:
        """Do all calls at once, up to a limit; tell of each before and after; add the results in the model's order."""
        room, done = asyncio.Semaphore(AT_ONCE), asyncio.Queue()
        results: dict[str, str] = {}

        async def one(call: Object) -> None:
            async with room:
                async for step in self._do(turn, call):
                    done.put_nowait(step)
                    if step.result is not None:
                        results[call["id"]] = step.result

        tasks = [asyncio.create_task(one(call)) for call in calls]
        everything = asyncio.gather(*tasks)
        everything.add_done_callback(lambda _: done.put_nowait(None))
        try:
            while (step := await done.get()) is not None:
                yield step
            await everything
        finally:
            for task in tasks:
                task.cancel()
        messages += [{"role": "tool", "tool_call_id": c["id"], "content": results[c["id"]]} for c in calls]

    async def _do(self, turn: Turn, call: Object) -> AsyncIterator[Step]:
        name, began = call["function"]["name"], time.monotonic()
        peer, tool = self.peers.find(name), self.toolbox.find(name)
        kind = "delegation" if peer else "tool_call"
        try:
            arguments = json.loads(call["function"]["arguments"] or "{}")
        except ValueError:
            arguments = None
        shown = arguments if isinstance(arguments, dict) else {"arguments": call["function"]["arguments"]}
        step = Step(kind, name, shown, call["id"])
        yield step
        before, after, wrong = _EVENTS[kind]
        self.sessions.note(turn.session_id, before, name=name, arguments=shown)
        try:
            if not isinstance(arguments, dict):
                raise ToolFailed("the arguments are not a JSON object")
            result, failed = await self._result(turn, name, arguments, peer, tool), False
        except ToolFailed as error:
            result, failed = f"Error: {error}", True
        seconds = round(time.monotonic() - began, 4)
        self.sessions.note(turn.session_id, wrong if failed else after, name=name, text=result, failed=failed)
        self.metrics.acted(kind, name if peer or tool else "unknown", failed, seconds)
        yield Step(kind, name, shown, call["id"], result, failed, seconds)

    async def _result(
        self, turn: Turn, name: str, arguments: Object, peer: PeerConnection | None, tool: Tool | None
    ) -> str:
        if peer is not None:
            return await self.peers.delegate(peer, str(arguments.get("message", "")), turn.path, turn.session_id)
        if tool is None:
            raise ToolFailed(f"there is no tool {name}")
        return await self.toolbox.call(tool, arguments)


_EVENTS = {
    "tool_call": ("tool_call", "tool_result", "tool_result"),
    "delegation": ("delegation_request", "delegation_response", "delegation_error"),
}


def _text(content: Any) -> str:
    from kaos.dataplane.model.openai import text_of

    return text_of(content)
