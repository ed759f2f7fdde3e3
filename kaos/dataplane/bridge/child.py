"""One process of the server: lines in, lines out, and nothing of it left when it ends."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence

from kaos.dataplane.bridge.lastwords import LastWords

LINE_LIMIT = 16 * 1024 * 1024
EDGE = 256  # of a line that is too long this much is kept of its beginning and its end
# To leave by itself once its input has ended, then after SIGTERM.
LEAVE_S = 2.0
HOLD_S = 0.5  # for pipes that descendants keep open after its end


class ServerEnded(Exception):
    """The server is not there; the text says why."""


class Child(asyncio.SubprocessProtocol):
    """Starts with `start`; whoever owns it sets `on_line` and the other callbacks."""

    def __init__(self, name: str) -> None:
        self.words = LastWords(name)
        self.on_line: Callable[[bytes], None] = lambda line: None
        self.on_long_line: Callable[[bytes], None] = lambda edges: None
        self.on_exit: Callable[[], None] = lambda: None
        self.exited = asyncio.get_running_loop().create_future()
        self._transport: asyncio.SubprocessTransport | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._too_long = False
        self._may_write = asyncio.Event()
        self._may_write.set()

    @classmethod
    async def start(cls, command: Sequence[str], env: dict[str, str]) -> Child:
        """Raises ServerEnded when there is no such program."""
        child = cls(os.path.basename(command[0]))
        try:
            await asyncio.get_running_loop().subprocess_exec(lambda: child, *command, env=env, start_new_session=True)
        except OSError as error:
            raise ServerEnded(f"cannot start {command[0]}: {error.strerror or error}") from None
        return child

    @property
    def pid(self) -> int:
        return self._transport.get_pid()

    @property
    def is_running(self) -> bool:
        return not self.exited.done() and self._transport.get_returncode() is None

    @property
    def why(self) -> str:
        """How it ended, in one line."""
        code = self._transport.get_returncode()
        if code is None:
            how = "closed its output"
        elif code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
        else:
            how = f"ended with exit code {code}"
        said = self.words.text()
        return f"the server {how}" + (f"; its last words: {said}" if said else "")

    async def write(self, data: bytes) -> None:
        """One line. Waits while the server does not read. Raises ServerEnded."""
        self.write_soon(data)
        if not self._may_write.is_set():
            waiting = asyncio.ensure_future(self._may_write.wait())
            await asyncio.wait([waiting, self.exited], return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()

    def write_soon(self, data: bytes) -> None:
        """Something small, which need not wait. Raises ServerEnded."""
        if not self.is_running:
            raise ServerEnded(self.why)
        self._transport.get_pipe_transport(0).write(data)

    async def end(self) -> None:
        """End the process and all that it started: its input first, then SIGTERM, then SIGKILL."""
        if self.is_running:
            self._transport.get_pipe_transport(0).close()
            for number in (signal.SIGTERM, signal.SIGKILL):
                await asyncio.wait([self.exited], timeout=LEAVE_S)
                if self.exited.done():
                    break
                self._kill_group(number)
        await self.exited

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self.words.feed(data)
            return
        *lines, rest = data.split(b"\n")
        for one in lines:
            self._pieces.append(one)
            self._size += len(one)
            self._finish_line()
        if rest:
            self._pieces.append(rest)
            self._size += len(rest)
            if self._size > LINE_LIMIT:
                self._keep_edges()

    def _finish_line(self) -> None:
        if self._too_long or self._size > LINE_LIMIT:
            self._keep_edges()
            found, call = b"".join(self._pieces), self.on_long_line
        else:
            found, call = b"".join(self._pieces) if len(self._pieces) > 1 else self._pieces[0], self.on_line
        self._pieces, self._size, self._too_long = [], 0, False
        call(found)

    def _keep_edges(self) -> None:
        self._too_long = True
        head, *rest = self._pieces
        self._pieces = [head[:EDGE], b"".join(piece[-EDGE:] for piece in rest)[-EDGE:]]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1 and self.is_running:
            # Whoever can answer nothing any more is no server; what it was asked would wait for ever.
            asyncio.get_running_loop().call_later(LEAVE_S, self._kill_group, signal.SIGKILL)
        if fd == 0:
            self.resume_writing()

    def process_exited(self) -> None:
        self._kill_group(signal.SIGKILL)
        asyncio.get_running_loop().call_later(HOLD_S, self._finish)

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def _finish(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)
            self._transport.close()
            self.on_exit()

    def _kill_group(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._transport.get_pid(), number)
        except (ProcessLookupError, PermissionError):  # nobody is left of it (macOS: only zombies)
            return
