"""When no cluster answers: what can be done about it, each with its command."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from kaos.actions import local, samples
from kaos.cluster.connection import CONTEXT_LOCAL
from kaos.kube import sanitize
from kaos.tui.places import HOME, Place
from kaos.tui.screens.base import ConsoleScreen

_OFFERS = (
    ("1", "Start the cluster that KAOS brings along, with a sample in it", "kaos local up"),
    ("2", "Choose another context", "kaos context list"),
    ("r", "Try again", ""),
)


class WelcomeScreen(ConsoleScreen):
    """The first thing that a newcomer sees."""

    DEFAULT_CSS = """
    WelcomeScreen VerticalScroll { padding: 1 3; }
    WelcomeScreen Static { height: auto; margin-bottom: 1; max-width: 100; }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("1", "start_local", "start the local cluster", id="welcome.local"),
        Binding("2", "choose", "choose a context", id="welcome.contexts"),
        Binding("r", "again", "try again", id="welcome.again"),
    ]

    def crumbs(self) -> tuple[str, ...]:
        return ("welcome",)

    def argv(self) -> tuple[str, ...]:
        return ("local", "up")

    def body(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(id="cause")
            yield Static(
                Content.assemble(
                    *(
                        Content.assemble(
                            Content.styled(f"  {key}  ", "bold $text-accent"), Content(does),
                            Content.styled(f"\n     $ {command}\n" if command else "\n", "$text-muted"),
                        )
                        for key, does, command in _OFFERS
                    )
                )
            )  # fmt: skip
            yield Static(id="progress")

    def on_mount(self) -> None:
        failure = self.session.failure
        said = "\n".join(part for part in (failure.cause, failure.cure) if part) if failure else ""
        self.query_one("#cause", Static).update(
            Content.assemble(Content.styled("No cluster to look at.\n", "bold"), Content(sanitize.text(said)))
        )

    def _tell(self, text: str) -> None:
        self.query_one("#progress", Static).update(Content(sanitize.text(text)))

    @work(exclusive=True, exit_on_error=False)
    async def action_start_local(self) -> None:
        self._tell("Starting …")
        tell = self.app.call_from_thread
        started = await self.do(local.up, on_step=lambda step, ms: tell(self._tell, f"{step}  {ms:.0f} ms"))
        if started is None:
            self._tell("")
            return
        await self.console.reconnect(CONTEXT_LOCAL)
        if self.session.failure is None:
            await self.do(samples.deploy, self.session.client(), "agent", self.session.namespace)
            self.console.go(HOME)

    def action_choose(self) -> None:
        self.console.go(Place("contexts"))

    @work(exclusive=True, exit_on_error=False)
    async def action_again(self) -> None:
        self._tell("Looking …")
        await self.console.reconnect()
        if self.session.failure is None:
            self.console.go(HOME)
        elif self.is_current:
            self.on_mount()
            self._tell("Still none.")
