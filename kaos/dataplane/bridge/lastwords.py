"""What a server says on stderr: passed on to ours, so many lines a second, and the last of it kept for errors."""

from __future__ import annotations

import sys
import time

from kaos.kube import sanitize

KEPT = 4096
LINES = 5
LINE_LENGTH = 300
LINES_A_SECOND = 200


class LastWords:
    """Takes any flood: a piece costs no more than its last few kilobytes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tail = b""
        self._rest = b""  # of a line that has not ended
        self._second = 0
        self._passed = 0
        self._held_back = 0

    def keep(self, data: bytes) -> None:
        """Only for errors: somebody else has passed it on."""
        self._tail = (self._tail + data[-KEPT:])[-KEPT:]

    def feed(self, data: bytes) -> None:
        self.keep(data)
        now = int(time.monotonic())
        if now != self._second:
            if self._held_back:
                print(f"[{self._name}] ({self._held_back} lines held back)", file=sys.stderr)
            self._second, self._passed, self._held_back = now, 0, 0
        if self._passed >= LINES_A_SECOND:
            self._held_back += data.count(b"\n")
            self._rest = b""
            return
        *lines, rest = data.split(b"\n")
        for line in lines:
            line, self._rest = self._rest + line, b""
            if self._passed < LINES_A_SECOND:
                self._passed += 1
                print(f"[{self._name}] {_clean(line[:KEPT])}", file=sys.stderr, flush=True)
            else:
                self._held_back += 1
        self._rest = (self._rest + rest)[:KEPT]

    def text(self) -> str:
        """The last lines, in one."""
        lines = [" ".join(_clean(line).split())[:LINE_LENGTH] for line in self._tail.split(b"\n") if line.strip()]
        return " | ".join(lines[-LINES:])


def _clean(line: bytes) -> str:
    return sanitize.line(line.decode(errors="replace").rstrip("\r"))
