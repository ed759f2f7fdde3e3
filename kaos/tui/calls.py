"""Calls made from the console, kept on disk for this person alone: what was called, with what, and how it went.

Arguments are kept only where they hold no secret; results are never kept.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kaos.kube import times
from kaos.tui.state import directory, read, write

KEPT = 20  # of each tool
TOOLS = 200  # those called last
MAX_ARGUMENTS = 20_000  # characters; larger ones are called, but not kept


@dataclass(frozen=True)
class Call:
    """One call. Without arguments: they held a secret."""

    arguments: dict[str, Any] | None
    outcome: str  # ok, error, cancelled
    seconds: float
    at: str


class Calls:
    """The history of one tool of one server, the newest first. Losing it costs nothing: failures are quiet."""

    def __init__(self, context: str, namespace: str, server: str, tool: str, path: Path | None = None) -> None:
        self._key = json.dumps([context, namespace, server, tool], ensure_ascii=False)
        self._path = path or directory() / "calls.json"

    def all(self) -> list[Call]:
        found = read(self._path).get(self._key)
        return [call for call in map(_call, found if isinstance(found, list) else ()) if call is not None]

    def add(self, arguments: dict[str, Any] | None, outcome: str, seconds: float) -> Call:
        if arguments is not None and len(json.dumps(arguments)) > MAX_ARGUMENTS:
            arguments = None
        call = Call(arguments, outcome, round(seconds, 3), times.now())
        kept = read(self._path)
        kept.pop(self._key, None)  # to stand last
        mine = [asdict(call), *(asdict(one) for one in self.all())][:KEPT]
        write(self._path, dict([*kept.items(), (self._key, mine)][-TOOLS:]))
        return call


def _call(found: Any) -> Call | None:
    """As it was written; None for what somebody else wrote there."""
    try:
        call = Call(**found)
    except TypeError:
        return None
    return call if isinstance(call.arguments, dict | None) else None
