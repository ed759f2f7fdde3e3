"""Runtimes: what MCP servers can be made of, and one of them with a manifest to begin with."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from kaos.actions import examples, system
from kaos.api.names import ALIASES, CUSTOM, MCPSERVERS
from kaos.api.registry import Runtime
from kaos.kube import sanitize
from kaos.kube.resources import Resource
from kaos.kube.yaml_text import yaml_text
from kaos.tui.looks import MUTED, TONES, WARN, Cell, cell
from kaos.tui.places import Place
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.widgets.filters import Filter
from kaos.tui.widgets.table import Column, Row, Table


class RuntimesScreen(ConsoleScreen):
    """The registry as a table, with the servers that use each."""

    filterable = True
    DEFAULT_CSS = """
    RuntimesScreen {
        & Table { height: 1fr; }
        & #problems { height: auto; padding: 0 1; color: $text-error; display: none; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [Binding("n", "new", "deploy from this", id="runtimes.new")]

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._runtimes: list[Runtime] | None = None

    def crumbs(self) -> tuple[str, ...]:
        return ("runtimes",)

    def argv(self) -> tuple[str, ...]:
        return ("system", "runtimes")

    def body(self) -> ComposeResult:
        yield Table(
            (Column("NAME"), Column("TYPE", 3), Column("NEEDS", 2), Column("SERVERS", 1, right=True),
             Column("ABOUT", flexible=True), Column("SOURCE", 4)),
            empty="There is no runtime registry here.  :system says how to install it.",
        )  # fmt: skip
        yield Static(id="problems")

    def on_mount(self) -> None:
        self.query_one(Table).focus()

    def on_objects(self, changed: set[Resource]) -> None:
        if self._runtimes is None:
            self._read()
        elif MCPSERVERS in changed:
            self._draw()

    def on_filter(self, found: Filter) -> None:
        self.query_one(Table).narrow(found)

    def refetch(self) -> None:
        self._read()

    @work(exclusive=True, group="runtimes", exit_on_error=False)
    async def _read(self) -> None:
        if not self.session.connected:
            return
        found = await self.do(lambda: system.runtimes(self.session.client()))
        self._runtimes, problems = found if found is not None else (self._runtimes or [], ())
        lines = self.query_one("#problems", Static)
        lines.display = bool(problems)
        lines.update(Content("\n".join(f"✖ {sanitize.line(one)}" for one in problems)))
        self._draw()

    def _draw(self) -> None:
        servers = self.session.objects(MCPSERVERS).values()
        used = [_runtime_of(obj) for obj in servers]
        self.query_one(Table).fill(
            Row(one.name, (
                cell(one.name), cell(one.type, MUTED), cell(_needs(one), WARN if _needs(one) else ""),
                Cell(str(used.count(one.name))), cell(one.description), cell(one.source, MUTED),
            )) for one in self._runtimes or ()
        )  # fmt: skip

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        self.console.go(Place("runtime", item=event.key))

    def action_new(self) -> None:
        if name := self.query_one(Table).key:
            self.console.go(Place("deploy", "mcp", self.session.namespace, item=name))


class RuntimeScreen(ConsoleScreen):
    """All about one runtime."""

    DEFAULT_CSS = """
    RuntimeScreen {
        & VerticalScroll { padding: 0 1; }
        & Static { height: auto; margin-bottom: 1; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("n", "new", "deploy from this", id="runtimes.new"),
        Binding("c", "copy_manifest", "copy the manifest", id="runtimes.copy"),
    ]

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._runtime: Runtime | None = None

    def crumbs(self) -> tuple[str, ...]:
        return "runtimes", self.place.item

    def argv(self) -> tuple[str, ...]:
        return ("system", "runtimes", self.place.item)

    def body(self) -> ComposeResult:
        with VerticalScroll():
            yield Static("…", id="facts")
            yield Static(id="manifest")

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def on_objects(self, changed: set[Resource]) -> None:
        if self._runtime is None:
            self._read()
        elif MCPSERVERS in changed:
            self._tell(self._runtime)

    def refetch(self) -> None:
        self._read()

    @work(exclusive=True, group="runtime", exit_on_error=False)
    async def _read(self) -> None:
        if not self.session.connected:
            return
        found = await self.do(lambda: system.runtime(self.session.client(), self.place.item))
        if found is None:
            self.query_one("#facts", Static).update(Content("There is no such runtime.  esc goes back."))
            return
        self._runtime = found
        self._tell(found)

    def _tell(self, runtime: Runtime) -> None:
        servers = sorted(f"{namespace}/{name}" for (namespace, name), obj in self.session.objects(MCPSERVERS).items()
                         if _runtime_of(obj) == runtime.name)  # fmt: skip
        rows = [(name, value, "") for name, value in examples.facts(runtime)]
        rows += [("Needs", need, TONES[WARN]) for need in examples.needs(runtime)]
        rows.append(("Servers", ", ".join(servers) or "none uses it here", "" if servers else TONES[MUTED]))
        parts: list[Content] = []
        for name, value, style in rows:
            parts += [Content.styled(f"{name:<10}", "bold"), Content.styled(sanitize.line(value), style), Content("\n")]
        self.query_one("#facts", Static).update(Content.assemble(*parts[:-1]))
        manifest = Content(sanitize.text(yaml_text(examples.manifest(runtime)).rstrip()))
        title = Content.styled("To begin with (n opens it as a form, c copies it)\n\n", TONES[MUTED])
        self.query_one("#manifest", Static).update(Content.assemble(title, manifest))

    def action_new(self) -> None:
        self.console.go(Place("deploy", "mcp", self.session.namespace, item=self.place.item))

    def action_copy_manifest(self) -> None:
        if self._runtime is not None:
            self.copy(yaml_text(examples.manifest(self._runtime)))


def _needs(runtime: Runtime) -> str:
    account = ["a ServiceAccount"] if runtime.requiresServiceAccount else []
    return ", ".join([*runtime.requiredEnv, *account])


def _runtime_of(obj: dict[str, Any]) -> str:
    spec = obj.get("spec") or {}
    name = spec.get("runtime") or (CUSTOM if not spec.get("remote") else "")
    return ALIASES.get(name, name)
