"""The overview: how everything is, what is broken first, and what happened lately."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.widgets import Static

from kaos.actions import events as event_lines
from kaos.actions.kinds import KINDS
from kaos.errors import KaosError
from kaos.kube.resources import EVENTS, Resource
from kaos.tui import looks
from kaos.tui.looks import Cell, cell
from kaos.tui.places import Place
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.screens.events import COLUMNS as EVENT_COLUMNS
from kaos.tui.screens.events import rows as event_rows
from kaos.tui.widgets.table import Column, Row, Table

_ORDER = {looks.BAD: 0, looks.WARN: 1, looks.MUTED: 2, looks.BUSY: 3, looks.OK: 4}
_EVENTS = 50
_OPERATOR_S = 10.0


class HomeScreen(ConsoleScreen):
    """Where the console begins."""

    DEFAULT_CSS = """
    HomeScreen {
        & Static { height: auto; padding: 0 1; }
        & #objects { height: 2fr; margin-top: 1; }
        & #events { height: 1fr; min-height: 4; margin-top: 1; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("m", "go('mcp')", "MCP servers", id="home.mcp"),
        Binding("a", "go('agent')", "agents", id="home.agent"),
        Binding("p", "go('modelapi')", "model APIs", id="home.modelapi"),
        Binding("x", "go('map')", "map", id="home.map"),
        Binding("w", "go('why')", "why", id="home.why"),
        Binding("t", "go('runtimes')", "runtimes", id="home.runtimes"),
        Binding("s", "go('system')", "system", id="home.system", show=False),
        Binding("E", "go('events')", "events", id="home.events", show=False),
        Binding("0", "all_namespaces", "all namespaces", id="list.all", show=False),
        Binding("R", "run_operator", "run the operator", id="home.operator"),
    ]

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._operator: str | None = None  # who runs it, "" for nobody, None while unknown

    def crumbs(self) -> tuple[str, ...]:
        return (self.session.namespace or "all namespaces",) if self.session.connected else ()

    def argv(self) -> tuple[str, ...]:
        namespace = self.session.namespace
        return ("status", "-n", namespace) if namespace else ("status", "-A")

    def body(self) -> ComposeResult:
        yield Static(id="kinds")
        yield Static(id="operator")
        yield Table(
            (
                Column("KIND", 2),
                Column("NAME"),
                Column("STATE"),
                Column("READY", 3, right=True),
                Column("WHY", flexible=True),
            ),
            id="objects",
            empty="Nothing runs here yet.  m, a, p list what there is; n there makes one.",
        )
        yield Table(EVENT_COLUMNS, id="events", empty="No events.")

    def on_mount(self) -> None:
        self.query_one("#objects", Table).sort("STATE", False)
        self.query_one("#objects").focus()
        self.session.want(EVENTS)
        self.set_interval(_OPERATOR_S, self.ask_for_operator)

    def on_screen_resume(self) -> None:
        self.session.want(EVENTS)
        super().on_screen_resume()

    def on_objects(self, changed: set[Resource]) -> None:
        kinds = {kind.resource for kind in KINDS}
        if not changed or changed & kinds:
            self._tell_kinds()
        if not changed or EVENTS in changed:
            self._tell_events()
        if not changed and self._operator is None and self.session.connected:
            self.ask_for_operator()

    def refetch(self) -> None:
        self.ask_for_operator()

    def _tell_kinds(self) -> None:
        session, parts, rows = self.session, [], []
        for kind in KINDS:
            found = session.objects(kind.resource)
            counts = Counter(looks.tone_and_word(obj) for obj in found.values())
            parts.append(Content.styled(f"{kind.title}s ", "bold"))
            parts.append(Content(f"{len(found)}" if session.known(kind.resource) else "…"))
            for (tone, word), number in sorted(counts.items(), key=lambda item: _ORDER[item[0][0]]):
                parts.append(Content.styled(f"  {looks.GLYPHS[tone]} {number} {word}", looks.TONES[tone]))
            parts.append(Content("\n" if kind is not KINDS[-1] else ""))
            rows += [self._row(kind, key, obj) for key, obj in found.items()]
        self.query_one("#kinds", Static).update(Content.assemble(*parts))
        if any(session.known(kind.resource) for kind in KINDS):
            self.query_one("#objects", Table).fill(rows)

    def _row(self, kind: Any, key: tuple[str, str], obj: Any) -> Row:
        namespace, name = key
        tone, word = looks.tone_and_word(obj)
        shown = name if self.session.namespace else f"{namespace}/{name}"
        cells = (Cell(kind.command), cell(shown), looks.state(obj), looks.ready(obj), Cell(looks.why(obj), looks.MUTED))
        order = (None, None, f"{_ORDER[tone]}{word}{kind.command}{shown}", None, None)
        return Row((kind.command, namespace, name), cells, order, looks.troubled(obj))

    def _tell_events(self) -> None:
        if not self.session.known(EVENTS):
            return
        found = event_lines.of_kaos(self.session.objects(EVENTS).values())[-_EVENTS:]
        self.query_one("#events", Table).fill(event_rows(found, self.session.namespace is None))

    @work(exclusive=True, group="operator", exit_on_error=False)
    async def ask_for_operator(self) -> None:
        if not self.session.connected or not self.is_current:
            return
        from kaos.actions.operators import operators  # it loads what talks to clusters: after the first frame

        try:
            found = await asyncio.to_thread(lambda: operators(self.session.client()))
        except KaosError:
            return  # the top line says that the cluster is away
        if found is None:  # no right to know
            return
        working = next((one for one in found if one.fresh), None)
        self._operator = working.holder if working else ""
        line = self.query_one("#operator", Static)
        if self.console.operator.runs:
            line.update(Content(f"Operator  {self.console.operator.state}, run by this console"))
        elif working:
            line.update(Content.styled(f"Operator  {cell(working.holder).text}", "$text-muted"))
        else:
            line.update(
                Content.styled(
                    "✖ No operator runs here: nothing changes until one does.  R runs it from this console",
                    "$text-error",
                )
            )

    def action_go(self, where: str) -> None:
        view = ("list", where) if where in ("mcp", "agent", "modelapi") else (where,)
        self.console.go(Place(*view))

    @on(Table.Opened, "#objects")
    def _opened(self, event: Table.Opened) -> None:
        command, namespace, name = event.key
        self.console.go(Place("detail", command, namespace, name))

    @on(Table.Opened, "#events")
    def _opened_event(self) -> None:
        self.console.go(Place("events"))

    def action_all_namespaces(self) -> None:
        self.run_worker(self.console.look_at(None), exit_on_error=False)

    @work(exit_on_error=False)
    async def action_run_operator(self) -> None:
        if self._operator:
            self.notice(f"An operator works already: {self._operator}")
            return
        where = self.session.context
        if await self.confirm(f"Run the operator of {where} from this console, until it is left?", verb="run"):
            self.console.operator.start()
            self.set_timer(3, self.ask_for_operator)
