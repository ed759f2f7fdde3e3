"""A project's own server in the console: its tools and calls without a cluster, what it says, why it does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import RichLog, Static

from kaos.errors import KaosError
from kaos.kube.resources import Resource
from kaos.tui.places import Place
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.screens.invoke import InvokeScreen
from kaos.tui.screens.tools import ToolsScreen, failed
from kaos.tui.widgets.table import Table

if TYPE_CHECKING:
    from kaos.tui.workbench import ProjectSession


class ProjectTools(ToolsScreen):
    """Asked anew each time that the server was started again."""

    BINDINGS: ClassVar[list[Any]] = [Binding("l", "look('logs')", "what it says", id="list.logs")]
    shown = -1  # the start whose tools are here

    def crumbs(self) -> tuple[str, ...]:
        return self.place.name, "tools"

    def argv(self) -> tuple[str, ...]:
        return "mcp", "run", *_session(self).words

    def on_objects(self, changed: set[Resource]) -> None:
        now = _session(self).server.state
        if now.cause:
            self.shown = -1
            self._say(KaosError(f"It does not run: {now.cause}", "A change of a file starts it again."))
        elif now.serves and now.number != self.shown:
            self.shown = now.number
            self.refetch()

    def refetch(self) -> Any:
        return super().refetch() if _session(self).server.state.serves else None

    def _say(self, error: KaosError) -> None:
        state = self.query_one("#state", Static)
        state.update(failed(error))
        state.display, self.query_one(Table).display = True, False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "look" and parameters[0] != "logs":
            return False
        return super().check_action(action, parameters)


class ProjectInvoke(InvokeScreen):
    """Calls of the server as it is now; a tool that has become another gets another form."""

    shown = 0  # the start whose tool this is

    def on_objects(self, changed: set[Resource]) -> None:
        now = _session(self).server.state
        if now.cause and self.shown != -1:
            self.shown = -1
            self._say(f"✖ It does not run: {now.cause}", "$text-error")
        elif now.serves and self.shown != now.number:
            first, self.shown = self.shown == 0, now.number
            if not first:
                self._renew()

    @work(exclusive=True, group="renew", exit_on_error=False)
    async def _renew(self) -> None:
        found = await self.do(self._ask)
        if found is not None and found.get("inputSchema") != self.tool.get("inputSchema") and self.form is not None:
            await self.form.remove()
            self.refetch()
        elif found is not None:
            self.tool = found
            self.query_one("#about", Static).update(self._about())
            self._tell_idle()

    def crumbs(self) -> tuple[str, ...]:
        return self.place.name, "tools", self.place.item

    def server(self) -> tuple[str, ...]:
        return "--url", _session(self).server.url

    def where(self) -> tuple[str, ...]:
        return ()


class ProjectLog(ConsoleScreen):
    """What the server says, from its last lines on."""

    def crumbs(self) -> tuple[str, ...]:
        return self.place.name, "logs"

    def argv(self) -> tuple[str, ...]:
        return "mcp", "run", *_session(self).words

    def body(self) -> ComposeResult:
        yield RichLog(max_lines=2000, markup=False, wrap=True, min_width=1)

    def on_mount(self) -> None:
        self._written = 0
        self.set_interval(0.1, self._flush)

    def _flush(self) -> None:
        session = _session(self)
        new = session.said - self._written
        if new > 0:
            for line in list(session.lines)[-new:]:
                self.query_one(RichLog).write(line)
            self._written += new


def _session(screen: ConsoleScreen) -> ProjectSession:
    return screen.session  # type: ignore[return-value]


SCREENS: dict[str, Any] = {"tools": ProjectTools, "invoke": ProjectInvoke, "logs": ProjectLog}


def screen(place: Place) -> ConsoleScreen:
    """The one that shows a place of the project."""
    return SCREENS[place.view](place)
