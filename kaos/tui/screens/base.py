"""What every screen is: the three chrome lines, the prompt, the keys that work everywhere, and work on threads."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.screen import Screen
from textual.worker import Worker

from kaos.errors import KaosError
from kaos.kube import sanitize
from kaos.kube.resources import Resource
from kaos.tui.places import Place
from kaos.tui.widgets import filters
from kaos.tui.widgets.chrome import CommandLine, HintLine, TopLine
from kaos.tui.widgets.filters import Filter
from kaos.tui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from kaos.tui.app import Console
    from kaos.tui.session import Session

T = TypeVar("T")


class Body(Container):
    """What stands between the top line and the command line."""

    DEFAULT_CSS = "Body { height: 1fr; }"


class ConsoleScreen(Screen[None]):
    """A place. Subclasses say what it shows (`body`), where it is (`crumbs`), which command does the same (`argv`)."""

    DEFAULT_CSS = """
    ConsoleScreen { layout: vertical; background: $background; }
    """
    filterable = False  # whether `/` asks for a filter
    BINDINGS: ClassVar[list[Any]] = [
        Binding("slash", "filter", "filter", key_display="/", id="screen.filter"),
        Binding("colon", "command", "command", key_display=":", id="screen.command"),
        Binding("question_mark", "help", "help", key_display="?", id="screen.help"),
        Binding("escape", "leave", "back", id="screen.back", show=False),
        Binding("q", "leave", "back", id="screen.q", show=False),
        Binding("ctrl+y", "copy_command", "copy command", id="screen.copy-command", show=False),
        Binding("r", "retry", "refresh", id="screen.refresh", show=False),
        Binding("left_square_bracket", "history(-1)", "previous place", id="screen.history-back", show=False),
        Binding("right_square_bracket", "history(1)", "next place", id="screen.history-on", show=False),
        Binding("minus", "last", "last place", id="screen.last", show=False),
    ]

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.filter = filters.everything()

    # For subclasses.

    def crumbs(self) -> tuple[str, ...]:
        """Where this is, for the top line."""
        place = self.place
        words = (place.namespace or "", place.kind, place.name)
        return tuple(word for word in words if word) + ((place.view,) if place.view not in ("list", "detail") else ())

    def argv(self) -> tuple[str, ...]:
        """The words after `kaos` of the command that shows the same."""
        raise NotImplementedError

    def body(self) -> ComposeResult:
        raise NotImplementedError

    def on_objects(self, changed: set[Resource]) -> None:
        """Watched objects have changed; also called once when the screen is shown."""

    def on_filter(self, found: Filter) -> None:
        """Another filter holds (`filterable` screens)."""

    def refetch(self) -> None:
        """`r`: what does not come by watch is to be asked for again."""

    def visit(self, place: Place) -> None:
        """One comes here again, perhaps for another item (screens that are kept)."""
        self.place = place

    # What is given.

    @property
    def console(self) -> Console:
        return self.app  # type: ignore[return-value]

    @property
    def session(self) -> Session:
        return self.console.session

    async def do(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T | None:
        """Run a blocking action on a thread. A KaosError becomes a notice, and None is returned."""
        try:
            return await asyncio.to_thread(function, *args, **kwargs)
        except KaosError as error:
            self.fail(error)
            return None

    def notice(self, text: str, error: bool = False) -> None:
        """Say something without interrupting."""
        severity = "error" if error else "information"
        self.app.notify(sanitize.text(text), severity=severity, markup=False, timeout=8 if error else 4)

    def fail(self, error: KaosError) -> None:
        """Say what went wrong and what to do."""
        self.notice("\n".join(part for part in (error.cause, error.cure) if part), error=True)

    async def confirm(self, question: str, names: Iterable[str] = (), verb: str = "yes") -> bool:
        """Ask before something is changed; only from a worker. In read-only mode it is refused."""
        from kaos.tui.screens.confirm import ConfirmScreen

        if self.session.read_only:
            self.notice("The console is read-only (--read-only).", error=True)
            return False
        return bool(await self.app.push_screen_wait(ConfirmScreen(question, tuple(names), verb)))

    def refresh_chrome(self) -> None:
        """Crumbs, state or command are others now."""
        if not self.is_mounted:
            return
        self.query_one(TopLine).tell(self.crumbs(), self._facts())
        with contextlib.suppress(NotImplementedError):
            self.query_one(CommandLine).tell(self.argv())

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        self.console.on_worker_state_changed(event)

    # Composition and the life of it.

    def compose(self) -> ComposeResult:
        yield TopLine()
        with Body():
            yield from self.body()
        yield Prompt(self.console.suggester)
        yield CommandLine()
        yield HintLine()

    def on_mount(self) -> None:
        self.refresh_chrome()
        self.on_objects(set())
        # Also the counting seconds of "stale" and ages.
        self.set_interval(1.0, self.refresh_chrome)

    def on_screen_resume(self) -> None:
        self.refresh_chrome()
        self.on_objects(set())

    def _facts(self) -> Iterator[tuple[str, str]]:
        session = self.session
        yield f"ctx {session.context}", "muted"
        if session.connected:
            yield f"ns {session.namespace or 'all'}", "muted"
        if session.read_only:
            yield "RO", "warn"
        tone, words = session.state()
        yield words, tone

    # Keys that work everywhere.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "filter" and not self.filterable:
            return False
        return super().check_action(action, parameters)

    def action_filter(self) -> None:
        self.query_one(Prompt).ask("/", self.filter.text)

    def action_command(self) -> None:
        self.query_one(Prompt).ask(":")

    def action_help(self) -> None:
        from kaos.tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self))

    def action_copy_command(self) -> None:
        self.copy(self.query_one(CommandLine).command)

    def copy(self, text: str) -> None:
        self.app.copy_to_clipboard(text)
        self.notice(f"Copied: {text if len(text) < 80 else f'{len(text)} characters'}")

    def action_retry(self) -> None:
        self.session.retry()
        self.refetch()

    def action_history(self, by: int) -> None:
        self.console.history(by)

    def action_last(self) -> None:
        self.console.last()

    def action_leave(self) -> None:
        """Esc: first what is open or chosen on this screen, then back."""
        if self.filter.text:
            self._narrow(filters.everything())
        else:
            self.console.back()

    # The prompt.

    @on(Prompt.Changed)
    def _typing(self, event: Prompt.Changed) -> None:
        prompt = self.query_one(Prompt)
        if event.mode != "/":
            prompt.wrong(False)
            return
        try:
            self._narrow(filters.parse(event.text))
        except KaosError:
            prompt.wrong(True)  # the last filter that made sense holds
        else:
            prompt.wrong(False)

    @on(Prompt.Answered)
    def _typed(self, event: Prompt.Answered) -> None:
        try:
            if event.mode == "/":
                self._narrow(filters.parse(event.text))
            else:
                go = self.console.command(event.text)
        except KaosError as error:
            self.query_one(Prompt).wrong(True)
            self.fail(error)
            return
        self._close_prompt()
        if event.mode == ":":
            go()

    @on(Prompt.Left)
    def _left(self, event: Prompt.Left) -> None:
        if event.mode == "/":
            self._narrow(filters.everything())
        self._close_prompt()

    def _close_prompt(self) -> None:
        self.query_one(Prompt).close()
        for widget in self.query_one(Body).query("*"):
            if widget.can_focus and widget.display and not widget.disabled:
                self.set_focus(widget)
                return
        self.set_focus(None)

    def _narrow(self, found: Filter) -> None:
        if found.text != self.filter.text:
            self.filter = found
            self.on_filter(found)
            self.refresh_chrome()
