"""`kaos tui` in a real pseudo-terminal: what it writes, what it leaves behind, what it costs."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence

_ESCAPES = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-_])")
LEFT = b"\x1b[?1049l"  # the alternate screen
CURSOR = b"\x1b[?25h"


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command: Sequence[str], env: dict[str, str], width: int = 120, height: int = 36) -> None:
        self._fd, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            command,
            stdin=child,
            stdout=child,
            stderr=child,
            env=env | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
            start_new_session=True,
        )
        self._before = termios.tcgetattr(child)
        self._child = child
        self.output = b""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        os.close(self._fd)
        os.close(self._child)

    @property
    def text(self) -> str:
        """All that was written so far, without escapes."""
        return _ESCAPES.sub(b"", self.output).decode(errors="replace")

    def read(self, seconds: float) -> bytes:
        """What comes within that time; returns as soon as anything has."""
        if select.select([self._fd], [], [], seconds)[0]:
            new = os.read(self._fd, 65536)
            self.output += new
            return new
        return b""

    def until(self, text: str, timeout_s: float = 30, since: int = 0) -> float:
        """Seconds from the start until it is written (in what follows the first `since` bytes)."""
        end = time.monotonic() + timeout_s
        while text.encode() not in _ESCAPES.sub(b"", self.output[since:]):
            if time.monotonic() > end or (self.process.poll() is not None and not self.read(0.1)):
                raise AssertionError(f"{text!r} was not written; this was:\n{self.text[-2000:]}")
            self.read(0.05)
        return time.monotonic() - self.started

    def send(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def ended(self, timeout_s: float = 20) -> int:
        """The exit code, once it has ended; all output is read."""
        end = time.monotonic() + timeout_s
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.05)
        while self.read(0.1):
            pass
        return self.process.wait(1)

    @property
    def is_clean(self) -> bool:
        """The screen is the one from before, the cursor shows, and lines are edited as before."""
        left = LEFT in self.output and self.output.rindex(LEFT) > self.output.rindex(b"\x1b[?1049h")
        shown = self.output.rindex(CURSOR) > self.output.rindex(b"\x1b[?25l")
        return left and shown and termios.tcgetattr(self._child)[3] == self._before[3]
