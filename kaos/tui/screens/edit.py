"""YAML with a judge: the server says what is wrong, and what would change, and takes it only when asked to."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

from kaos.actions import drafts
from kaos.actions.drafts import Draft
from kaos.actions.kinds import Kind
from kaos.errors import KaosError
from kaos.kube import sanitize
from kaos.tui.places import Place
from kaos.tui.screens.base import ConsoleScreen

Object = dict[str, Any]
_CHECK_AFTER_S = 0.6


class DiffScreen(ModalScreen[bool]):
    """What would change; enter takes it."""

    DEFAULT_CSS = """
    DiffScreen { align: center middle;
        & VerticalScroll { width: 100; max-width: 96%; height: auto; max-height: 90%; background: $surface;
            border: round $primary; padding: 1 2; }
        & Static { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("enter,y", "dismiss(True)", "apply", id="diff.apply"),
        Binding("escape,n", "dismiss(False)", "not yet", id="diff.leave"),
    ]

    def __init__(self, lines: tuple[str, ...], where: str) -> None:
        super().__init__()
        self._lines, self._where = lines, where

    def compose(self) -> ComposeResult:
        tones = {"+": "$text-success", "-": "$text-error", "@": "$text-muted"}
        with VerticalScroll():
            yield Static(Content.styled(f"This will change in {self._where}", "bold"))
            parts = [Content.styled(sanitize.line(line) + "\n", tones.get(line[:1], "")) for line in self._lines]
            yield Static(Content.assemble(Content("\n"), *parts))
            yield Static(Content.styled("enter applies it, esc goes back to the text", "$text-muted"))


class YamlScreen(ConsoleScreen):
    """A text, checked while it is written."""

    DEFAULT_CSS = """
    YamlScreen {
        & #text, & #text:focus { height: 1fr; border: none; padding: 0 1; }
        & #said { height: auto; max-height: 4; padding: 0 1; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("ctrl+s", "save", "check and apply", id="yaml.save", priority=True),
        Binding("ctrl+o", "outside", "in $EDITOR", id="yaml.outside"),
        Binding("escape", "leave", "back", id="yaml.leave", priority=True),  # the text would take it
    ]

    def __init__(self, place: Place, text: str) -> None:
        super().__init__(place)
        self.first = text

    def judge(self, text: str) -> Draft:
        """Blocking. Raises KaosError."""
        raise NotImplementedError

    def take(self, draft: Draft) -> str:
        """Blocking: make it so, and say what was done. Raises KaosError."""
        raise NotImplementedError

    def taken(self) -> None:
        """It is done."""
        self.console.back()

    def body(self) -> ComposeResult:
        yield TextArea(self.first, show_line_numbers=True, tab_behavior="indent", soft_wrap=False, id="text")
        yield Static(id="said")

    @property
    def text(self) -> str:
        return self.query_one("#text", TextArea).text

    def on_mount(self) -> None:
        self.query_one("#text", TextArea).focus()
        self._say("ctrl+s shows what will change; nothing is changed before.", "$text-muted")

    @on(TextArea.Changed, "#text")
    def _text_changed(self) -> None:
        if self.text != self.first:
            self._check_soon()

    @work(exclusive=True, group="check", exit_on_error=False)
    async def _check_soon(self) -> None:
        import asyncio

        await asyncio.sleep(_CHECK_AFTER_S)
        await self._check()

    async def _check(self) -> Draft | None:
        import asyncio

        try:
            draft = await asyncio.to_thread(self.judge, self.text)
        except KaosError as error:
            self._say("✖ " + " ".join(part for part in (error.cause, error.cure) if part), "$text-error")
            return None
        changes = sum(line.startswith(("+", "-")) for line in draft.diff)
        self._say(
            f"✔ the server takes this; {changes} lines change" if changes else "✔ nothing changes", "$text-success"
        )
        return draft

    def _say(self, text: str, style: str) -> None:
        if self.is_mounted:
            self.query_one("#said", Static).update(Content.styled(sanitize.text(text), style))

    @work(exclusive=True, group="check", exit_on_error=False)
    async def action_save(self) -> None:
        if self.session.read_only:
            self.notice("The console is read-only (--read-only).", error=True)
            return
        draft = await self._check()
        if draft is None or not draft.diff:
            return
        if await self.app.push_screen_wait(DiffScreen(draft.diff, f"context {self.session.context}")):
            done = await self.do(self.take, draft)
            if done is not None:
                self.notice(done)
                self.taken()

    def action_outside(self) -> None:
        """The same text in the person's own editor."""
        editor = os.environ.get("KUBE_EDITOR") or os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        area = self.query_one("#text", TextArea)
        with tempfile.TemporaryDirectory(prefix="kaos-") as directory:
            path = Path(directory) / "object.yaml"
            path.write_text(self.text)
            try:
                with self.app.suspend():
                    subprocess.run([*shlex.split(editor), str(path)], check=False)
                area.text = path.read_text()
            except (OSError, ValueError) as error:
                self.notice(f"The editor {editor!r} does not start: {error}", error=True)

    @work(exit_on_error=False)
    async def action_leave(self) -> None:
        if self.text in (self.first, "") or await self.confirm("Leave this text? It is not applied yet.", verb="leave"):
            self.console.back()


class EditScreen(YamlScreen):
    """An object that is there."""

    def __init__(self, kind: Kind, obj: Object) -> None:
        meta = obj["metadata"]
        super().__init__(Place("edit", kind.command, meta["namespace"], meta["name"]), drafts.text_of(obj))
        self._kind, self._before = kind, obj

    def argv(self) -> tuple[str, ...]:
        return self.place.kind, "edit", self.place.name, "-n", self.place.namespace or ""

    def judge(self, text: str) -> Draft:
        return drafts.edited(self.session.client(), self._kind, self._before, text)

    def take(self, draft: Draft) -> str:
        drafts.save(self.session.client(), self._kind, draft)
        return f"{self._kind.command}/{self.place.name} changed"
