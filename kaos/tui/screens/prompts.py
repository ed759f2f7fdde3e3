"""The prompts of a server: choose one, fill its gaps, read what comes of it."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.widgets import Static, TextArea

from kaos.actions import offers
from kaos.errors import KaosError
from kaos.kube import sanitize
from kaos.tui.forms.schemaform import SchemaForm
from kaos.tui.looks import cell
from kaos.tui.places import Place
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.screens.tools import TIMEOUT_S, failed, first_line
from kaos.tui.widgets.filters import Filter
from kaos.tui.widgets.result import read_only_text
from kaos.tui.widgets.table import Column, Row, Table

Object = dict[str, Any]


class PromptsScreen(ConsoleScreen):
    """`place.item` is the prompt to begin with, if one was asked for."""

    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]]] = [(0, "-narrow"), (100, "-wide")]
    DEFAULT_CSS = """
    PromptsScreen {
        & #state { height: auto; padding: 0 1; color: $text-muted; }
        & Table { height: 1fr; }
        & #both { display: none; height: 2fr; border-top: solid $panel; }
        &.-wide #both { layout: horizontal; }
        & SchemaForm { width: 1fr; padding: 0 1; }
        & #filled { width: 1fr; height: 1fr; }
    }
    """
    filterable = True
    AUTO_FOCUS = ""  # there is nothing yet to stand on
    BINDINGS: ClassVar[list[Any]] = [
        Binding("ctrl+r", "fill", "fill it in", id="invoke.run", priority=True),
        Binding("c", "copy_text", "copy", id="result.copy"),
        Binding("t", "look('tools')", "tools", id="resources.tools"),
        Binding("u", "look('resources')", "resources", id="tools.resources"),
    ]

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._prompts: list[Object] = []
        self.prompt: Object | None = None
        self.text = ""

    def crumbs(self) -> tuple[str, ...]:
        return self.place.namespace or "", "mcp", self.place.name, "prompts"

    def argv(self) -> tuple[str, ...]:
        where = ("-n", self.place.namespace or "")
        words: tuple[str, ...] = ()
        if self.prompt is not None and self.form is not None:
            words = (str(self.prompt["name"]),)
            # A secret is not shown, and what no word can carry is for the form alone.
            given = {} if self.form.problems() or self.form.secret() else self.form.value()
            words += tuple(f"{key}={value}" for key, value in given.items() if _is_word(key, value))
        return "mcp", "prompts", self.place.name, *words, *where

    @property
    def form(self) -> SchemaForm | None:
        found = self.query(SchemaForm) if self.is_mounted else ()
        return found.first() if found else None

    def body(self) -> ComposeResult:
        yield Static(f"Asking {self.place.name} for its prompts…", id="state", markup=False)
        yield Table(
            (Column("NAME"), Column("ARGUMENTS", 1), Column("DESCRIPTION", 2, flexible=True)),
            empty="It has no prompts.",
        )
        with Container(id="both"):
            yield Container(id="filled")

    def on_mount(self) -> None:
        self.query_one(Table).display = False
        self.refetch()

    @work(exclusive=True, group="fetch", exit_on_error=False)
    async def refetch(self) -> None:
        state, table, place = self.query_one("#state", Static), self.query_one(Table), self.place
        try:
            self._prompts = await asyncio.to_thread(
                offers.list_prompts, self.session.client(), place.name, place.namespace or "", TIMEOUT_S
            )
        except KaosError as error:
            state.update(failed(error))
            return
        state.display, table.display = False, True
        table.fill(
            Row(
                index,
                (cell(one["name"]), cell(offers.signature(one)), cell(first_line(one.get("description")))),
            )
            for index, one in enumerate(self._prompts)
        )
        wanted = next((one for one in self._prompts if one["name"] == place.item), None)
        if wanted is not None and self.prompt is None:
            await self._choose(wanted)
        elif self.focused is None:
            table.focus()

    def on_filter(self, found: Filter) -> None:
        self.query_one(Table).narrow(found)

    @on(Table.Opened)
    async def _opened(self, event: Table.Opened) -> None:
        await self._choose(self._prompts[event.key])

    async def _choose(self, prompt: Object) -> None:
        self.prompt, self.text = prompt, ""
        both, filled = self.query_one("#both", Container), self.query_one("#filled", Container)
        both.styles.display = "block"
        form = SchemaForm(schema_of(prompt))
        async with self.batch():
            await self.query(SchemaForm).remove()
            await filled.remove_children()
            await both.mount(form, before=0)
            await filled.mount(Static(" ctrl+r fills it in", markup=False))
        form.focus_first()
        self.refresh_chrome()
        if not offers.arguments_of(prompt):
            self.action_fill()

    @on(SchemaForm.Changed)
    def _changed(self) -> None:
        self.refresh_chrome()

    def action_fill(self) -> None:
        form = self.form
        if form is not None and form.insist():
            self._fill(form.value())

    @work(exclusive=True, group="call", exit_on_error=False)
    async def _fill(self, given: dict[str, str]) -> None:
        place = self.place
        found = await self.do(
            offers.get_prompt, self.session.client(), place.name, place.namespace or "",
            str(self.prompt["name"]), given, TIMEOUT_S,
        )  # fmt: skip
        if found is None:
            return
        self.text = offers.conversation_text(found)
        filled = self.query_one("#filled", Container)
        async with self.batch():
            await filled.remove_children()
            await filled.mount(read_only_text(sanitize.text(self.text)))
        filled.query_one(TextArea).focus()

    def action_copy_text(self) -> None:
        if self.text:
            self.copy(self.text)

    def action_look(self, view: str) -> None:
        self.console.go(Place(view, "mcp", self.place.namespace, self.place.name))


def _is_word(key: str, value: str) -> bool:
    return not key.startswith("-") and "=" not in key and sanitize.line(key + value) == key + value


def schema_of(prompt: Object) -> Object:
    """A prompt's arguments, which are texts, as a JSON Schema."""
    found = offers.arguments_of(prompt)
    return {
        "type": "object",
        "properties": {one.name: {"type": "string", "description": one.description} for one in found},
        "required": [one.name for one in found if one.required],
        "additionalProperties": False,
    }
