"""Asking before the cluster is changed: what will happen, to whom, and the safe answer first."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from kaos.kube import sanitize

_DIALOG = """
    .dialog { width: 70; max-width: 95%; height: auto; max-height: 90%; background: $surface; padding: 1 2;
        border: round $primary;
        & Static { height: auto; }
        & VerticalScroll { height: auto; max-height: 12; margin: 1 0; }
        & Horizontal { height: 1; margin-top: 1; align-horizontal: right; }
        & Button { margin-left: 2; }
    }
"""


class ConfirmScreen(ModalScreen[bool]):
    """True when confirmed."""

    DEFAULT_CSS = "ConfirmScreen { align: center middle; " + _DIALOG + "}"
    BINDINGS: ClassVar[list[Any]] = [
        Binding("escape,n", "answer(False)", "no", id="confirm.no"),
        Binding("y", "answer(True)", "yes", id="confirm.yes"),
        Binding("left,right", "app.focus_next", "other", show=False, id="confirm.other"),
    ]

    def __init__(self, question: str, names: tuple[str, ...], verb: str) -> None:
        super().__init__()
        self._question, self._names, self._verb = question, names, verb

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", can_focus=False):
            yield Static(Content.styled(sanitize.line(self._question), "bold"))
            if self._names:
                with VerticalScroll():
                    yield Static(Content("\n".join(sanitize.line(name) for name in self._names)))
            with Horizontal():
                yield Button("No  (esc)", id="no", compact=True)
                yield Button(f"{self._verb.capitalize()}  (y)", id="yes", variant="error", compact=True)

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)


class AskScreen(ModalScreen[str | None]):
    """One line of text, with what it is for; None when it is left."""

    DEFAULT_CSS = "AskScreen { align: center middle; " + _DIALOG + "}"
    BINDINGS: ClassVar[list[Any]] = [Binding("escape", "leave", "cancel", id="ask.leave")]

    def __init__(self, question: str, value: str = "", kind: str = "text") -> None:
        super().__init__()
        self._question, self._value, self._kind = question, value, kind

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", can_focus=False):
            yield Static(Content.styled(sanitize.line(self._question), "bold"))
            yield Input(self._value, type=self._kind, compact=True)  # type: ignore[arg-type]

    @on(Input.Submitted)
    def _answered(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_leave(self) -> None:
        self.dismiss(None)
