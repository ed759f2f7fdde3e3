"""One of several, to be picked."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from kaos.kube import sanitize


class PickScreen(ModalScreen[str | None]):
    """The key of what was picked; None when it is left."""

    DEFAULT_CSS = """
    PickScreen { align: center middle;
        & Vertical { width: 76; max-width: 95%; height: auto; max-height: 80%; background: $surface; padding: 1 2;
            border: round $primary; }
        & Static { height: auto; text-style: bold; margin-bottom: 1; }
        & OptionList { height: auto; max-height: 100%; border: none; background: transparent; padding: 0; }
        & OptionList:focus { border: none; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [Binding("escape", "leave", "cancel", id="pick.leave")]

    def __init__(self, question: str, options: list[tuple[str, str]]) -> None:
        super().__init__()
        self._question, self._options = question, options

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content(sanitize.line(self._question)))
            yield OptionList(*(Option(Content(sanitize.line(label)), id=str(n)) for n, (_, label) in self._numbered()))

    def _numbered(self) -> list[tuple[int, tuple[str, str]]]:
        return list(enumerate(self._options))

    def on_mount(self) -> None:
        self.query_one(OptionList).focus()

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._options[int(event.option_id or 0)][0])

    def action_leave(self) -> None:
        self.dismiss(None)
