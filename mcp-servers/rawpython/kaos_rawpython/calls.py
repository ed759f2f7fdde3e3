"""Where the program's functions run: away from the event loop that answers HTTP, so that none of them can block it.

A plain function gets a thread of its own for each call. Coroutine functions share one event loop in another thread,
because programs keep asyncio objects at module level (a client, a lock, a queue), and those work on one loop only.
A coroutine that blocks that loop breaks asyncio's own rule; calls that come while it does are begun on a spare loop.

Python cannot end a thread. A call whose caller has gone is asked to end (CancelledError in a coroutine, Abandoned in
a function), and one that does not listen goes on; a tool has only so many calls at once, so it cannot take the place
of the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import ctypes
import inspect
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

MAX_CALLS = 100  # of one tool at a time
PATIENCE_S = 1.0  # until a loop that begins nothing counts as blocked


class Refused(Exception):
    """The call was not begun, or is waited for no longer: the text says why."""


class Abandoned(BaseException):
    """The caller has gone; raised inside the function that still works for it. No Exception: `except` lets it pass."""


@dataclass(frozen=True)
class Outcome:
    """What a call came to. Any exception of the function is data here: SystemExit must not end the server."""

    value: Any = None
    error: BaseException | None = None


class Running(Protocol):
    answer: asyncio.Future[Outcome]

    def runs(self) -> bool: ...


class Calls:
    """Runs functions and counts, for each tool, those that have not ended."""

    def __init__(self, limit: int = MAX_CALLS) -> None:
        self._limit = limit
        self._running: defaultdict[str, set[Running]] = defaultdict(set)
        self._loops: list[ToolLoop] = []

    async def run(self, tool: str, function: Callable[..., Any], arguments: dict[str, Any]) -> Outcome:
        """Call the function and wait for it; cancelled, the wait ends at once. Raises Refused."""
        running = self._running[tool]
        running -= {call for call in running if not call.runs()}
        if len(running) >= self._limit:
            raise Refused(f"{len(running)} calls of {tool} are running and none has ended yet; this one was not begun")
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            return await self._on_a_loop(running, lambda: function(**arguments))
        call = ThreadCall(lambda: function(**arguments))
        running.add(call)
        outcome = await call.outcome()
        running.discard(call)
        if inspect.isawaitable(outcome.value):
            return await self._on_a_loop(running, lambda: outcome.value)
        return outcome

    def give_up(self) -> None:
        """Wait for no running call any longer."""
        for call in set().union(*self._running.values()):
            if not call.answer.done():
                call.answer.set_exception(Refused("the server stops, and waits for this call no longer"))

    async def _on_a_loop(self, running: set[Running], body: Callable[[], Any]) -> Outcome:
        for loop in list(self._loops):
            if not loop.blocked and (outcome := await _counted(running, LoopCall(loop, body, PATIENCE_S))):
                return outcome
        self._loops.append(ToolLoop())
        outcome = await _counted(running, LoopCall(self._loops[-1], body, None))
        assert outcome is not None  # nothing else can block it
        return outcome


async def _counted(running: set[Running], call: LoopCall) -> Outcome | None:
    running.add(call)
    outcome = await call.outcome()
    running.discard(call)
    return outcome


class ThreadCall:
    """One call of a plain function in a thread of its own."""

    def __init__(self, body: Callable[[], Any]) -> None:
        self._body = body
        self._server = asyncio.get_running_loop()
        self.answer: asyncio.Future[Outcome] = self._server.create_future()
        self._ending = threading.Lock()
        self._ended = False
        # A daemon: a stuck function must not hold up the end of the process.
        self._thread = threading.Thread(target=contextvars.copy_context().run, args=(self._run,), daemon=True)
        self._thread.start()

    def runs(self) -> bool:
        return self._thread.is_alive()

    async def outcome(self) -> Outcome:
        try:
            return await self.answer
        except asyncio.CancelledError:
            self._abandon()
            raise

    def _run(self) -> None:
        try:
            try:
                value = self._body()
                outcome = Outcome(list(value) if inspect.isgenerator(value) else value)
            except Abandoned:
                return
            except BaseException as error:
                outcome = Outcome(error=error)
            _flush()
            with self._ending:
                self._ended = True
            _report(self._server, self.answer, outcome)
        except Abandoned:  # came only now
            return

    def _abandon(self) -> None:
        """Raise Abandoned in the thread at its next Python instruction; a call into C (time.sleep) ends first."""
        with self._ending:  # while it is held the thread cannot end, so its number is not another's
            if not self._ended and self._thread.ident is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self._thread.ident), ctypes.py_object(Abandoned)
                )


class ToolLoop:
    """An event loop in a thread of its own, for as long as the process lives."""

    def __init__(self) -> None:
        self.asyncio = asyncio.new_event_loop()
        self.blocked = False
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.asyncio)
        self.asyncio.run_forever()


class LoopCall:
    """One call of a coroutine function on a loop."""

    def __init__(self, loop: ToolLoop, body: Callable[[], Any], patience_s: float | None) -> None:
        self._body = body
        self._loop = loop
        self._patience_s = patience_s
        self._server = asyncio.get_running_loop()
        self.answer: asyncio.Future[Outcome] = self._server.create_future()
        self._task: asyncio.Task[None] | None = None
        self._turn = threading.Lock()  # taken once: by the loop when the call begins, or by the caller to withdraw it
        self._withdrawn = False
        loop.asyncio.call_soon_threadsafe(self._begin)

    def runs(self) -> bool:
        return not self._withdrawn and (self._task is None or not self._task.done())

    async def outcome(self) -> Outcome | None:
        """What it came to; None when it was not begun, because the loop is blocked."""
        try:
            await asyncio.wait([self.answer], timeout=self._patience_s)
            if not self.answer.done() and self._withdraw():
                self._loop.blocked = True
                return None
            return await self.answer
        except asyncio.CancelledError:
            if not self._withdraw():
                self._loop.asyncio.call_soon_threadsafe(self._cancel)
            raise

    def _withdraw(self) -> bool:
        self._withdrawn = self._withdrawn or self._turn.acquire(blocking=False)
        return self._withdrawn

    def _begin(self) -> None:
        self._task = self._loop.asyncio.create_task(self._run())

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        self._loop.blocked = False
        if not self._turn.acquire(blocking=False):
            return
        try:
            outcome = Outcome(await _awaited(self._body()))
        except BaseException as error:
            outcome = Outcome(error=error)
        _flush()
        _report(self._server, self.answer, outcome)


async def _awaited(value: Any) -> Any:
    if inspect.isasyncgen(value):
        return [item async for item in value]
    if inspect.isawaitable(value):
        value = await value
    return list(value) if inspect.isgenerator(value) else value


def _report(server: asyncio.AbstractEventLoop, answer: asyncio.Future[Outcome], outcome: Outcome) -> None:
    with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
        server.call_soon_threadsafe(_settle, answer, outcome)


def _settle(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)


def _flush() -> None:
    """What a tool prints without the end of a line is in the log when its call has ended, too."""
    with contextlib.suppress(AttributeError, OSError, ValueError):  # the program may have put anything there
        sys.stdout.flush()
