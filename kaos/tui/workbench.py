"""`kaos mcp run` in the terminal: the console's tool screens over a project's own server, without a cluster."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from textual.app import SystemCommand
from textual.screen import Screen

from kaos.actions.project.environment import Project
from kaos.actions.project.reloading import Reloading, State
from kaos.errors import NotFound
from kaos.kube import sanitize
from kaos.tui import state
from kaos.tui.app import Console
from kaos.tui.places import HOME, Place
from kaos.tui.screens import workbench
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.session import Session, Target

if TYPE_CHECKING:
    from kaos.actions.conversation import Talk

KEPT_LINES = 2000


class ProjectSession(Session):
    """In place of a cluster: one server, started again whenever a file changes."""

    def __init__(self, project: Project, port: int, words: tuple[str, ...], on_health: Callable[[], None]) -> None:
        super().__init__(Target(), lambda changed: None, on_health)
        self.words = words
        self.project = project
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.said = 0  # all lines that ever were
        self.server = Reloading(project, port, self._turned, self._heard)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def context(self) -> str:
        return self.server.url

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.server.begin()

    async def close(self) -> None:
        if self._loop is not None:
            await asyncio.to_thread(self.server.end)
        await super().close()

    def talk(self, place: Place, timeout_s: float, **asking: Any) -> Talk:
        from kaos.actions.direct import DirectTalk

        return DirectTalk(self.server.url, timeout_s, **asking)

    def state(self) -> tuple[str, str]:
        now = self.server.state
        if now.cause:
            return "bad", "✖ broken"
        return ("ok", "● serves") if now.serves else ("muted", "○ starting")

    def _turned(self, now: State) -> None:
        with contextlib.suppress(RuntimeError):  # the console is closed already
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._on_health)

    def _heard(self, line: str) -> None:
        self.lines.append(sanitize.line(line))
        self.said += 1


class Workbench(Console):
    """The console with one server in it, whose tools are home."""

    def __init__(self, project: Project, port: int, words: tuple[str, ...], kept: state.State | None = None) -> None:
        super().__init__(Target(), HOME, kept)
        self.project = project
        self.session = ProjectSession(project, port, words, self._on_health)

    def get_default_screen(self) -> ConsoleScreen:  # type: ignore[override]
        return workbench.screen(Place("tools", "mcp", "", self.project.name))

    async def _open(self) -> None:
        await self.session.open()

    def _screen(self, place: Place) -> Screen[Any]:
        return workbench.screen(place)

    def go(self, place: Place, pattern: str = "", fresh: bool = False) -> None:
        if place.view in workbench.SCREENS:
            self.push_screen(self._screen(place))

    def command(self, text: str) -> Callable[[], Any]:
        """What needs no cluster."""
        words = text.split()
        if words and words[0] not in ("q", "q!", "quit", "exit", "help", "?", "theme"):
            raise NotFound(f"There is no {words[0]} here, for there is no cluster.", "There is: help, theme NAME, quit")
        return super().command(text)

    def history(self, by: int) -> None:
        """There is one way here: forth and back."""

    def last(self) -> None:
        """As `history`."""

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        yield from super(Console, self).get_system_commands(screen)


def run(project: Project, port: int, words: tuple[str, ...]) -> int:
    """Open it; its exit code. Raises UsageError for a port that is taken, else what it failed with."""
    bench = Workbench(project, port, words)
    bench.run()
    if bench._exception is not None:
        raise bench._exception
    return bench.return_code or 0
