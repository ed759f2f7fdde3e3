"""Server-sent events as they pass: cut into whole events that keep their bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator

_END = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")
_BREAK = re.compile(rb"\r\n|\r|\n")


class TooLong(Exception):
    """An event has no end."""


class Events:
    """Fed in pieces; gives each event, with the blank line that ends it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._sought = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Raises TooLong."""
        self._rest += piece
        while found := _END.search(self._rest, self._sought):
            event = bytes(self._rest[: found.end()])
            del self._rest[: found.end()]
            self._sought = 0
            yield event
        self._sought = max(0, len(self._rest) - 3)
        if len(self._rest) > self._limit:
            raise TooLong


def data_of(event: bytes) -> bytes:
    """The message that an event carries; empty for a comment."""
    lines = (line.partition(b":") for line in _BREAK.split(event))
    return b"\n".join(value.removeprefix(b" ") for name, _, value in lines if name == b"data")


def with_data(event: bytes, data: str) -> bytes:
    """The event with another message, which has no line breaks."""
    kept = [line for line in _BREAK.split(event) if line and line.partition(b":")[0] != b"data"]
    return b"\n".join([*kept, b"data: " + data.encode(), b"", b""])
