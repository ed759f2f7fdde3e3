"""The three lists: MCPServers, Agents, ModelAPIs, live, with what can be done to one or to several."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding

from kaos.actions.kinds import Kind
from kaos.kube import sanitize, times
from kaos.kube.resources import Resource
from kaos.tui import looks
from kaos.tui.kinds import BY_COMMAND, INTERACT
from kaos.tui.looks import Cell, cell
from kaos.tui.places import Place
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.screens.verbs import ObjectVerbs
from kaos.tui.store import Key, Object
from kaos.tui.widgets.filters import Filter
from kaos.tui.widgets.table import Column, Row, Table

_COLUMNS: dict[str, tuple[Column, ...]] = {
    "mcp": (Column("RUNTIME", 3), Column("TOOLS", 4, right=True)),
    "agent": (Column("MODEL", 4), Column("MODELAPI", 3), Column("TOOLS", 5, right=True)),
    "modelapi": (Column("TYPE", 3), Column("MODELS", 4)),
}


class ResourcesScreen(ObjectVerbs, ConsoleScreen):
    """All of one kind in a namespace, or everywhere."""

    filterable = True
    BINDINGS: ClassVar[list[Any]] = [
        Binding("i", "interact", "use", id="list.interact"),
        Binding("l", "logs", "logs", id="list.logs"),
        Binding("p", "logs('previous')", "previous logs", id="list.previous", show=False),
        Binding("y", "yaml", "YAML", id="list.yaml"),
        Binding("w", "look('why')", "why", id="list.why"),
        Binding("e", "edit", "edit", id="object.edit"),
        Binding("n", "new", "new", id="list.new"),
        Binding("D", "delete", "delete", id="object.delete"),
        Binding("R", "restart", "restart", id="object.restart", show=False),
        Binding("S", "scale", "scale", id="object.scale", show=False),
        Binding("Z", "suspend", "suspend or resume", id="object.suspend", show=False),
        Binding("exclamation_mark", "problems", "problems only", key_display="!", id="list.problems", show=False),
        Binding("c", "copy_name", "copy name", id="list.copy", show=False),
        Binding("x", "look('map')", "map", id="list.map", show=False),
        Binding("0", "namespace(0)", "all namespaces", id="list.all"),
        *(Binding(str(n), f"namespace({n})", "recent namespaces", id=f"list.ns-{n}", show=False) for n in range(1, 10)),
    ]

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.kind: Kind = BY_COMMAND[place.kind]
        self._namespace_shown: str | None = ""

    def crumbs(self) -> tuple[str, ...]:
        return (self.session.namespace or "all namespaces", self.kind.command)

    def argv(self) -> tuple[str, ...]:
        return (self.kind.command, "list", *self.in_namespace(self.session.namespace))

    def body(self) -> ComposeResult:
        yield Table(self._columns(), id="objects")

    @property
    def table(self) -> Table:
        return self.query_one(Table)

    def on_mount(self) -> None:
        column, backwards = self.console.state.get(f"sort/{self.kind.command}", list, ["NAME", False])
        self.table.sort(column, backwards)
        if self.place.namespace and self.place.namespace != self.session.namespace:
            self.run_worker(self.console.look_at(self.place.namespace), exit_on_error=False)
        if self.filter.text:
            self.table.narrow(self.filter)
        self.table.focus()

    def on_objects(self, changed: set[Resource]) -> None:
        if changed and self.kind.resource not in changed:
            return
        table = self.table
        if self.session.namespace != self._namespace_shown:
            self._namespace_shown = self.session.namespace
            table.show_columns(self._columns())
        table.empty = self._empty()
        if self.session.known(self.kind.resource):
            found = self.session.objects(self.kind.resource)
            table.fill(self._row(key, obj) for key, obj in found.items())

    def _empty(self) -> str:
        session, title = self.session, self.kind.title
        if self.kind.resource in session.health.refused:
            return f"You may not list {title}s here: {sanitize.line(session.health.refused[self.kind.resource])}"
        if self.kind.resource in session.health.missing:
            return "KAOS is not installed on this cluster. Install it: kaos system install"
        where = f'in "{session.namespace}"' if session.namespace else "in any namespace"
        return f"No {title}s {where}.  n makes one" + (", 0 looks in all namespaces." if session.namespace else ".")

    def _columns(self) -> tuple[Column, ...]:
        where = () if self.session.namespace else (Column("NAMESPACE", 1),)
        return (
            Column("NAME"), *where, Column("STATE"), Column("READY", 2, right=True),
            *_COLUMNS[self.kind.command], Column("AGE", 1, right=True), Column("WHY", 6, flexible=True),
        )  # fmt: skip

    def _row(self, key: Key, obj: Object) -> Row:
        namespace, name = key
        created = obj["metadata"].get("creationTimestamp", "")
        where = () if self.session.namespace else (cell(namespace),)
        cells = (
            cell(name), *where, looks.state(obj), looks.ready(obj),
            *_facts(self.kind, obj), cell(times.age(created)), Cell(looks.why(obj), looks.MUTED),
        )  # fmt: skip
        order = [None] * len(cells)
        order[-2] = -times.parse(created).timestamp() if created else 0
        return Row(key, cells, tuple(order), looks.troubled(obj))

    def on_filter(self, found: Filter) -> None:
        self.table.narrow(found)

    # What one can do.

    def chosen(self) -> list[tuple[Kind, str, str]]:
        return [(self.kind, namespace, name) for namespace, name in self.table.chosen]

    def _one(self, view: str, item: str = "") -> Place | None:
        if self.table.key is None:
            return None
        namespace, name = self.table.key
        return Place(view, self.kind.command, namespace, name, item)

    @on(Table.Opened)
    def _opened(self) -> None:
        self.console.go(self._one("detail"))  # type: ignore[arg-type]

    @on(Table.Sorted)
    def _sorted(self, event: Table.Sorted) -> None:
        self.console.state.set(f"sort/{self.kind.command}", [event.column, event.backwards])

    def action_logs(self, item: str = "") -> None:
        """Of what is marked, all at once; else of what is under the cursor."""
        places = {namespace for namespace, _ in self.table.chosen}
        if len(places) > 1:
            self.notice("Logs of several at once: mark those of one namespace.", error=True)
        elif places:
            names = ",".join(name for _, name in self.table.chosen)
            self.console.go(Place("logs", self.kind.command, places.pop(), names, item))

    def action_look(self, view: str) -> None:
        if place := self._one(view):
            self.console.go(place)

    def action_yaml(self) -> None:
        if place := self._one("detail", "yaml"):
            self.console.go(place)

    def action_interact(self) -> None:
        self.action_look(INTERACT[self.kind.command])

    def action_new(self) -> None:
        self.console.go(Place("deploy", self.kind.command, self.session.namespace))

    def action_problems(self) -> None:
        self.table.only_troubled(not self.table.troubled_only)

    def action_copy_name(self) -> None:
        if self.table.chosen:
            self.copy(" ".join(name for _, name in self.table.chosen))

    def action_leave(self) -> None:
        if self.table.marks:
            self.table.clear_marks()
        else:
            super().action_leave()

    def action_namespace(self, number: int) -> None:
        """0 is all; the others those looked at lately."""
        recent = self.console.state.recent(self.session.context)
        if number == 0:
            self.run_worker(self.console.look_at(None), exit_on_error=False)
        elif number <= len(recent):
            self.run_worker(self.console.look_at(recent[number - 1]), exit_on_error=False)
        else:
            self.notice("That digit has no namespace yet; choose one: :ns")

    @work
    async def action_edit(self) -> None:
        if place := self._one("detail"):
            await self.edit(self.kind, place.namespace, place.name)


def _facts(kind: Kind, obj: Object) -> tuple[Cell, ...]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if kind.command == "mcp":
        return cell(spec.get("runtime") or ("remote" if spec.get("remote") else "")), cell(status.get("toolCount"))
    if kind.command == "agent":
        return cell(spec.get("model")), cell(spec.get("modelAPI")), cell(status.get("toolCount"))
    return cell(status.get("type") or spec.get("type") or spec.get("mode")), cell(status.get("modelsSummary"))
