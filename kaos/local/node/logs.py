"""Reading container logs: the CRI files of the shim, as `kubectl logs` asks for them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kaos.kube import times

POLL_S = 0.05  # of a followed file; a local file announces nothing portable


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


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            for line in file:
                yield line.rstrip(b"\n")
    except FileNotFoundError:
        return


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
    query = LogQuery({})
    kept = deque(_lines(path), maxlen=lines)
    text = b"".join(line for raw in kept if (line := shown(raw, query)))
    return text[-limit:].decode(errors="replace")


async def stream(paths: list[Path], query: LogQuery, ended: Any) -> AsyncIterator[bytes]:
    """The log in chunks; with follow until `ended()` says that no more comes."""
    budget = query.limit_bytes
    present = (raw for path in paths for raw in _lines(path))
    if query.tail is not None:
        present = iter(deque(present, maxlen=query.tail))
    current = paths[-1]
    file = current.open("rb") if current.exists() else None
    try:
        if file is not None:
            file.seek(0, 2)
        batch: list[bytes] = []
        size = 0
        for raw in present:
            if (line := shown(raw, query)) is None:
                continue
            if budget is not None:
                line = line[:budget]
                budget -= len(line)
            batch.append(line)
            size += len(line)
            if size > 256 * 1024:
                yield b"".join(batch)
                batch, size = [], 0
                await asyncio.sleep(0)
            if budget == 0:
                break
        if batch:
            yield b"".join(batch)
        if not query.follow or budget == 0:
            return
        rest = b""
        while True:
            over = ended()
            if file is None and current.exists():
                file = current.open("rb")
            chunk = file.read(256 * 1024) if file is not None else b""
            if chunk:
                *whole, rest = (rest + chunk).split(b"\n")
                out = b"".join(line for raw in whole if (line := shown(raw, query)) is not None)
                if budget is not None:
                    out = out[:budget]
                    budget -= len(out)
                if out:
                    yield out
                if budget == 0:
                    return
                continue
            if file is not None and current.exists() and current.stat().st_ino != _inode(file):
                file.close()
                file = current.open("rb")
                continue
            if over:
                return
            await asyncio.sleep(POLL_S)
    finally:
        if file is not None:
            file.close()


def _inode(file: Any) -> int:
    import os

    return os.fstat(file.fileno()).st_ino
