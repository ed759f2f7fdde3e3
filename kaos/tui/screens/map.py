"""The map: who uses whom, live, in both directions; what is broken is red and says why."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from kaos.actions.graph import Edge, Graph, graph
from kaos.actions.health import Ref
from kaos.actions.kinds import KINDS
from kaos.kube import sanitize
from kaos.kube.resources import Resource
from kaos.tui.kinds import BY_COMMAND
from kaos.tui.looks import BAD, MUTED, TONES, Cell, cell
from kaos.tui.places import Place
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.screens.states import tone
from kaos.tui.widgets.filters import Filter
from kaos.tui.widgets.outline import Outline, Twig

_RESOURCES = {kind.resource for kind in KINDS}
NOTHING = "Nothing runs here yet.  :deploy makes something."
SETTLE_S = 0.3
UNFOLDED = 3  # how deep trees are shown at first
DEEPEST = 8  # what stands deeper begins a tree of its own
_BACKWARDS = {"thinks with": "thought with by", "uses tools of": "used by", "delegates to": "asked by"}


class MapScreen(ConsoleScreen):
    """Of a namespace or of all; of one resource it begins there."""

    filterable = True
    DEFAULT_CSS = """
    MapScreen {
        & Outline { height: 1fr; padding: 0 1; }
        & #about { height: auto; min-height: 3; max-height: 8; padding: 0 1; border-top: solid $panel; }
        &.-wide Body { layout: horizontal; }
        &.-wide Outline { width: 2fr; }
        &.-wide #about { width: 1fr; height: 1fr; max-height: 100%; border-top: none; border-left: solid $panel; }
    }
    """
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [(0, "-narrow"), (120, "-wide")]
    BINDINGS: ClassVar[list[Any]] = [
        Binding("u", "turn", "uses / used by", id="map.turn"),
        Binding("exclamation_mark", "problems", "broken only", key_display="!", id="list.problems"),
        Binding("w", "look('why')", "why", id="list.why"),
        Binding("i", "look('')", "use", id="list.interact", show=False),
        Binding("l", "look('logs')", "logs", id="list.logs", show=False),
        Binding("0", "all_namespaces", "all namespaces", id="list.all", show=False),
    ]

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._graph = Graph()
        self._backwards = bool(place.name) and place.kind != "agent"  # what needs nothing is asked who needs it
        self._broken_only = False
        self._settling: Timer | None = None

    def crumbs(self) -> tuple[str, ...]:
        words = super().crumbs() if self.place.name else (self.session.namespace or "all namespaces", "map")
        return (*words, "used by") if self._backwards else words

    def argv(self) -> tuple[str, ...]:
        namespace = self.place.namespace if self.place.name else self.session.namespace
        return ("map", "-n", namespace) if namespace else ("map", "-A")

    def body(self) -> ComposeResult:
        yield Outline(empty=NOTHING)
        yield Static(id="about")

    def on_mount(self) -> None:
        self.query_one(Outline).focus()

    def on_objects(self, changed: set[Resource]) -> None:
        if not changed:
            self._read()
        elif changed & _RESOURCES and self._settling is None:
            # A thousand resources take 50 ms to draw anew: too long for ten times a second.
            self._settling = self.set_timer(SETTLE_S, self._read)

    def _read(self) -> None:
        self._settling = None
        session = self.session
        if not any(session.known(kind.resource) for kind in KINDS):
            return
        objects = {
            Ref(kind.title, namespace, name): {**obj, "kind": kind.title}
            for kind in KINDS
            for (namespace, name), obj in session.objects(kind.resource).items()
        }
        self._graph = graph(objects)
        self._draw()

    def on_filter(self, found: Filter) -> None:
        self._draw()

    def _draw(self) -> None:
        whole = self._graph
        trees = _Trees(whole, self.session.namespace, self._backwards)
        twigs = trees.of(self._roots())
        if self._broken_only:
            twigs = [one for one in map(_broken, twigs) if one is not None]
        if self.filter.text:
            twigs = [one for one in twigs if self._matches(one)]
        outline = self.query_one(Outline)
        if not twigs:
            outline.empty = self._why_empty()
        outline.fill(twigs)
        self._tell()

    def _why_empty(self) -> str:
        place = self.place
        if place.name and not self._roots():
            return f"There is no {place.kind}/{place.name} in namespace {place.namespace}."
        if not self._graph.nodes:
            return NOTHING
        return f"Nothing matches {self.filter.text!r}." if self.filter.text else "Nothing is broken."

    def _roots(self) -> list[Ref]:
        place, whole = self.place, self._graph
        if place.name:
            here = Ref(BY_COMMAND[place.kind].title, place.namespace or "", place.name)
            return [here] if here in whole.nodes else []
        if not self._backwards:
            return whole.roots()
        leaves = [ref for ref in whole.nodes if not whole.uses(ref)]
        return leaves or list(whole.nodes)

    def _matches(self, twig: Twig) -> bool:
        text = " ".join(one.text for one in twig.cells)
        return self.filter.matches(text) or any(self._matches(one) for one in twig.below)

    # The node under the cursor.

    @property
    def _here(self) -> Ref | None:
        """The resource; of a tool the server that has it."""
        found = self.query_one(Outline).twig
        if found is None or isinstance(found.target, Ref):
            return found.target if found else None
        return Ref("MCPServer", found.target.namespace, found.target.name)

    @on(Outline.Moved)
    def _tell(self) -> None:
        ref = self._here
        about = self.query_one("#about", Static)
        if ref is None or ref not in self._graph.nodes:
            about.update(Content(""))
            return
        node, whole = self._graph.nodes[ref], self._graph
        parts = [
            Content.styled(sanitize.line(str(ref)), "bold"),
            Content.styled(f"  {node.state.glyph} {node.state}", TONES[tone(node.state)]),
        ]
        if node.reason:
            told = f"{node.reason}: {node.message}" if node.message else node.reason
            parts.append(Content.styled(f"  {sanitize.line(told)}", TONES[tone(node.state)]))
        for title, edges, end in (("uses", whole.uses(ref), "used"), ("used by", whole.used_by(ref), "user")):
            if edges:
                words = ", ".join(
                    f"{getattr(edge, end).word}{f' (✖ {edge.problem})' if edge.problem else ''}" for edge in edges
                )
                parts.append(Content(f"\n{title}: {sanitize.line(words)}"))
        about.update(Content.assemble(*parts))

    @on(Outline.Opened)
    def _opened(self, event: Outline.Opened) -> None:
        if isinstance(event.twig.target, Place):
            self.console.go(event.twig.target)
            return
        ref: Ref = event.twig.target
        if self._graph.nodes[ref].state == "missing":
            self.notice(f"{ref} does not exist.  w says what to do.", error=True)
            return
        self.console.go(Place("detail", ref.handler.command, ref.namespace, ref.name))

    def action_look(self, view: str) -> None:
        from kaos.tui.kinds import INTERACT

        ref = self._here
        if ref is None:
            return
        if self._graph.nodes[ref].state == "missing":
            users = self._graph.used_by(ref)
            ref = users[0].user if users else ref  # why it is missed is told of who misses it
        command = ref.handler.command
        self.console.go(Place(view or INTERACT[command], command, ref.namespace, ref.name))

    def action_turn(self) -> None:
        self._backwards = not self._backwards
        self._draw()
        self.refresh_chrome()

    def action_problems(self) -> None:
        self._broken_only = not self._broken_only
        self._draw()

    def action_all_namespaces(self) -> None:
        self.run_worker(self.console.look_at(None), exit_on_error=False)


def _use(server: Ref, tool: str) -> Place:
    return Place("invoke", "mcp", server.namespace, server.name, tool)


class _Trees:
    """The graph as trees: what is taken apart in one place is not taken apart in another; circles end."""

    def __init__(self, whole: Graph, namespace: str | None, backwards: bool) -> None:
        self._graph = whole
        self._namespace = namespace
        self._backwards = backwards
        self._told: set[Ref] = set()
        self._ahead: list[Ref] = []  # what stood too deep, and begins a tree of its own

    def of(self, roots: list[Ref]) -> list[Twig]:
        found = [self._twig(ref, None, ()) for ref in roots]
        while self._ahead:
            found.append(self._twig(self._ahead.pop(0), None, ()))
        return found

    def _twig(self, ref: Ref, edge: Edge | None, path: tuple[Ref, ...]) -> Twig:
        cells, key = self._cells(ref, edge), (*path, ref, edge.does if edge else "")
        edges = self._graph.used_by(ref) if self._backwards else self._graph.uses(ref)
        if edges and path:
            elsewhere = "↻ a circle" if ref in path else "↑ see above" if ref in self._told else ""
            if not elsewhere and len(path) >= DEEPEST:
                self._ahead.append(ref)
                elsewhere = "↓ see below"
            if elsewhere:
                self._told.add(ref)
                return Twig(key, (*cells, Cell(elsewhere, MUTED)), target=ref)
        self._told.add(ref)
        ends = [(one.user if self._backwards else one.used, one) for one in edges]
        below = tuple(self._twig(end, one, (*path, ref)) for end, one in ends)
        tools = () if self._backwards else self._graph.nodes[ref].tools
        if tools:
            below += tuple(
                Twig((*key, tool), (Cell("tool", MUTED), cell(tool)), target=_use(ref, tool)) for tool in tools
            )
            cells += (Cell(f"{len(tools)} tool{'s' if len(tools) > 1 else ''}", MUTED),)
        return Twig(key, cells, below, ref, folded=bool(tools) or len(path) >= UNFOLDED)

    def _cells(self, ref: Ref, edge: Edge | None) -> tuple[Cell, ...]:
        node = self._graph.nodes[ref]
        name = ref.name if self._namespace == ref.namespace else f"{ref.namespace}/{ref.name}"
        does = (_BACKWARDS[edge.does] if self._backwards else edge.does) if edge else ref.kind
        if edge and edge.problem:
            why = [cell(f"✖ {edge.problem}", BAD)]
        else:
            why = [cell(node.reason, tone(node.state))] if node.reason else []
        state = Cell(f"{node.state.glyph} {node.state}", tone(node.state))
        about = [cell(node.about, MUTED)] if node.about else []
        return (Cell(does, MUTED), cell(name, "strong"), state, *about, *why)


def _broken(twig: Twig) -> Twig | None:
    """With only the branches that lead to something broken."""
    kept = tuple(one for one in map(_broken, twig.below) if one is not None)
    itself = any(one.tone in (BAD, "warn") for one in twig.cells)
    return Twig(twig.key, twig.cells, kept, twig.target) if kept or itself else None
