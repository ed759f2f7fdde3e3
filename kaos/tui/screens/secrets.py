"""Secrets: names and keys, never values; made and replaced by `kaos secret create`, which reads values unseen."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding

from kaos.actions import secrets
from kaos.kube import times
from kaos.tui.looks import cell
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.widgets.filters import Filter
from kaos.tui.widgets.table import Column, Row, Table


class SecretsScreen(ConsoleScreen):
    """Those of the session's namespace."""

    filterable = True
    BINDINGS: ClassVar[list[Any]] = [Binding("D", "delete", "delete", id="object.delete")]

    def crumbs(self) -> tuple[str, ...]:
        return self.session.namespace or "all namespaces", "secrets"

    def argv(self) -> tuple[str, ...]:
        namespace = self.session.namespace
        return ("secret", "list", "-n", namespace) if namespace else ("secret", "list", "-A")

    def body(self) -> ComposeResult:
        yield Table(
            (
                Column("NAMESPACE", 2),
                Column("NAME"),
                Column("TYPE", 3),
                Column("KEYS", flexible=True),
                Column("AGE", 1, right=True),
            ),
            empty="No Secrets here. Make one: kaos secret create NAME KEY",
        )

    def on_mount(self) -> None:
        self.query_one(Table).sort("NAME", False)
        self.query_one(Table).focus()
        self.refetch()

    @work(exclusive=True, exit_on_error=False)
    async def refetch(self) -> None:
        found = await self.do(lambda: secrets.listed(self.session.client(), self.session.namespace))
        if found is not None:
            self.query_one(Table).fill(
                Row(
                    (one.namespace, one.name),
                    (
                        cell(one.namespace),
                        cell(one.name),
                        cell(one.type),
                        cell(", ".join(one.keys)),
                        cell(times.age(one.created)),
                    ),
                )
                for one in found
            )

    def on_filter(self, found: Filter) -> None:
        self.query_one(Table).narrow(found)

    @work(exit_on_error=False)
    async def action_delete(self) -> None:
        key = self.query_one(Table).key
        if key is None:
            return
        namespace, name = key
        if await self.confirm(f"Delete Secret {namespace}/{name}?", verb="delete"):
            await self.do(lambda: secrets.delete(self.session.client(), name, namespace))
            self.refetch()
