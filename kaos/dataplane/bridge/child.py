"""One process of the server, wherever it runs: lines in, lines out, and nothing of it left when it ends."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

from kaos.dataplane.bridge.lastwords import LastWords

LINE_LIMIT = 16 * 1024 * 1024
EDGE = 256  # of a line that is too long this much is kept of its beginning and its end
# To leave by itself once its input has ended, then after SIGTERM.
LEAVE_S = 2.0


class ServerEnded(Exception):
    """The server is not there; the text says why."""


class Child:
    """Whoever owns it sets `on_line` and the other callbacks. What starts it is a matter of its kind."""

    def __init__(self, name: str) -> None:
        self.words = LastWords(name)
        self.on_line: Callable[[bytes], None] = lambda line: None
        self.on_long_line: Callable[[bytes], None] = lambda edges: None
        self.on_exit: Callable[[], None] = lambda: None
        self.exited = asyncio.get_running_loop().create_future()
        self.closed_output = False  # it was ended for that
        self._input: Any = None  # a transport
        self._pieces: list[bytes] = []
        self._size = 0
        self._too_long = False
        self._may_write = asyncio.Event()
        self._may_write.set()

    @property
    def is_running(self) -> bool:
        raise NotImplementedError

    @property
    def code(self) -> int | None:
        """Of its end; below 0 the signal that ended it. None: that is not known."""
        raise NotImplementedError

    @property
    def why(self) -> str:
        """How it ended, in one line."""
        if self.closed_output:
            how = "closed its output"
        elif self.code is None:
            how = "went away with its container"
        elif self.code < 0:
            how = f"was killed by {signal.Signals(-self.code).name}"
        else:
            how = f"ended with exit code {self.code}"
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
        self._input.write(data)

    async def end(self) -> None:
        """End the process and all that it started: its input first, then SIGTERM, then SIGKILL."""
        raise NotImplementedError

    # What the event loop tells.

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def feed(self, data: bytes) -> None:
        """A piece of its output."""
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

    def take(self, line: bytes) -> None:
        """A whole line of its output."""
        self.on_line(line)

    def _finish_line(self) -> None:
        if self._too_long or self._size > LINE_LIMIT:
            self._keep_edges()
            found, call = b"".join(self._pieces), self.on_long_line
        else:
            found, call = b"".join(self._pieces) if len(self._pieces) > 1 else self._pieces[0], self.take
        self._pieces, self._size, self._too_long = [], 0, False
        call(found)

    def _keep_edges(self) -> None:
        self._too_long = True
        head, *rest = self._pieces
        self._pieces = [head[:EDGE], b"".join(piece[-EDGE:] for piece in rest)[-EDGE:]]

    def finish(self) -> None:
        """Nothing more comes of it."""
        if not self.exited.done():
            self.exited.set_result(None)
            self.on_exit()
