"""A process of the server that runs in another container, behind the Unix socket of `stdio-exec` there."""

from __future__ import annotations

import asyncio
import re

from kaos.dataplane.bridge.child import LEAVE_S, Child, ServerEnded

# What stdio-exec says last of a process: this, then the last that the process said on stderr.
_HOW = re.compile(rb"\0(exit|signal|silent) (\d{1,3})")
LAST_WORDS_LIMIT = 8192
# The other container may have to be started first, or again.
PATIENCE_S, TRY_AGAIN_S = 60.0, 0.05


class Connected(Child, asyncio.Protocol):
    """Starts with `start`: each connection is a process of its own."""

    def __init__(self) -> None:
        super().__init__("")
        self._has_ended = False
        self._code: int | None = None
        self._told = 0  # bytes of last words

    @classmethod
    async def start(cls, path: str) -> Connected:
        """Raises ServerEnded when nobody listens there."""
        child, loop = cls(), asyncio.get_running_loop()
        until = loop.time() + PATIENCE_S
        while True:
            try:
                await loop.create_unix_connection(lambda: child, path)
                return child
            except OSError:
                if loop.time() > until:
                    raise ServerEnded("the server's container does not run") from None
            await asyncio.sleep(TRY_AGAIN_S)

    @property
    def is_running(self) -> bool:
        return not self.exited.done() and not self._has_ended

    @property
    def code(self) -> int | None:
        return self._code

    async def end(self) -> None:
        if not self.exited.done() and self._input.can_write_eof():
            self._input.write_eof()
            await asyncio.wait([self.exited], timeout=LEAVE_S)
        # Who is still there gets its SIGTERM and SIGKILL from stdio-exec.
        self._input.abort()
        await self.exited

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._input = transport

    def data_received(self, data: bytes) -> None:
        self.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._has_ended:
            self.feed(b"\n")
        self.resume_writing()
        self.finish()

    def take(self, line: bytes) -> None:
        if not self._has_ended:
            if found := _HOW.fullmatch(line):
                self._has_ended, self.closed_output = True, found[1] == b"silent"
                self._code = None if self.closed_output else int(found[2]) * (-1 if found[1] == b"signal" else 1)
            else:
                self.on_line(line)
        elif self._told < LAST_WORDS_LIMIT:
            self._told += len(line)
            self.words.keep(line + b"\n")
