"""Reading container logs: the CRI files of the shim, as `kubectl logs` asks for them."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from kaos.kube import times

POLL_S = 0.05  # of a followed file; a local file announces nothing portable
_CHUNK = 256 * 1024


class LogQuery:
    """The options of a log request. Raises ValueError for rubbish."""

    def __init__(self, query: dict[str, str]) -> None:
        self.follow = query.get("follow") in ("true", "1")
        self.previous = query.get("previous") in ("true", "1")
        self.timestamps = query.get("timestamps") in ("true", "1")
        self.tail = _count(query, "tailLines")
        self.limit_bytes = _count(query, "limitBytes")
        self.since: datetime | None = None
        if seconds := _count(query, "sinceSeconds"):
            self.since = datetime.now(UTC) - timedelta(seconds=seconds)
        elif query.get("sinceTime"):
            self.since = times.parse(query["sinceTime"])


def _count(query: dict[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise ValueError(f"{name}: {text!r} is no number")
    return int(text)


def shown(raw: bytes, query: LogQuery) -> bytes | None:
    """One stored line as the reader wants it; None when it is too old."""
    stamp, _, rest = raw.partition(b" ")
    _, _, rest = rest.partition(b" ")
    tag, _, text = rest.partition(b" ")
    if query.since is not None and _time(stamp) < query.since:
        return None
    end = b"\n" if tag != b"P" else b""
    return (stamp + b" " if query.timestamps else b"") + text + end


def _time(stamp: bytes) -> datetime:
    return datetime.fromisoformat(stamp[:26].decode() + "+00:00")


def start_anew(path: Path) -> None:
    """The log of a container that starts again begins empty; what it said before is its previous log."""
    if path.exists():
        path.replace(previous(path))
    rotated(path).unlink(missing_ok=True)


def previous(path: Path) -> Path:
    """The log of the container's life before."""
    return path.with_name(f"{path.stem}.previous.log")


def rotated(path: Path) -> Path:
    """The older part of a log that grew too long."""
    return path.with_name(f"{path.name}.1")


def last_text(path: Path, lines: int = 80, limit: int = 2048) -> str:
    """The end of a log, for a termination message."""
    tail = _Tail(path)
    try:
        (kept,) = _present(tail, LogQuery({"tailLines": str(lines)}))
    finally:
        tail.close()
    return _joined(kept, LogQuery({}))[-limit:].decode(errors="replace")


class _Tail:
    """Reads a log from its beginning and on, across rotations, every line once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: deque[BinaryIO] = deque()  # newer parts that are already open
        self._file: BinaryIO | None = None
        self._rest = b""
        self._waiting.extend(file for file in _parts(path) if file is not None)

    def lines(self) -> list[bytes]:
        """The next whole lines; none when there is nothing new now."""
        while True:
            if self._file is None and not self._next_part():
                return []
            if chunk := self._file.read(_CHUNK):
                *whole, self._rest = (self._rest + chunk).split(b"\n")
                if whole:
                    return whole
                continue
            if self._waiting or self._has_moved_on():
                # What was written between the last look and the rotation is read before this part is left.
                if chunk := self._file.read(_CHUNK):
                    *whole, self._rest = (self._rest + chunk).split(b"\n")
                    return whole
                self._file.close()
                self._file = None
                continue
            return []

    def _next_part(self) -> bool:
        if not self._waiting and (current := _open(self._path)) is not None:
            self._waiting.append(current)
        self._file = self._waiting.popleft() if self._waiting else None
        return self._file is not None

    def _has_moved_on(self) -> bool:
        if _is(self._file, self._path) or not self._path.exists():
            return False
        older, current = _parts(self._path)
        if older is not None and os.path.sameopenfile(older.fileno(), self._file.fileno()):
            older.close()  # the part that has just been read
        elif older is not None:
            self._waiting.append(older)  # it was rotated more than once since the last look
        if current is not None:
            self._waiting.append(current)
        return True

    def close(self) -> None:
        for file in [*self._waiting, *([self._file] if self._file else [])]:
            file.close()


def _parts(path: Path) -> tuple[BinaryIO | None, BinaryIO | None]:
    """The rotated part of a log and the present one, open; between the two nothing is missing."""
    while True:
        older, current = _open(rotated(path)), _open(path)
        settled = _is(older, rotated(path)) if older is not None else not rotated(path).is_file()
        if settled and (current is None or _is(current, path)):
            return older, current
        for file in (older, current):
            if file is not None:
                file.close()


def _open(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except (FileNotFoundError, IsADirectoryError):
        return None


def _is(file: BinaryIO, path: Path) -> bool:
    """Whether the open file is what the path names now."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


async def stream(path: Path, query: LogQuery, ended: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The log in chunks; with follow until `ended()` says that no more comes."""
    tail = _Tail(path)
    left = query.limit_bytes
    try:
        for lines in _present(tail, query):
            out = _joined(lines, query)
            if left is not None:
                out, left = out[:left], left - len(out)
            if out:
                yield out
            if left is not None and left <= 0:
                return
            await asyncio.sleep(0)
        while query.follow:
            over = ended()
            lines = tail.lines()
            out = _joined(lines, query)
            if left is not None:
                out, left = out[:left], left - len(out)
            if out:
                yield out
            if (left is not None and left <= 0) or (over and not lines):
                return
            if not lines:
                await asyncio.sleep(POLL_S)
    finally:
        tail.close()


def _present(tail: _Tail, query: LogQuery) -> Iterator[Iterable[bytes]]:
    """What is there already, in parts; only the end of it where a number of lines is asked for."""
    parts = iter(tail.lines, [])
    if query.tail is None:
        yield from parts
    else:
        yield deque((line for part in parts for line in part), maxlen=query.tail)


def _joined(lines: Iterable[bytes], query: LogQuery) -> bytes:
    return b"".join(line for raw in lines if (line := shown(raw, query)) is not None)
