"""Arguments of a tool kept under a name, to be called with again. What holds a secret is never kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kaos.tui.state import directory, read, write

Object = dict[str, Any]


class Presets:
    """Those of one tool of one server."""

    def __init__(self, context: str, namespace: str, server: str, tool: str, path: Path | None = None) -> None:
        self._key = json.dumps([context, namespace, server, tool], ensure_ascii=False)
        self._path = path or directory() / "presets.json"

    def all(self) -> dict[str, Object]:
        """Name -> arguments, by name."""
        found = read(self._path).get(self._key)
        kept = found.items() if isinstance(found, dict) else ()
        return {name: arguments for name, arguments in sorted(kept) if isinstance(arguments, dict)}

    def keep(self, name: str, arguments: Object) -> None:
        write(self._path, read(self._path) | {self._key: self.all() | {name: arguments}})

    def forget(self, name: str) -> None:
        left = {other: arguments for other, arguments in self.all().items() if other != name}
        write(self._path, read(self._path) | {self._key: left})
