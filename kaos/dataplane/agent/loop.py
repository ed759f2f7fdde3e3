"""The loop: the model thinks, tools and peers act, until there is an answer or a limit."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import dataclass
from typing import Any

from kaos.dataplane.agent import spans
from kaos.dataplane.agent.completions import Said
from kaos.dataplane.agent.metrics import Metrics
from kaos.dataplane.agent.model import Model
from kaos.dataplane.agent.peers import PeerConnection, Peers, refuse_rounds
from kaos.dataplane.agent.sessions import Sessions
from kaos.dataplane.agent.settings import Settings
from kaos.dataplane.agent.tools import Tool, Toolbox
from kaos.dataplane.agent.turns import Emit, Finished, Gone, Step, ToolFailed, Turn
from kaos.dataplane.model.openai import Failure, text_of
from kaos.dataplane.telemetry import CLIENT, Telemetry, of_usage
from kaos.kube import sanitize

Object = dict[str, Any]
log = logging.getLogger("kaos.agent")

CLIENT_CLOSED = 499
BETWEEN = "\n\n"  # between what the model says before a call and after it
_EVENTS = {
    "tool_call": ("tool_call", "tool_result", "tool_result"),
    "delegation": ("delegation_request", "delegation_response", "delegation_error"),
}


@dataclass(frozen=True)
class Offer:
    """What the model may use during one answer; it stays the same while servers come and go."""

    tools: dict[str, Tool]
    peers: dict[str, PeerConnection]

    def described(self) -> list[Object]:
        return [one.offered() for one in (*self.tools.values(), *self.peers.values())]


@dataclass(frozen=True)
class Agent:
    """Answers turns."""

    settings: Settings
    model: Model
    toolbox: Toolbox
    peers: Peers
    sessions: Sessions
    metrics: Metrics
    telemetry: Telemetry

    async def answer(self, turn: Turn, emit: Emit) -> Finished:
        """Text and steps go to `emit` as they come; the end is returned. Raises Failure, Gone."""
        work = _Work(self, turn, emit)
        began, status = time.monotonic(), 200
        self.metrics.began()
        told = spans.of_answer(self.settings, turn.session_id)
        with self.telemetry.span(f"invoke_agent {self.settings.name}", told) as span:
            try:
                return await self._within_limits(work, turn)
            except Failure as failure:
                status = failure.status
                span.fail(failure.code or str(status), failure.message)
                await self.sessions.note(turn.session_id, "error", message=failure.message, status=status)
                raise
            except (asyncio.CancelledError, Gone):
                status = CLIENT_CLOSED
                span.fail("cancelled", "the caller has gone")
                await self.sessions.note(turn.session_id, "error", message="the caller has gone", status=status)
                raise
            finally:
                span.set(of_usage(work.usage))
                seconds = time.monotonic() - began
                self.metrics.answered(status, seconds)
                log.info(
                    "answered with %d after %.2f s: model %s, %d tokens, %d calls, session %s",
                    status, seconds, self.settings.model, work.usage["total_tokens"], work.calls, turn.session_id,
                )  # fmt: skip

    async def offer(self) -> Offer:
        peers = await self.peers.tools()
        return Offer(await self.toolbox.tools(peers), peers)

    async def _within_limits(self, work: _Work, turn: Turn) -> Finished:
        limit_s = self.settings.limits.answer_s
        try:
            refuse_rounds(self.settings.name, turn.path, self.settings.limits.hops)
            async with asyncio.timeout(limit_s) as limit:
                return await work.run()
        except TimeoutError:
            if not limit.expired():
                raise
            failure = Failure(504, "server_error", f"no answer within {limit_s:g} s", code="deadline_exceeded")
            raise work.final(failure) from None
        except Failure as failure:
            raise work.final(failure) from None


class _Work:
    """One answer in the making."""

    def __init__(self, agent: Agent, turn: Turn, emit: Emit) -> None:
        self._agent = agent
        self._turn = turn
        self._emit = emit
        self._room = asyncio.Semaphore(agent.settings.limits.tools_at_once)
        self._texts: list[str] = []
        self._steps: list[Step] = []
        self.usage = dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), 0)
        self.calls = 0

    def final(self, failure: Failure) -> Failure:
        """Once something has acted, clients had better not repeat the request by themselves."""
        if self.calls:
            failure.headers = failure.headers | {"x-should-retry": "false"}
        return failure

    async def run(self) -> Finished:
        agent, turn = self._agent, self._turn
        messages = [*self._instructions(), *await agent.sessions.history(turn.session_id), *_spoken(turn.messages)]
        await self._note_question()
        offer = await agent.offer()
        tools = offer.described() if turn.tools else []
        for number in range(agent.settings.max_steps):
            said = await self._think(messages, tools, number)
            if said.text:
                self._texts.append(said.text)
            if not said.tool_calls:
                return await self._end(said.finish)
            if number + 1 < agent.settings.max_steps:
                messages.append(said.message())
                messages += await self._act(offer, said.tool_calls)
        told = f"[stopped: no answer after {agent.settings.max_steps} model calls]"
        await self._say(told)
        self._texts.append(told)
        return await self._end("length")

    def _instructions(self) -> list[Object]:
        """The agent's own words come before the caller's, as one message: some models take no second one."""
        settings = self._agent.settings
        own = settings.instructions or settings.description
        theirs = [text_of(one.get("content")) for one in self._turn.messages if one["role"] in ("system", "developer")]
        text = "\n\n".join(part for part in (own, *theirs) if part)
        return [{"role": "system", "content": text}] if text else []

    async def _note_question(self) -> None:
        kind = "task_delegation_received" if self._turn.path else "user_message"
        more = {"from": self._turn.path[-1]} if self._turn.path else {}
        texts = [text_of(one.get("content")) for one in unanswered(self._turn.messages) if one["role"] == "user"]
        if texts:
            await self._agent.sessions.note(self._turn.session_id, kind, text="\n\n".join(texts), **more)

    async def _end(self, reason: str) -> Finished:
        text = BETWEEN.join(self._texts)
        await self._agent.sessions.note(self._turn.session_id, "agent_response", text=text)
        return Finished(text, reason, self.usage, tuple(self._steps))

    async def _say(self, text: str) -> None:
        if self._texts:
            await self._emit(BETWEEN)
        await self._emit(text)

    # The model.

    async def _think(self, messages: list[Object], tools: list[Object], number: int) -> Said:
        agent, settings = self._agent, self._agent.settings
        body = {**self._turn.options, "messages": messages} | ({"tools": tools} if tools else {})
        began, first_s, status, usage = time.monotonic(), None, 200, {}

        async def on_text(text: str) -> None:
            nonlocal first_s
            if first_s is None:
                first_s = time.monotonic() - began
                await self._say(text)
            else:
                await self._emit(text)

        with agent.telemetry.span(f"chat {settings.model}", spans.of_model_call(settings), CLIENT) as span:
            try:
                said = await agent.model.call(body, number, on_text)
            except Failure as failure:
                status = failure.status
                span.fail(failure.code or str(status), failure.message)
                raise
            except (asyncio.CancelledError, Gone):
                status = CLIENT_CLOSED
                span.fail("cancelled", "the caller has gone")
                raise
            else:
                usage = said.usage
                self._count(usage)
                finish = "tool_calls" if said.tool_calls else said.finish
                span.set({"gen_ai.response.finish_reasons": [finish], **of_usage(usage)})
                return said
            finally:
                agent.metrics.called_model(status, time.monotonic() - began, first_s, usage)

    def _count(self, usage: dict[str, int]) -> None:
        parts = usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)
        whole = usage if "total_tokens" in usage else {**usage, "total_tokens": parts}
        self.usage = {key: value + whole.get(key, 0) for key, value in self.usage.items()}

    # Tools and peers.

    async def _act(self, offer: Offer, calls: list[Object]) -> list[Object]:
        """Do all calls side by side, up to a limit; their results as messages, in the model's order."""
        tasks = [asyncio.create_task(self._do(offer, call)) for call in calls]
        try:
            results = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return [
            {"role": "tool", "tool_call_id": call["id"], "content": result}
            for call, result in zip(calls, results, strict=True)
        ]

    async def _do(self, offer: Offer, call: Object) -> str:
        async with self._room:
            name, given = call["function"]["name"], call["function"]["arguments"]
            arguments = _arguments(given)
            kind = "delegation" if name in offer.peers else "tool_call"
            step = Step(kind, name, {"arguments": given} if arguments is None else arguments, call["id"])
            before, after, wrong = _EVENTS[kind]
            session_id, note = self._turn.session_id, self._agent.sessions.note
            self.calls += 1
            await self._emit(step)
            await note(session_id, before, name=name, arguments=step.arguments)
            began, failed = time.monotonic(), False
            try:
                result = await self._result(offer, name, call["id"], arguments)
            except ToolFailed as error:
                result, failed = f"Error: {error}", True
            seconds = round(time.monotonic() - began, 4)
            await note(session_id, wrong if failed else after, name=name, text=result, failed=failed)
            done = Step(kind, name, step.arguments, call["id"], result, failed, seconds)
            self._steps.append(done)
            await self._emit(done)
            return result

    async def _result(self, offer: Offer, name: str, identity: str, arguments: Object | None) -> str:
        """Raises ToolFailed."""
        if not self._turn.tools:
            raise ToolFailed("the caller allows no tools")  # some models call one all the same
        if name not in offer.tools and name not in offer.peers:
            raise ToolFailed(f"there is no tool {name}{self._agent.toolbox.lacking()}")
        if arguments is None:
            raise ToolFailed("the arguments are not a JSON object")
        agent = self._agent
        peer, tool = offer.peers.get(name), offer.tools.get(name)
        if peer:
            span_name, told = f"invoke_agent {peer.peer.name}", spans.of_delegation(peer, identity)
        else:
            span_name, told = f"execute_tool {tool.own_name}", spans.of_tool_call(tool, identity)
        began, failed = time.monotonic(), True
        with agent.telemetry.span(span_name, told, CLIENT) as span:
            try:
                if peer:
                    result = await agent.peers.delegate(peer, arguments, self._turn)
                else:
                    result = await tool.call(arguments)
                failed = False
                return result
            except ToolFailed as error:
                span.fail("delegation_error" if peer else "tool_error", str(error))
                log.warning("session %s: %s: %s", self._turn.session_id, name, sanitize.line(str(error))[:300])
                raise
            finally:
                seconds = time.monotonic() - began
                if peer:
                    agent.metrics.delegated(peer.peer.name, failed, seconds)
                else:
                    agent.metrics.called_tool(tool.server, tool.own_name, failed, seconds)


def unanswered(messages: list[Object]) -> list[Object]:
    """What came after the last answer; all of it when nothing did."""
    answered = max((number for number, one in enumerate(messages) if one["role"] == "assistant"), default=-1)
    return messages[answered + 1 :] or messages


def _spoken(messages: list[Object]) -> list[Object]:
    return [one for one in messages if one["role"] not in ("system", "developer")]


def _arguments(given: str) -> Object | None:
    try:
        arguments = json.loads(given or "{}")
    except (ValueError, RecursionError):
        return None
    return arguments if isinstance(arguments, dict) else None
