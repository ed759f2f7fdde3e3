"""One resource: its state in words, what belongs to it, its pods, its YAML; the rest is one key away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.highlight import highlight
from textual.widgets import Static, TabbedContent, TabPane

from kaos.actions import bridged, resources
from kaos.actions.describe import pod_state
from kaos.actions.kinds import Kind
from kaos.actions.waiting import cure_of
from kaos.kube import sanitize, times
from kaos.kube.resources import PODS, Resource
from kaos.kube.yaml_text import yaml_text
from kaos.tui import looks
from kaos.tui.kinds import BY_COMMAND, INTERACT
from kaos.tui.looks import cell
from kaos.tui.places import TABS, Place
from kaos.tui.screens.verbs import ObjectVerbs, Target
from kaos.tui.store import Object
from kaos.tui.widgets.table import Column, Row, Table

_LABEL = 14
# Status and spec fields that the overview names, in this order.
_FACTS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "mcp": (
        ("Runtime", ("spec", "runtime")), ("Endpoint", ("status", "endpoint")), ("Path", ("status", "path")),
        ("Protocol", ("status", "protocolVersion")), ("Server", ("status", "serverInfo", "name")),
        ("Version", ("status", "serverInfo", "version")), ("Tools", ("status", "toolCount")),
        ("Account", ("spec", "serviceAccountName")),
    ),
    "agent": (
        ("Model", ("spec", "model")), ("ModelAPI", ("spec", "modelAPI")), ("Endpoint", ("status", "endpoint")),
        ("Description", ("spec", "config", "description")), ("Instructions", ("spec", "config", "instructions")),
    ),
    "modelapi": (
        ("Type", ("status", "type")), ("Endpoint", ("status", "endpoint")), ("Models", ("status", "modelsSummary")),
    ),
}  # fmt: skip


class DetailScreen(ObjectVerbs):
    """`place.item` is the tab."""

    DEFAULT_CSS = """
    DetailScreen {
        & TabPane { padding: 0; }
        & VerticalScroll { padding: 1 1 0 1; }
        & Static { height: auto; }
        & Tabs { height: 2; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("i", "interact", "use", id="list.interact"),
        Binding("l", "look('logs')", "logs", id="list.logs"),
        Binding("p", "look('logs', 'previous')", "previous logs", id="list.previous", show=False),
        Binding("y", "tab('yaml')", "YAML", id="detail.yaml"),
        Binding("w", "look('why')", "why", id="list.why"),
        Binding("E", "look('events')", "events", id="detail.events"),
        Binding("e", "edit", "edit", id="object.edit"),
        Binding("D", "delete", "delete", id="object.delete"),
        Binding("R", "restart", "restart", id="object.restart"),
        Binding("S", "scale", "scale", id="object.scale", show=False),
        Binding("Z", "suspend", "suspend or resume", id="object.suspend", show=False),
        Binding("x", "look('map')", "map", id="list.map", show=False),
        Binding("t", "look('top')", "top", id="detail.top", show=False),
        Binding("M", "look('memory')", "memory", id="detail.memory", show=False),
        Binding("T", "look('trace')", "trace", id="detail.trace", show=False),
        Binding("a", "look('rbac')", "rights", id="list.rights", show=False),
        Binding("c", "copy_name", "copy name", id="list.copy", show=False),
        *(Binding(str(n + 1), f"tab('{tab}')", tab, id=f"detail.tab-{tab}", show=False) for n, tab in enumerate(TABS)),
    ]

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.kind: Kind = BY_COMMAND[place.kind]
        self._missing = ""
        self._shown_yaml: Object | None = None

    @property
    def tab(self) -> str:
        return self.query_one(TabbedContent).active or self.place.item or TABS[0]

    def crumbs(self) -> tuple[str, ...]:
        return self.place.namespace or "", self.kind.command, self.place.name

    def argv(self) -> tuple[str, ...]:
        verb = "get" if self.is_mounted and self.tab == "yaml" else "describe"
        return self.kind.command, verb, self.place.name, "-n", self.place.namespace or ""

    def body(self) -> ComposeResult:
        with TabbedContent(initial=self.place.item or TABS[0]):
            with TabPane("1 Overview", id="overview"):
                with VerticalScroll():
                    yield Static(id="facts")
            with TabPane("2 Pods", id="pods"):
                yield Table(
                    (Column("NAME"), Column("STATE", flexible=True), Column("NODE", 2), Column("AGE", 1, right=True)),
                    empty="No pods. Why: w",
                )
            with TabPane("3 YAML", id="yaml"):
                with VerticalScroll():
                    yield Static(id="text")

    @property
    def object(self) -> Object | None:
        return (
            self.session.objects(self.kind.resource).get((self.place.namespace or "", self.place.name)) or self._fetched
        )

    _fetched: Object | None = None

    def on_mount(self) -> None:
        self.session.want(PODS)
        self.refetch()
        self._focus_tab()

    @work(exclusive=True, group="fetch", exit_on_error=False)
    async def refetch(self) -> None:
        """For what the session's own watches do not see: another namespace's."""
        if not self.session.connected:
            return
        where = self.place.namespace or ""
        if self.session.namespace not in (None, where) or not self.session.known(self.kind.resource):
            self._fetched = await self.do(
                lambda: resources.get(self.session.client(), self.kind, self.place.name, where)
            )
            self.on_objects(set())

    def on_objects(self, changed: set[Resource]) -> None:
        if changed and not changed & {self.kind.resource, PODS}:
            return
        obj = self.object
        if obj is None:
            if self.session.known(self.kind.resource):
                self.query_one("#facts", Static).update(
                    Content(f"{self.kind.title} {self.place.namespace}/{self.place.name} is not there (any more).")
                )
            return
        self.query_one("#facts", Static).update(self._overview(obj))
        self._tell_pods()
        if self.tab == "yaml":
            self._tell_yaml(obj)
        self.refresh_chrome()

    def _overview(self, obj: Object) -> Content:
        status, lines = obj.get("status") or {}, []
        tone, _ = looks.tone_and_word(obj)
        lines.append(Content.styled(looks.state(obj).text, f"bold {looks.TONES[tone]}"))
        why = looks.why(obj)
        if why:
            lines.append(Content(why))
            cure = cure_of(status.get("reason"), self.kind, obj["metadata"])
            if cure:
                lines.append(Content.styled(f"→ {sanitize.line(cure)}", "$text-accent"))
        lines.append(Content(""))
        lines += [_fact(label, text) for label, text in self._facts_of(obj)]
        conditions = status.get("conditions") or ()
        if conditions:
            lines += [Content(""), Content.styled("Conditions", "bold")]
            lines += [_condition(one) for one in conditions]
        tools = status.get("tools") or ()
        if tools:
            lines += [Content(""), Content.styled(f"Tools ({status.get('toolCount') or len(tools)})", "bold")]
            lines += [
                _fact(str(tool.get("name")), tool.get("description") or "") for tool in tools if isinstance(tool, dict)
            ]
            lines += [Content(f"  {sanitize.line(tool)}") for tool in tools if isinstance(tool, str)]
        return Content("\n").join(lines)

    def _facts_of(self, obj: Object) -> Iterator[tuple[str, Any]]:
        spec, meta = obj.get("spec") or {}, obj["metadata"]
        for label, path in _FACTS[self.kind.command]:
            node: Any = obj
            for key in path:
                node = node.get(key) if isinstance(node, dict) else None
            if node not in (None, "", []):
                yield label, node
        if elsewhere := bridged.remote(spec):
            yield "Runs elsewhere", elsewhere
        if self.kind.command == "mcp" and (rules := bridged.rules(spec.get("tools"))):
            yield "Tools left", rules
        if spec.get("mcpServers"):
            yield "Servers", ", ".join(map(str, spec["mcpServers"]))
        peers = (spec.get("agentNetwork") or {}).get("access")
        if peers:
            yield "Peers", ", ".join(map(str, peers))
        yield "Pods", f"{looks.ready(obj).text} ready"
        yield "Age", times.age(meta.get("creationTimestamp"))

    def _tell_pods(self) -> None:
        label, where = self.kind.title.lower(), self.place.namespace
        rows = [
            Row(
                name,
                (
                    cell(name), cell(pod_state(pod)), cell((pod.get("spec") or {}).get("nodeName")),
                    cell(times.age(pod["metadata"].get("creationTimestamp"))),
                ),
            )
            for (namespace, name), pod in self.session.objects(PODS).items()
            if namespace == where and (pod["metadata"].get("labels") or {}).get(label) == self.place.name
        ]  # fmt: skip
        self.query_one(Table).fill(rows)

    def _tell_yaml(self, obj: Object) -> None:
        if obj is not self._shown_yaml:
            self._shown_yaml = obj
            text = sanitize.text(yaml_text(resources.plain(obj)))
            self.query_one("#text", Static).update(highlight(text, language="yaml"))

    @on(TabbedContent.TabActivated)
    def _tab_changed(self) -> None:
        self.on_objects(set())
        self.refresh_chrome()

    def _focus_tab(self) -> None:
        pane = self.query_one(f"#{self.tab}", TabPane)
        pane.query("Table, VerticalScroll").first().focus()

    # What one can do.

    def chosen(self) -> list[Target]:
        return [(self.kind, self.place.namespace or "", self.place.name)]

    def action_tab(self, tab: str) -> None:
        self.query_one(TabbedContent).active = tab
        self.call_after_refresh(self._focus_tab)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "look" and parameters[0] in ("memory", "trace") and self.kind.command != "agent":
            return False
        if action == "look" and parameters[0] == "rbac" and self.kind.command != "mcp":
            return False
        return super().check_action(action, parameters)

    def action_look(self, view: str, item: str = "") -> None:
        self.console.go(Place(view, self.kind.command, self.place.namespace, self.place.name, item))

    def action_interact(self) -> None:
        self.action_look(INTERACT[self.kind.command])

    def action_copy_name(self) -> None:
        self.copy(self.place.name)

    @on(Table.Opened)
    def _opened_pod(self, event: Table.Opened) -> None:
        self.action_look("logs", event.key)

    @work(exit_on_error=False)
    async def action_edit(self) -> None:
        await self.edit(self.kind, self.place.namespace, self.place.name)

    def after_delete(self) -> None:
        self.console.back()


def _fact(label: str, value: Any) -> Content:
    return Content.assemble(
        Content.styled(f"  {sanitize.line(label):<{_LABEL}}", "$text-muted"), Content(sanitize.line(str(value)))
    )


def _condition(one: Object) -> Content:
    holds = one.get("status") == "True"
    # Progressing is the one condition that is good news when it is false.
    good = holds != (one.get("type") == "Progressing")
    tone = looks.OK if good else looks.WARN
    text = f"  {looks.GLYPHS[tone]} {sanitize.line(str(one.get('type'))):<{_LABEL + 5}}{'yes' if holds else 'no':<5}"
    detail = "  ".join(sanitize.line(str(one.get(key) or "")) for key in ("reason", "message"))
    return Content.assemble(Content.styled(text, looks.TONES[tone]), Content(detail))
