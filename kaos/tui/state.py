"""What the console remembers between runs: theme, sorting, namespaces. Losing it costs nothing: failures are quiet."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

RECENT = 9


def directory() -> Path:
    """Where the console keeps what it remembers (XDG_STATE_HOME, else ~/.local/state)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "kaos"


def read(path: Path) -> dict[str, Any]:
    """The JSON object in a file; an empty one where there is none."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(path: Path, data: dict[str, Any]) -> None:
    """For this person's eyes only; as a whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = path.with_suffix(f".{os.getpid()}")
        new.touch(mode=0o600)
        new.write_text(json.dumps(data, indent=1))
        new.replace(path)
    except OSError:
        pass  # a full or read-only disk must not keep anybody from working


class State:
    """A small JSON file, written at once when something changes. Two consoles: the last one wins."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or directory() / "console.json"
        self._data = read(self._path)

    def get(self, key: str, kind: type, default: Any) -> Any:
        """What was remembered, if it is of that kind."""
        found = self._data.get(key)
        return found if isinstance(found, kind) else default

    def set(self, key: str, value: Any) -> None:
        if self._data.get(key) == value:
            return
        self._data[key] = value
        write(self._path, self._data)

    def visit(self, context: str, namespace: str | None) -> None:
        """A namespace was looked at: it comes first among those of the digits."""
        self.set(f"namespace/{context}", namespace or "")
        if namespace:
            recent = [namespace, *(one for one in self.recent(context) if one != namespace)]
            self.set(f"recent/{context}", sorted(recent[:RECENT]) if len(recent) <= RECENT else recent[:RECENT])

    def recent(self, context: str) -> list[str]:
        return [str(one) for one in self.get(f"recent/{context}", list, [])]
