"""Top: how busy everything is, read from the pods again and again while one looks."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding

from kaos.actions.top import Top, Usage
from kaos.errors import KaosError
from kaos.kube.resources import Resource
from kaos.tui.looks import BAD, MUTED, WARN, Cell, cell
from kaos.tui.places import Place
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.widgets.filters import Filter
from kaos.tui.widgets.table import Column, Row, Table

EVERY_S = 2.0
COLUMNS = (
    Column("KIND", 4), Column("NAME"), Column("CALLS/MIN", 1, right=True), Column("REQUESTS", 3, right=True),
    Column("ERRORS", 1, right=True), Column("P50", 5, right=True), Column("P95", 2, right=True),
    Column("TOKENS", 4, right=True), Column("MEMORY", 6, right=True), Column("PODS", 7, right=True),
    Column("NOTE", 2, flexible=True),
)  # fmt: skip


class TopScreen(ConsoleScreen):
    """Of a namespace or of all; of one resource only its line."""

    filterable = True
    BINDINGS: ClassVar[list[Any]] = [
        Binding("l", "look('logs')", "logs", id="list.logs"),
        Binding("w", "look('why')", "why", id="list.why"),
        Binding("0", "all_namespaces", "all namespaces", id="list.all", show=False),
    ]

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._top: Top | None = None
        self._place_read: str | None = None
        self._reading = False
        self._failure = ""

    def crumbs(self) -> tuple[str, ...]:
        return super().crumbs() if self.place.name else (self.session.namespace or "all namespaces", "top")

    def argv(self) -> tuple[str, ...]:
        namespace = self._namespace
        return ("top", "-n", namespace) if namespace else ("top", "-A")

    @property
    def _namespace(self) -> str | None:
        return self.place.namespace if self.place.name else self.session.namespace

    def body(self) -> ComposeResult:
        yield Table(COLUMNS, empty="Nothing runs here yet.")

    def on_mount(self) -> None:
        table = self.query_one(Table)
        table.sort("CALLS/MIN", True)
        table.focus()
        self.set_interval(EVERY_S, self._read)

    def on_objects(self, changed: set[Resource]) -> None:
        if self._top is None:
            self._read()

    def on_filter(self, found: Filter) -> None:
        self.query_one(Table).narrow(found)

    def refetch(self) -> None:
        self._read()

    @work(group="top", exit_on_error=False)
    async def _read(self) -> None:
        """One reading at a time: a slow cluster is not asked faster than it answers."""
        if self._reading or not self.is_current or not self.session.connected or self.session.health.lost:
            return
        self._reading = True
        try:
            await self._fill()
        finally:
            self._reading = False

    async def _fill(self) -> None:
        namespace = self._namespace
        if self._top is None or self._place_read != namespace:
            self._top, self._place_read = Top(self.session.client(), namespace), namespace
        try:
            found = await asyncio.to_thread(self._top.read)
        except KaosError as error:
            if error.cause != self._failure:  # the same again every few seconds is no news
                self._failure = error.cause
                self.fail(error)
            return
        self._failure = ""
        if namespace == self._namespace:
            place = self.place
            if place.name:
                found = [one for one in found if (one.ref.handler.command, one.ref.name) == (place.kind, place.name)]
            self.query_one(Table).fill(row(one, namespace is None) for one in found)

    @on(Table.Opened)
    def _opened(self) -> None:
        self.action_look("detail")

    def action_look(self, view: str) -> None:
        if ref := self.query_one(Table).key:
            self.console.go(Place(view, ref.handler.command, ref.namespace, ref.name))

    def action_all_namespaces(self) -> None:
        self.run_worker(self.console.look_at(None), exit_on_error=False)


def row(one: Usage, everywhere: bool) -> Row:
    """A resource as a row."""
    name = f"{one.ref.namespace}/{one.ref.name}" if everywhere else one.ref.name
    cells = (
        Cell(one.ref.handler.command, MUTED),
        cell(name),
        _number(one.per_minute),
        _number(one.requests),
        _number(one.errors, BAD if one.errors else ""),
        _seconds(one.p50_s),
        _seconds(one.p95_s),
        _number(one.tokens),
        Cell("-", MUTED) if one.memory_bytes is None else Cell(f"{one.memory_bytes / 2**20:.0f} MiB"),
        _number(one.pods),
        cell(one.note, WARN) if one.note else Cell(""),
    )
    order = (None, None, one.per_minute or 0, one.requests or 0, one.errors or 0, one.p50_s or 0, one.p95_s or 0,
             one.tokens or 0, one.memory_bytes or 0, one.pods, None)  # fmt: skip
    return Row(one.ref, cells, order, bool(one.errors or one.note))


def _number(value: float | None, tone: str = "") -> Cell:
    return Cell("-", MUTED) if value is None else Cell(f"{value:.0f}", tone)


def _seconds(value: float | None) -> Cell:
    if value is None:
        return Cell("-", MUTED)
    return Cell(f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s")
