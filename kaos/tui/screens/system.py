"""System: KAOS itself on this cluster: who runs the operator, versions, kinds, registry and gateways."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

import kaos
from kaos.actions import system
from kaos.actions.operators import PLACES, OperatorState
from kaos.actions.system import SystemStatus
from kaos.api.names import CUSTOM
from kaos.errors import KaosError
from kaos.kube import sanitize, times
from kaos.kube.resources import Resource
from kaos.tui.looks import BAD, GLYPHS, MUTED, OK, TONES, WARN
from kaos.tui.places import Place
from kaos.tui.screens.base import ConsoleScreen

_EVERY_S = 10.0
_LEFT = 13

Line = tuple[str, str, str]  # name, value, tone


class SystemScreen(ConsoleScreen):
    """One page, and the ways from it."""

    DEFAULT_CSS = """
    SystemScreen VerticalScroll { padding: 0 1; }
    SystemScreen #page { height: auto; }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("l", "go('logs', 'operator')", "operator log", id="system.logs"),
        Binding("t", "go('runtimes')", "runtimes", id="home.runtimes"),
        Binding("w", "go('why')", "why", id="home.why"),
        Binding("R", "run_operator", "run the operator", id="home.operator"),
        Binding("I", "install", "install", id="system.install"),
    ]

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._status: SystemStatus | None = None
        self._failure = ""

    def crumbs(self) -> tuple[str, ...]:
        return ("system",)

    def argv(self) -> tuple[str, ...]:
        return ("system", "status")

    def body(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(Content("Looking at the cluster …"), id="page")

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
        # Leases are renewed every few seconds; a watch on them would be busier than this.
        self.set_interval(_EVERY_S, self._read)

    def on_objects(self, changed: set[Resource]) -> None:
        if self._status is None:
            self._read()

    def refetch(self) -> None:
        self._read()

    @work(exclusive=True, group="system", exit_on_error=False)
    async def _read(self) -> None:
        if not self.session.connected or not self.is_current or self.session.health.lost:
            return
        try:
            found = await asyncio.to_thread(lambda: system.status(self.session.client()))
        except KaosError as error:
            if error.cause != self._failure:  # the same again every few seconds is no news
                self._failure = error.cause
                self.fail(error)
        else:
            self._status, self._failure = found, ""
            self.query_one("#page", Static).update(_page(self._lines(found)))

    def _lines(self, found: SystemStatus) -> list[Line]:
        connection = self.session.connection
        return [
            ("Context", f"{self.session.context} ({connection.server if connection else ''})", ""),
            ("Console", f"kaos {kaos.__version__}", ""),
            ("", "", ""),
            *self._operator(found),
            ("", "", ""),
            *_kinds(found),
            ("", "", ""),
            *_registry(found),
            ("", "", ""),
            ("Gateways", _gateways(found), MUTED if not found.gateways else ""),
        ]

    def _operator(self, found: SystemStatus) -> list[Line]:
        own = self.console.operator
        lines = [("Console's", f"operator {own.state}", OK if own.state == "works" else WARN)] if own.runs else []
        if found.operators is None:
            return [("Operator", "unknown: no right to read Leases in kaos-system", WARN), *lines]
        if found.operator is None:
            lines.append(
                ("Operator", f"{GLYPHS[BAD]} none works here: nothing changes until one does.  R runs it", BAD)
            )
        for one in found.operators:
            if one.holder:
                lines += _holder(one)
        if found.pods:
            lines.append(("Pods", f"{found.pods[0]} of {found.pods[1]} ready", ""))
        return lines

    def action_go(self, view: str, kind: str = "") -> None:
        self.console.go(Place(view, kind))

    @work(exit_on_error=False)
    async def action_run_operator(self) -> None:
        working = self._status.operator if self._status else None
        if working:
            self.notice(f"An operator works already: {working.holder}")
            return
        question = f"Run the operator of {self.session.context} from this console, until it is left?"
        if await self.confirm(question, verb="run"):
            self.console.operator.start()
            self.set_timer(3, self._read)

    @work(exit_on_error=False)
    async def action_install(self) -> None:
        names = ["the kinds MCPServer, ModelAPI and Agent", f"namespace {self._namespace}", "the runtime registry"]
        if await self.confirm(f"Install or update KAOS on {self.session.context}?", names, "install"):
            done = await self.do(lambda: system.install_prerequisites(self.session.client()))
            if done is not None:
                self.notice("Installed." if not done.registry_kept else "Installed; the registry is kept as edited.")
                self.session.retry()
            self._read()

    @property
    def _namespace(self) -> str:
        return self._status.namespace if self._status else "kaos-system"


def _holder(one: OperatorState) -> list[Line]:
    if not one.fresh:
        return [("Last", f"{one.holder}, last heard of {times.age(one.renewed)} ago", MUTED)]
    watched = ", ".join(one.namespaces) or "all namespaces"
    since = f", for {times.age(one.since)}" if one.since else ""
    lines = [
        ("Operator", f"{GLYPHS[OK]} works {PLACES.get(one.place, '')}{since}", OK),
        ("", f"{one.holder}, watches {watched}", MUTED),
    ]
    if one.version and one.version != kaos.__version__:
        lines.append(("", f"version {one.version}: another one than this console's", WARN))
    elif one.version:
        lines.append(("", f"version {one.version}", MUTED))
    return lines


def _kinds(found: SystemStatus) -> list[Line]:
    if found.installed:
        return [("Kinds", f"{GLYPHS[OK]} MCPServer, ModelAPI and Agent are installed", OK)]
    return [("Kinds", f"{GLYPHS[BAD]} not all of KAOS's kinds are installed.  I installs them", BAD)]


def _registry(found: SystemStatus) -> list[Line]:
    names = [one.name for one in found.runtimes if one.name != CUSTOM]
    lines = [
        ("Runtimes", f"{len(names)}: {', '.join(names)}  (t shows them)" if names else "none", "" if names else WARN)
    ]
    return lines + [("", f"{GLYPHS[BAD]} {one}", BAD) for one in found.problems]


def _gateways(found: SystemStatus) -> str:
    if found.gateways is None:
        return "no Gateway API here"
    return ", ".join(found.gateways) or "none"


def _page(lines: list[Line]) -> Content:
    parts: list[Content] = []
    for name, value, tone in lines:
        style = TONES.get(tone, "")
        parts += [
            Content.styled(f"{name:<{_LEFT}}", "bold"),
            Content.styled(sanitize.line(value), style),
            Content("\n"),
        ]
    return Content.assemble(*parts[:-1])
