"""What `:` completes to: places, kinds and the names of what is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual.suggester import Suggester

from kaos.actions.kinds import KINDS
from kaos.kube.resources import NAMESPACES
from kaos.tui import places

if TYPE_CHECKING:
    from kaos.tui.app import Console

_FIRST = (*places.KINDS, "map", "why", "events", "top", "runtimes", "system", "secrets", "contexts", "namespaces",
          "deploy", "home", "logs", "tools", "chat", "memory", "trace", "theme", "help", "quit")  # fmt: skip


class Suggestions(Suggester):
    """The shortest continuation of what is typed."""

    def __init__(self, console: Console) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._console = console

    async def get_suggestion(self, value: str) -> str | None:
        if not value.strip():
            return None
        return min((one for one in self._all(value) if one.startswith(value) and one != value), key=len, default=None)

    def _all(self, value: str) -> Iterator[str]:
        yield from _FIRST
        session = self._console.session
        for kind in KINDS:
            for _, name in session.objects(kind.resource):
                path = f"{kind.command}/{name}"
                yield path
                for view in ("logs", "why", "tools", "chat", "memory", "trace", "yaml"):
                    yield f"{path}/{view}"
                    yield f"{view} {path}"
                if kind.command == "agent":
                    yield f"chat {name}"
        first = value.partition(" ")[0]
        if " " in value:
            for _, name in session.objects(NAMESPACES):
                yield f"{first} {name}"
            if first == "theme":
                yield from (f"theme {name}" for name in self._console.available_themes)
