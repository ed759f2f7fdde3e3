"""What a server has to read: its resources and patterns of them, one of which is shown beside the list."""

from __future__ import annotations

import asyncio
import base64
import binascii
import mimetypes
import re
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.widgets import Input, Static, TextArea

from kaos.actions import offers
from kaos.errors import KaosError
from kaos.kube import sanitize
from kaos.tui.looks import cell
from kaos.tui.places import Place
from kaos.tui.results import size_text, write_new
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.screens.tools import TIMEOUT_S, failed, first_line
from kaos.tui.widgets.filters import Filter
from kaos.tui.widgets.result import read_only_text
from kaos.tui.widgets.table import Column, Row, Table

Object = dict[str, Any]
_GAP = re.compile(r"\{[^{}]*\}")


class ServerResourcesScreen(ConsoleScreen):
    """`place.item` is the resource to begin with, if one was asked for."""

    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]]] = [(0, "-narrow"), (100, "-wide")]
    DEFAULT_CSS = """
    ServerResourcesScreen {
        & #state { height: auto; padding: 0 1; color: $text-muted; }
        & #both { height: 1fr; }
        &.-wide #both { layout: horizontal; }
        & Table { width: 1fr; height: 1fr; }
        & #content { display: none; width: 1fr; height: 1fr; border-top: solid $panel; }
        &.-wide #content { border-top: none; border-left: solid $panel; }
        & #content Static { height: auto; padding: 0 1; color: $text-muted; }
        & Input { display: none; }
    }
    """
    filterable = True
    AUTO_FOCUS = ""  # there is nothing yet to stand on
    BINDINGS: ClassVar[list[Any]] = [
        Binding("ctrl+s", "save", "save", id="resource.save"),
        Binding("c", "copy_text", "copy", id="result.copy"),
        Binding("t", "look('tools')", "tools", id="resources.tools"),
        Binding("p", "look('prompts')", "prompts", id="tools.prompts"),
    ]

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.uri = place.item
        self._contents: list[Object] = []

    def crumbs(self) -> tuple[str, ...]:
        return self.place.namespace or "", "mcp", self.place.name, "resources"

    def argv(self) -> tuple[str, ...]:
        uri = (self.uri,) if self.uri else ()
        return "mcp", "resources", self.place.name, *uri, "-n", self.place.namespace or ""

    def body(self) -> ComposeResult:
        yield Static(f"Asking {self.place.name} for its resources…", id="state", markup=False)
        yield Input(placeholder="URI", compact=True, select_on_focus=False, id="uri")
        with Container(id="both"):
            yield Table(
                (Column("URI"), Column("TYPE", 2), Column("DESCRIPTION", 1, flexible=True)),
                empty="It has no resources.",
            )
            yield Container(id="content")

    def on_mount(self) -> None:
        self.query_one(Table).display = False
        self.refetch()
        if self.uri:
            self._read(self.uri)

    @work(exclusive=True, group="fetch", exit_on_error=False)
    async def refetch(self) -> None:
        state, table = self.query_one("#state", Static), self.query_one(Table)
        place = self.place
        try:
            found = await asyncio.to_thread(
                offers.list_resources, self.session.client(), place.name, place.namespace or "", TIMEOUT_S
            )
        except KaosError as error:
            state.update(failed(error))
            return
        state.display, table.display = False, True
        pairs = [(one["uri"], one) for one in found.resources] + [(one["uriTemplate"], one) for one in found.templates]
        table.fill(
            Row(
                (uri, bool(_GAP.search(uri)) and one in found.templates),
                (cell(uri), cell(one.get("mimeType")), cell(first_line(one.get("description") or one.get("name")))),
            )
            for uri, one in pairs
        )
        if self.focused is None:
            table.focus()

    def on_filter(self, found: Filter) -> None:
        self.query_one(Table).narrow(found)

    # Reading.

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        uri, has_gaps = event.key
        if has_gaps:
            entry = self.query_one("#uri", Input)
            entry.value, entry.display = uri, True
            entry.focus()
            gap = _GAP.search(uri)
            if gap:
                entry.selection = type(entry.selection)(*gap.span())
        else:
            self._read(uri)

    @on(Input.Submitted, "#uri")
    def _asked(self, event: Input.Submitted) -> None:
        event.stop()
        if gap := _GAP.search(event.value):
            self.notice(f"Write what {gap[0]} is to be.", error=True)
            event.input.selection = type(event.input.selection)(*gap.span())
            return
        self._read(event.value)

    @work(exclusive=True, group="read", exit_on_error=False)
    async def _read(self, uri: str) -> None:
        self.uri = uri
        self.refresh_chrome()
        place = self.place
        found = await self.do(offers.read, self.session.client(), place.name, place.namespace or "", uri, TIMEOUT_S)
        if found is None:
            return
        self._contents = found
        shown = self.query_one("#content", Container)
        shown.styles.display = "block"
        async with self.batch():
            await shown.remove_children()
            await shown.mount(*(widget for content in found for widget in _shown(content)))
        if areas := shown.query(TextArea):
            areas.first().focus()

    def action_leave(self) -> None:
        entry = self.query_one("#uri", Input)
        if entry.display:
            entry.display = False
            self.query_one(Table).focus()
        else:
            super().action_leave()

    # With what was read.

    def action_copy_text(self) -> None:
        if self._contents:
            self.copy("\n".join(content["text"] for content in self._contents if "text" in content))
        elif key := self.query_one(Table).key:
            self.copy(key[0])

    def action_look(self, view: str) -> None:
        self.console.go(Place(view, "mcp", self.place.namespace, self.place.name))

    async def action_save(self) -> None:
        if not self._contents:
            self.notice("Nothing has been read yet.")
            return
        try:
            paths = await asyncio.to_thread(lambda: [_save(content) for content in self._contents])
        except OSError as error:
            self.notice(f"It cannot be saved here: {error.strerror}.", error=True)
        else:
            self.notice(f"Saved: {', '.join(map(str, paths))}")


def _shown(content: Object) -> list[Any]:
    kind = sanitize.line(str(content.get("mimeType") or "unknown type"))
    uri = sanitize.line(content["uri"])
    if "text" in content:
        size = size_text(len(content["text"].encode(errors="replace")))
        return [Static(f"{uri}  {kind}, {size}", markup=False), read_only_text(sanitize.text(content["text"]))]
    return [Static(f"{uri}\n[no text] {kind}, {size_text(len(_bytes(content)))}; ctrl+s saves it", markup=False)]


def _bytes(content: Object) -> bytes:
    if "text" in content:
        return content["text"].encode(errors="replace")
    try:
        return base64.b64decode(content["blob"])
    except binascii.Error:
        return b""


def _save(content: Object) -> Path:
    name = content["uri"].partition("://")[2].rstrip("/").rpartition("/")[2] or "resource"
    stem, dot, ending = name.rpartition(".")
    suffix = f".{ending}" if dot and re.fullmatch(r"[A-Za-z0-9]{1,8}", ending) else ""
    guessed = mimetypes.guess_extension(str(content.get("mimeType") or "")) or ""
    return write_new(Path.cwd(), stem if suffix else name, suffix or guessed, _bytes(content))
