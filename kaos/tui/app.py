"""The console itself: opens the session, knows where one is and was, and takes what is typed after `:`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import signal
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from kaos.errors import NotFound
from kaos.kube import sanitize
from kaos.kube.names import nearest
from kaos.kube.resources import NAMESPACES, Resource
from kaos.tui import places, themes
from kaos.tui.operator import EmbeddedOperator
from kaos.tui.places import HOME, Place
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.screens.home import HomeScreen
from kaos.tui.session import Session, Target
from kaos.tui.state import State
from kaos.tui.suggestions import Suggestions
from kaos.tui.widgets import filters

_KEPT = ("chat",)  # views that go on while one looks elsewhere


class Console(App[None]):
    """Screens over one session. Every change of place goes through `go`."""

    TITLE = "kaos"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[Any]] = [
        Binding("ctrl+p", "command_palette", "palette", id="app.palette", show=False),
        Binding("ctrl+q", "quit", "quit", id="app.quit", show=False),
        Binding("ctrl+c", "interrupt", "quit", id="app.interrupt", show=False),
    ]

    def __init__(self, target: Target, place: Place = HOME, state: State | None = None) -> None:
        super().__init__()
        self.target = target
        self.state = state or State()
        self.first = place
        self.session = Session(target, self._on_change, self._on_health)
        self.suggester = Suggestions(self)
        self.operator = EmbeddedOperator(self)
        self._visited: list[Place] = [HOME]
        self._at = 0
        self._asked_to_quit = False

    # Life.

    def get_default_screen(self) -> HomeScreen:
        return HomeScreen(HOME)

    def get_css_variables(self) -> dict[str, str]:
        return themes.readable(super().get_css_variables())

    def on_mount(self) -> None:
        for theme in themes.THEMES:
            self.register_theme(theme)
        wanted = self.state.get("theme", str, themes.DEFAULT)
        self.theme = wanted if wanted in self.available_themes else themes.DEFAULT
        self.theme_changed_signal.subscribe(self, lambda theme: self.state.set("theme", theme.name))
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGHUP):
            with contextlib.suppress(ValueError, NotImplementedError):  # not the main thread; Windows
                loop.add_signal_handler(signum, self.exit, None, 128 + signum)
        # The first frame comes before anything that takes time to load.
        self.call_after_refresh(self._connect)

    def _connect(self) -> None:
        self.run_worker(self._open(), group="session", exclusive=True, exit_on_error=False)

    async def _open(self) -> None:
        await self.session.open()
        session = self.session
        if session.failure:
            from kaos.tui.screens.welcome import WelcomeScreen

            if not isinstance(self.screen, WelcomeScreen):
                await self.push_screen(WelcomeScreen(HOME))
            return
        if self.target.namespace is None and not self.target.all_namespaces and not session.connection.namespace_given:
            remembered = self.state.get(f"namespace/{session.context}", str, None)
            if remembered is not None:
                await session.look_at(remembered or None)
        self._tell_screens()
        if self.first != HOME:
            first, self.first = self.first, HOME
            self.go(first)

    async def reconnect(self, context: str | None = None) -> None:
        """Open again, perhaps another context; what is shown stays where it is."""
        before = self.session
        if context:
            self.target = replace(self.target, context=context, kubeconfig=None, namespace=None, all_namespaces=False)
        await self.operator.stop()
        self.session = Session(self.target, self._on_change, self._on_health)
        await before.close()
        await self._open()

    async def look_at(self, namespace: str | None) -> None:
        """Another namespace, or all of them, for every screen."""
        self.state.visit(self.session.context, namespace)
        await self.session.look_at(namespace)
        for screen in self.screen_stack:
            if isinstance(screen, ConsoleScreen) and screen.place.view != "detail" and not screen.place.name:
                screen.place = replace(screen.place, namespace=None)
        self._tell_screens()

    async def on_unmount(self) -> None:
        await self.operator.stop()
        await self.session.close()

    def action_interrupt(self) -> None:
        """Ctrl+c: copies what is selected; else asks, and the second one quits."""
        selected = self.screen.get_selected_text()
        if selected:
            self.copy_to_clipboard(selected)
            return
        if self._asked_to_quit:
            self.exit()
            return
        self._asked_to_quit = True
        self.notify("Once more quits (so does ctrl+q).", timeout=2)
        self.set_timer(2, lambda: setattr(self, "_asked_to_quit", False))

    def _handle_exception(self, error: Exception) -> None:
        """End, and leave the telling to the command: Textual would print every variable, secrets among them."""
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._close_messages_no_wait()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Work that failed by a fault of ours ends the work, not the console; and it is said."""
        if event.state is WorkerState.ERROR:
            said = sanitize.text(f"kaos itself failed: {type(event.worker.error).__name__}: {event.worker.error}")
            self.notify(said, severity="error", markup=False, timeout=8)

    # What the session tells.

    def _on_change(self, changed: set[Resource]) -> None:
        screen = self.screen if self._screen_stack else None
        if not isinstance(screen, ConsoleScreen) or not screen.is_mounted or self._exception is not None:
            return
        if not self.is_running:  # its screens are being taken down
            return
        try:
            screen.on_objects(changed)
        except Exception as error:  # the loop, which calls this, would only print it over the screen
            self._handle_exception(error)

    def _on_health(self) -> None:
        self._tell_screens()

    def _tell_screens(self) -> None:
        screen = self.screen if self._screen_stack else None
        if isinstance(screen, ConsoleScreen) and screen.is_mounted:
            screen.refresh_chrome()
            screen.on_objects(set())

    # Where one is.

    @property
    def here(self) -> Place:
        return self.screen.place if isinstance(self.screen, ConsoleScreen) else HOME

    def go(self, place: Place, pattern: str = "", fresh: bool = False) -> None:
        """Go to a place; `fresh` forgets the way back, except home."""
        if place.name and not place.namespace:
            place = place.within(self.session.namespace)
        self._visited = [*self._visited[: self._at + 1], place]
        self._at = len(self._visited) - 1
        self._show(place, fresh, pattern)

    def _show(self, place: Place, fresh: bool, pattern: str = "") -> None:
        if fresh or place == HOME:
            while len(self.screen_stack) > 1:
                self.pop_screen()
        if place == HOME:
            return
        screen = self._screen(place)
        if pattern and isinstance(screen, ConsoleScreen):
            screen.filter = filters.parse(pattern)
        if screen not in self.screen_stack:
            self.push_screen(screen)
            return
        while self.screen is not screen:
            self.pop_screen()

    def _screen(self, place: Place) -> Screen[Any]:
        kept = f"{place.view}:{replace(place, item='').path}"
        if place.view in _KEPT and self.is_screen_installed(kept):
            screen = self.get_screen(kept)
            screen.visit(place)  # type: ignore[attr-defined]
            return screen
        module, _, name = places.SCREENS[place.view].partition(":")
        screen = getattr(importlib.import_module(module), name)(place)
        if place.view in _KEPT:
            self.install_screen(screen, kept)
        return screen

    def back(self) -> None:
        """The screen before; at home nothing."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
            here = self.here
            if here in self._visited:
                self._at = len(self._visited) - 1 - self._visited[::-1].index(here)

    def history(self, by: int) -> None:
        """The place visited before or after this one."""
        at = self._at + by
        if 0 <= at < len(self._visited):
            self._at = at
            self._show(self._visited[at], fresh=True)

    def last(self) -> None:
        """The place before this one, and again: back here."""
        if len(self._visited) > 1:
            self.go(self._visited[self._at - 1], fresh=True)

    # What is typed after `:`.

    def command(self, text: str) -> Callable[[], Any]:
        """What to do for it. Raises UsageError or NotFound."""
        words = text.split()
        if not words:
            return lambda: None
        first = places.ALIASES.get(words[0], words[0])
        if words[0] in ("q", "q!", "quit", "exit"):
            return self.exit
        if words[0] in ("help", "?"):
            return self.screen.action_help  # type: ignore[attr-defined]
        if first == "namespaces" and len(words) == 2:
            return self._to_namespace(words[1])
        if first == "contexts" and len(words) == 2:
            return lambda: self.run_worker(self.reconnect(words[1]), exit_on_error=False)
        if words[0] == "theme" and len(words) == 2:
            return self._to_theme(words[1])
        place, pattern = places.typed(text)
        filters.parse(pattern)
        return lambda: self.go(place, pattern, fresh=True)

    def _to_namespace(self, name: str) -> Callable[[], Any]:
        known = [key[1] for key in self.session.objects(NAMESPACES)]
        wanted = None if name in ("all", "0", "*") else name
        if wanted and known and wanted not in known:
            like = nearest(wanted, known)
            raise NotFound(f"There is no namespace {wanted}.", f"Did you mean: {like}" if like else "See: :ns")
        return lambda: self.run_worker(self.look_at(wanted), exit_on_error=False)

    def _to_theme(self, name: str) -> Callable[[], Any]:
        if name not in self.available_themes:
            raise NotFound(f"There is no theme {name}.", f"There is: {', '.join(sorted(self.available_themes))}")
        return lambda: setattr(self, "theme", name)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """For the palette: every view, then Textual's own."""
        from kaos.tui.palette import entries

        yield from entries(self, screen)
        yield from super().get_system_commands(screen)


def run(target: Target, path: str = "") -> int:
    """Open the console; its exit code. Raises UsageError for a path that names nothing, else what it failed with."""
    console = Console(target, places.parse(path) if path else HOME)
    # A full collection would look at all that was loaded each time, and hold up the keys for 0.1 s.
    gc.freeze()
    gc.set_threshold(2_000, 20, 100)
    console.run()
    if console._exception is not None:
        raise console._exception
    return console.return_code or 0
