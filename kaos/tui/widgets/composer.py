"""Where one writes a message: grows with it, sends on enter, and knows what was sent before."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.widgets import TextArea

KEPT = 500  # messages
LONGEST = 10_000  # characters of one that is kept


class Sent:
    """What was sent before, in a file that only its owner may read. Losing it costs nothing, so failures are quiet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._texts = self._read()

    def _read(self) -> list[str]:
        try:
            lines = self._path.read_text().splitlines()[-KEPT:]
            found = [json.loads(line) for line in lines]
        except (OSError, ValueError):
            return []
        return [text for text in found if isinstance(text, str)]

    @property
    def texts(self) -> list[str]:
        return self._texts

    def add(self, text: str) -> None:
        if len(text) > LONGEST or (self._texts and self._texts[-1] == text):
            return
        self._texts.append(text)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if len(self._texts) > 2 * KEPT:
                del self._texts[:-KEPT]
                new = self._path.with_suffix(f".{os.getpid()}")
                self._append(new, self._texts)
                new.replace(self._path)
            else:
                self._append(self._path, [text])
        except OSError:
            pass  # a full or read-only disk must not keep anybody from talking

    def _append(self, path: Path, texts: list[str]) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.writelines(f"{json.dumps(text)}\n" for text in texts)


class Composer(TextArea):
    """A message in the making."""

    DEFAULT_CSS = """
    Composer {
        height: auto; min-height: 1; max-height: 8; border: none; padding: 0; background: transparent;
        scrollbar-size-vertical: 1;
        &:focus { border: none; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("enter", "send", "send", id="composer.send"),
        Binding("ctrl+j", "line", "new line", id="composer.line"),
        Binding("shift+enter", "line", "new line", id="composer.line-shift", show=False),
    ]

    class Submitted(Message):
        """Enter."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """A key that is meant for something else: tab, a page up or down, `:` or `?` where nothing is written."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, sent: Sent, *, placeholder: str = "", id: str | None = None) -> None:
        super().__init__(placeholder=placeholder, compact=True, highlight_cursor_line=False, id=id)
        self._sent = sent
        self._back = 0  # how far back in what was sent
        self._unsent = ""

    def write(self, text: str) -> None:
        """Put this in place of what is there."""
        self.load_text(text)
        self.move_cursor(self.document.end)

    def action_send(self) -> None:
        text = self.text.strip()
        if text:
            self.post_message(self.Submitted(text))

    def taken(self, text: str) -> None:
        """The message is on its way."""
        self._sent.add(text)
        self._back, self._unsent = 0, ""
        self.write("")

    async def _on_key(self, event: events.Key) -> None:
        """In the order of typing: priority bindings would overtake letters that still wait here."""
        if self._takes(event.key):
            event.stop()
            event.prevent_default()

    def _takes(self, key: str) -> bool:
        match key:
            case "enter":
                self.action_send()
            case "ctrl+j" | "shift+enter":
                self.action_line()
            case "up" if self.cursor_at_first_line and self._back < len(self._sent.texts):
                self.action_older()
            case "down" if self.cursor_at_last_line and self._back:
                self.action_newer()
            case "pageup" | "pagedown":  # what is above is longer than what is written here
                self.post_message(self.Left(key))
            case "tab" | "colon" | "question_mark" if key == "tab" or not self.text:
                self.post_message(self.Left(key))
            case _:
                return False
        return True

    def action_line(self) -> None:
        self.insert("\n")

    def action_older(self) -> None:
        if self._back == 0:
            self._unsent = self.text
        self._back += 1
        self.write(self._sent.texts[-self._back])

    def action_newer(self) -> None:
        self._back -= 1
        self.write(self._sent.texts[-self._back] if self._back else self._unsent)
