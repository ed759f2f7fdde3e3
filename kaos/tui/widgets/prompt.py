"""The one line in which commands (`:`) and filters (`/`) are typed; hidden until it is needed."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Label


class Prompt(Horizontal):
    """`ask` shows it; the answer comes as a message."""

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; padding: 0 1; background: $boost;
        & Label { width: auto; color: $text-accent; text-style: bold; }
        & Input { height: 1; border: none; padding: 0; background: transparent; width: 1fr; }
        & Input:focus { border: none; }
        &.-wrong Input { color: $text-error; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [Binding("escape", "leave", "cancel", id="prompt.leave")]

    class Changed(Message):
        """What is typed so far."""

        def __init__(self, mode: str, text: str) -> None:
            super().__init__()
            self.mode, self.text = mode, text

    class Answered(Message):
        """Enter."""

        def __init__(self, mode: str, text: str) -> None:
            super().__init__()
            self.mode, self.text = mode, text

    class Left(Message):
        """Escape."""

        def __init__(self, mode: str) -> None:
            super().__init__()
            self.mode = mode

    def __init__(self, suggester: Suggester | None = None) -> None:
        super().__init__()
        self.mode = ""
        self._suggester = suggester

    def compose(self) -> Any:
        yield Label("")
        yield Input(compact=True, select_on_focus=False)

    @property
    def is_open(self) -> bool:
        return bool(self.mode)

    def ask(self, mode: str, text: str = "") -> None:
        self.mode = mode
        self.query_one(Label).update(f"{mode} ")
        field = self.query_one(Input)
        field.suggester = self._suggester if mode == ":" else None
        field.value = text
        field.cursor_position = len(text)
        self.display = True
        self.wrong(False)
        self.screen.set_focus(field)  # at once: the next key is for it

    def close(self) -> None:
        self.mode = ""
        self.display = False

    def wrong(self, is_wrong: bool) -> None:
        """Whether what is typed cannot be understood."""
        self.set_class(is_wrong, "-wrong")

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.mode:
            self.post_message(self.Changed(self.mode, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Answered(self.mode, event.value))

    def action_leave(self) -> None:
        self.post_message(self.Left(self.mode))
