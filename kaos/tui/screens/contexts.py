"""Switching: another cluster, another namespace."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding

from kaos.actions import contexts
from kaos.kube import times
from kaos.kube.resources import NAMESPACES, Resource
from kaos.tui import looks
from kaos.tui.looks import Cell, cell
from kaos.tui.places import HOME
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.widgets.filters import Filter
from kaos.tui.widgets.table import Column, Row, Table


class ContextsScreen(ConsoleScreen):
    """Every context of every kubeconfig, and the local cluster."""

    filterable = True
    BINDINGS: ClassVar[list[Any]] = [
        Binding("u", "use", "use from now on", id="contexts.use"),
    ]

    def crumbs(self) -> tuple[str, ...]:
        return ("contexts",)

    def argv(self) -> tuple[str, ...]:
        return "context", "list"

    def body(self) -> ComposeResult:
        yield Table(
            (
                Column(" "),
                Column("NAME"),
                Column("NAMESPACE", 2),
                Column("SERVER", 1),
                Column("SOURCE", 3, flexible=True),
            ),
            empty="There is no context. The local cluster needs none: esc, then 1.",
        )

    def on_mount(self) -> None:
        table = self.query_one(Table)
        table.sort("NAME", False)
        table.narrow(self.filter)
        table.focus()
        self.refetch()

    @work(exclusive=True, exit_on_error=False)
    async def refetch(self) -> None:
        found = await self.do(contexts.listed)
        self.query_one(Table).fill(
            Row(
                one.name,
                (
                    Cell("●" if one.name == self.session.context else "", looks.OK), cell(one.name),
                    cell(one.namespace), cell(one.server), cell(one.source),
                ),
            )
            for one in found or ()
        )  # fmt: skip

    def on_filter(self, found: Filter) -> None:
        self.query_one(Table).narrow(found)

    @on(Table.Opened)
    @work(exclusive=True, exit_on_error=False)
    async def _opened(self, event: Table.Opened) -> None:
        await self._switch(event.key)

    @work(exclusive=True, exit_on_error=False)
    async def action_use(self) -> None:
        """Also for plain commands and for the next start."""
        name = self.query_one(Table).key
        if name and await self.do(contexts.use, name) is not None:
            self.notice(f"{name} is used from now on, by plain commands too (kaos context use {name}).")
            await self._switch(name)

    async def _switch(self, name: str) -> None:
        await self.console.reconnect(name)
        if self.session.failure is None:
            self.console.go(HOME)
        elif self.is_current:
            self.fail(self.session.failure)


class NamespacesScreen(ConsoleScreen):
    """Namespaces, with what of KAOS is in each as far as it is known."""

    filterable = True
    BINDINGS: ClassVar[list[Any]] = [Binding("0", "all", "all of them", id="list.all")]

    def crumbs(self) -> tuple[str, ...]:
        return ("namespaces",)

    def argv(self) -> tuple[str, ...]:
        return "status", "-A"

    def body(self) -> ComposeResult:
        yield Table(
            (Column(" "), Column("NAME"), Column("STATUS", 1), Column("AGE", right=True), Column("", flexible=True))
        )

    def on_mount(self) -> None:
        table = self.query_one(Table)
        table.sort("NAME", False)
        table.narrow(self.filter)
        table.focus()

    def on_objects(self, changed: set[Resource]) -> None:
        if (changed and NAMESPACES not in changed) or not self.session.known(NAMESPACES):
            return
        self.query_one(Table).fill(
            Row(
                name,
                (
                    Cell("●" if name == self.session.namespace else "", looks.OK),
                    cell(name),
                    cell((obj.get("status") or {}).get("phase")),
                    cell(times.age(obj["metadata"].get("creationTimestamp"))),
                    Cell(""),
                ),
            )
            for (_, name), obj in self.session.objects(NAMESPACES).items()
        )

    def on_filter(self, found: Filter) -> None:
        self.query_one(Table).narrow(found)

    @on(Table.Opened)
    @work(exit_on_error=False)
    async def _opened(self, event: Table.Opened) -> None:
        await self.console.look_at(event.key)
        self.console.back()

    @work(exit_on_error=False)
    async def action_all(self) -> None:
        await self.console.look_at(None)
        self.console.back()
