"""Events: what the cluster tells about KAOS's resources and their pods, the newest first."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding

from kaos.actions import events as event_lines
from kaos.actions.events import EventLine
from kaos.kube import times
from kaos.kube.resources import EVENTS, Resource
from kaos.tui import looks
from kaos.tui.kinds import BY_COMMAND
from kaos.tui.looks import cell
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.widgets.filters import Filter
from kaos.tui.widgets.table import Column, Row, Table


def rows(lines: list[EventLine], everywhere: bool) -> list[Row]:
    """Events as rows, to be sorted by their age."""
    return [
        Row(
            (line.namespace, line.object, line.reason, line.message),
            (
                cell(times.age(line.last)),
                cell(line.type, looks.WARN if line.type == "Warning" else looks.MUTED),
                cell(line.reason),
                cell(f"{line.namespace}/{line.object}" if everywhere else line.object),
                cell(line.message + (f"  ×{line.count}" if line.count > 1 else "")),
            ),
            (-times.parse(line.last).timestamp() if line.last else 0,),
            line.type == "Warning",
        )
        for line in lines
    ]


COLUMNS = (
    Column("AGE", right=True), Column("TYPE", 2), Column("REASON"), Column("OBJECT", 1),
    Column("MESSAGE", flexible=True),
)  # fmt: skip


class EventsScreen(ConsoleScreen):
    """All of a namespace, or those of one resource and its pods."""

    filterable = True
    BINDINGS: ClassVar[list[Any]] = [
        Binding("exclamation_mark", "problems", "warnings only", key_display="!", id="list.problems"),
        Binding("c", "copy_message", "copy message", id="list.copy"),
    ]

    def argv(self) -> tuple[str, ...]:
        if self.place.name:
            return (self.place.kind, "describe", self.place.name, "-n", self.place.namespace or "default")
        namespace = self.session.namespace
        return ("events", "-n", namespace) if namespace else ("events", "-A")

    def crumbs(self) -> tuple[str, ...]:
        if self.place.name:
            return super().crumbs()
        return self.session.namespace or "all namespaces", "events"

    def body(self) -> ComposeResult:
        yield Table(COLUMNS, empty="No events. What happens will be shown at once.")

    def on_mount(self) -> None:
        self.session.want(EVENTS)
        self.query_one(Table).narrow(self.filter)
        self.query_one(Table).focus()

    def on_objects(self, changed: set[Resource]) -> None:
        if (changed and EVENTS not in changed) or not self.session.known(EVENTS):
            return
        found = event_lines.of_kaos(self.session.objects(EVENTS).values())
        if self.place.name:
            kind = BY_COMMAND[self.place.kind]
            names = (f"{kind.title}/{self.place.name}", f"/{kind.child(self.place.name)}")
            found = [one for one in found if one.namespace == self.place.namespace and _about(one, *names)]
        self.query_one(Table).fill(rows(found, self.session.namespace is None))

    def on_filter(self, found: Filter) -> None:
        self.query_one(Table).narrow(found)

    def action_problems(self) -> None:
        table = self.query_one(Table)
        table.only_troubled(not table.troubled_only)

    def action_copy_message(self) -> None:
        if key := self.query_one(Table).key:
            self.copy(key[3])


def _about(line: EventLine, whole: str, child: str) -> bool:
    return line.object == whole or line.object.endswith(child) or f"{child}-" in line.object
