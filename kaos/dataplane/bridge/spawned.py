"""A process of the server that is a child of ours.

It is Popen's: uvloop's own lets the process inherit each pipe twice, and then one that closes its stdout but lives on
goes unnoticed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence

from kaos.dataplane.bridge.child import LEAVE_S, Child, ServerEnded

HOLD_S = 0.5  # for pipes that descendants keep open after its end


class Spawned(Child, asyncio.Protocol):
    """Starts with `start`. It is the protocol of its stdin."""

    def __init__(self, name: str, process: subprocess.Popen[bytes]) -> None:
        super().__init__(name)
        self._process = process
        self._outputs: list[asyncio.BaseTransport] = []
        self._unread = {"stdout", "stderr"}

    @classmethod
    async def start(cls, command: Sequence[str], env: dict[str, str]) -> Spawned:
        """Raises ServerEnded when there is no such program."""
        try:
            process = subprocess.Popen(  # noqa: ASYNC220 - it blocks no longer than the fork takes
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=env,
                start_new_session=True,
            )
        except OSError as error:
            raise ServerEnded(f"cannot start {command[0]}: {error.strerror or error}") from None
        child = cls(os.path.basename(command[0]), process)
        try:
            await child._connect()
        except BaseException:
            child._kill_group(signal.SIGKILL)
            raise
        return child

    @property
    def is_running(self) -> bool:
        return not self.exited.done() and self._process.returncode is None

    @property
    def code(self) -> int | None:
        return None if self.closed_output else self._process.returncode

    async def end(self) -> None:
        if self.is_running:
            self._input.close()
            for number in (signal.SIGTERM, signal.SIGKILL):
                await asyncio.wait([self.exited], timeout=LEAVE_S)
                if self.exited.done():
                    break
                self._kill_group(number)
        await self.exited

    async def _connect(self) -> None:
        loop, process = asyncio.get_running_loop(), self._process
        threading.Thread(target=self._await_exit, args=(loop,), daemon=True).start()
        self._input, _ = await loop.connect_write_pipe(lambda: self, process.stdin)
        for pipe, name, hear in ((process.stdout, "stdout", self.feed), (process.stderr, "stderr", self.words.feed)):
            reader = Reader(hear, lambda name=name: self._silent(name))
            self._outputs.append((await loop.connect_read_pipe(lambda reader=reader: reader, pipe))[0])

    # What the event loop tells.

    def connection_lost(self, exc: Exception | None) -> None:
        """It reads no longer."""
        self.resume_writing()

    def _silent(self, pipe: str) -> None:
        self._unread.discard(pipe)
        if not self.is_running:
            self._finish_if_read()
        elif pipe == "stdout":
            asyncio.get_running_loop().call_later(LEAVE_S, self._end_if_running)

    def _end_if_running(self) -> None:
        """Whoever can answer nothing any more is no server; what it was asked would wait for ever."""
        if self.is_running:
            self.closed_output = True
            self._kill_group(signal.SIGKILL)

    def _await_exit(self, loop: asyncio.AbstractEventLoop) -> None:
        """On a thread of its own."""
        self._process.wait()
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is left to be told
            loop.call_soon_threadsafe(self._exited)

    def _exited(self) -> None:
        self._kill_group(signal.SIGKILL)
        self._finish_if_read()
        asyncio.get_running_loop().call_later(HOLD_S, self.finish)

    def _finish_if_read(self) -> None:
        if not self._unread:
            self.finish()

    def finish(self) -> None:
        for pipe in (self._input, *self._outputs):
            pipe.close()
        super().finish()

    def _kill_group(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):  # nobody is left of it (macOS: only zombies)
            return


class Reader(asyncio.Protocol):
    """One of its pipes to us."""

    def __init__(self, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        self.data_received = on_data
        self._on_end = on_end

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_end()
