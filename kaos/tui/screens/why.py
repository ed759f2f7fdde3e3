"""Why: the causes of what is not well, each with its cure and the chain that leads to it."""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.widgets import Static

from kaos.actions import resources, system
from kaos.actions.evidence import Link
from kaos.actions.health import Ref
from kaos.actions.kinds import KINDS
from kaos.actions.survey import take
from kaos.actions.why import Trouble, diagnose, troubles
from kaos.errors import KaosError, NotFound
from kaos.kube import sanitize
from kaos.kube.resources import Resource
from kaos.tui.kinds import BY_COMMAND
from kaos.tui.looks import BAD, MUTED, OK, TONES, Cell, cell
from kaos.tui.places import Place
from kaos.tui.screens.states import tone
from kaos.tui.screens.verbs import ObjectVerbs, Target
from kaos.tui.widgets.outline import Outline, Twig
from kaos.tui.widgets.table import Column, Row, Table

_SETTLE_S = 0.5  # changes come in bursts; one look at the cluster is enough for each
_RESOURCES = {kind.resource for kind in KINDS}


@dataclass(frozen=True)
class Told:
    """One look at the cluster."""

    troubles: tuple[Trouble, ...]
    chain: Link | None
    looked_at: int
    unread: tuple[str, ...]


class WhyScreen(ObjectVerbs):
    """Of everything in a namespace, or of one resource."""

    DEFAULT_CSS = """
    WhyScreen {
        & Table { height: auto; max-height: 40%; min-height: 3; }
        & #cause { height: auto; padding: 0 1; margin: 1 0; }
        & Outline { height: 1fr; padding: 0 1; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("R", "cure", "run the cure", id="why.cure"),
        Binding("c", "copy_cure", "copy the cure", id="why.copy"),
        Binding("e", "edit", "edit", id="object.edit"),
        Binding("l", "look('logs')", "logs", id="list.logs"),
        Binding("x", "look('map')", "map", id="list.map", show=False),
        Binding("tab", "app.focus_next", "causes, chain", id="why.next", show=False),
    ]

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._told: Told | None = None
        self._waiting = False
        self._one_at_a_time = asyncio.Lock()

    def crumbs(self) -> tuple[str, ...]:
        return super().crumbs() if self.place.name else (self.session.namespace or "all namespaces", "why")

    def argv(self) -> tuple[str, ...]:
        if self.place.name:
            return ("why", f"{self.place.kind}/{self.place.name}", "-n", self.place.namespace or "default")
        return ("why", *self.in_namespace(self.session.namespace))

    def body(self) -> ComposeResult:
        yield Table((Column("STATE"), Column("CAUSE", flexible=True), Column("BREAKS", 1)), id="causes", empty="")
        yield Static(Content("Looking at the cluster …"), id="cause")
        yield Outline(empty="")

    def on_mount(self) -> None:
        self.query_one(Table).focus()

    def on_objects(self, changed: set[Resource]) -> None:
        if not changed or changed & _RESOURCES:
            self._look(_SETTLE_S if self._told else 0)

    def refetch(self) -> None:
        self._look()

    def _look(self, after_s: float = 0) -> None:
        """At most one look is waited for, and none is given up for a later one: changes may never end."""
        if not self._waiting:
            self._waiting = True
            self.set_timer(max(after_s, 0.01), self._look_now)

    @work(group="why", exit_on_error=False)
    async def _look_now(self) -> None:
        async with self._one_at_a_time:
            self._waiting = False
            if not self.session.connected or self.session.health.lost:  # once it is back, we are told
                return
            try:
                told = await asyncio.to_thread(self._read)
            except KaosError as error:
                self._show_failure(error)
                return
        if told != self._told:
            self._told = told
            self._show(told)

    def _read(self) -> Told:
        place = self.place
        if not place.name:
            found = take(self.session.client(), self.session.namespace)
            return Told(tuple(troubles(found)), None, len(found.resources), found.unread)
        ref = Ref(BY_COMMAND[place.kind].title, place.namespace or "default", place.name)
        found = take(self.session.client(), ref.namespace, ref)
        if not found.installed:
            return Told(tuple(troubles(found)), None, 0, found.unread)
        if ref not in found.resources:
            raise NotFound(f"There is no {ref}.", "")
        told = diagnose(found, ref)
        return Told(told.troubles, told.chain, 1, found.unread)

    def _show_failure(self, error: KaosError) -> None:
        self._told = None
        self.query_one(Table).fill([])
        self.query_one(Outline).fill([])
        words = "\n".join(sanitize.line(part) for part in (error.cause, error.cure) if part)
        self.query_one("#cause", Static).update(Content.styled(words, TONES[BAD]))

    def _show(self, told: Told) -> None:
        table = self.query_one(Table)
        table.display = bool(told.troubles)
        table.fill(
            Row((one.cause.about, one.cause.reason), (
                Cell(f"{one.cause.state.glyph} {one.cause.state}", tone(one.cause.state)),
                cell(one.cause.sentence), cell(_breaks(one), MUTED)), (number,))
            for number, one in enumerate(told.troubles)
        )  # fmt: skip
        if not told.troubles:
            self.query_one(Outline).focus()
        self._show_cause()

    @property
    def _trouble(self) -> Trouble | None:
        key = self.query_one(Table).key
        known = self._told.troubles if self._told else ()
        return next((one for one in known if (one.cause.about, one.cause.reason) == key), None)

    @on(Table.Moved)
    def _show_cause(self) -> None:
        told, trouble = self._told, self._trouble
        if told is None:
            return
        self.query_one("#cause", Static).update(_cause(trouble) if trouble else self._nothing(told))
        chain = told.chain or (trouble.chain if trouble else None)
        self.query_one(Outline).fill([twig(chain)] if chain else [])

    def _nothing(self, told: Told) -> Content:
        where = f"{told.chain.what} is {told.chain.state}." if told.chain else (
            f"{told.looked_at} resource{'s' if told.looked_at != 1 else ''} looked at.")  # fmt: skip
        parts = [Content.styled("● Nothing is wrong. ", TONES[OK]), Content(sanitize.line(where))]
        parts += [Content.styled(f"\nNot everything could be looked at. {sanitize.line(one)}", TONES[BAD])
                  for one in told.unread]  # fmt: skip
        return Content.assemble(*parts)

    # What can be done about it.

    def chosen(self) -> list[Target]:
        """The resource under the cursor, else the one at fault or the first that it breaks."""
        focused = self.query_one(Outline)
        ref = focused.twig.target if focused.has_focus and focused.twig else None
        trouble = self._trouble
        if ref is None and trouble is not None and trouble.breaks:
            ref = next((one for one in trouble.breaks if str(one) == trouble.cause.about), trouble.breaks[0])
        if ref is None and self.place.name:
            ref = Ref(BY_COMMAND[self.place.kind].title, self.place.namespace or "default", self.place.name)
        return [(ref.handler, ref.namespace, ref.name)] if ref else []

    @on(Table.Opened)
    def _opened_cause(self) -> None:
        self.action_look("detail")

    @on(Outline.Opened)
    def _opened(self, event: Outline.Opened) -> None:
        ref: Ref = event.twig.target
        self.console.go(Place("detail", ref.handler.command, ref.namespace, ref.name))

    def action_look(self, view: str) -> None:
        for kind, namespace, name in self.chosen():
            self.console.go(Place(view, kind.command, namespace, name))

    def action_copy_cure(self) -> None:
        if (trouble := self._trouble) and trouble.cause.command:
            self.copy(shlex.join(trouble.cause.command))
        else:
            self.notice("There is no command for it." if trouble else "Nothing is wrong.")

    @work(exit_on_error=False)
    async def action_edit(self) -> None:
        for kind, namespace, name in self.chosen():
            await self.edit(kind, namespace, name)

    @work(exit_on_error=False)
    async def action_cure(self) -> None:
        """What only looks is looked at here; what changes something is asked first; the rest is for a person."""
        trouble = self._trouble
        if trouble is None:
            self.notice("Nothing is wrong.")
            return
        match trouble.cause.command:
            case ("kaos", kind, ("logs" | "describe") as view, name, "-n", namespace, *_):
                self.console.go(Place("logs" if view == "logs" else "detail", kind, namespace, name))
            case ("kaos", kind, "edit", name, "-n", namespace):
                await self.edit(BY_COMMAND[kind], namespace, name)
            case ("kaos", "logs", "--operator"):
                self.console.go(Place("logs", kind="operator"))
            case ("kaos", "operator", "run"):
                where = self.session.context
                if await self.confirm(f"Run the operator of {where} from this console, until it is left?", verb="run"):
                    self.console.operator.start()
            case ("kaos", "system", "install", *_):
                if await self.confirm(f"Install KAOS's kinds and registry on {self.session.context}?", verb="install"):
                    await self.do(lambda: system.install_prerequisites(self.session.client()))
                    self.session.retry()
            case ("kaos", kind, "deploy", *_):
                self.copy(shlex.join(trouble.cause.command))
                self.console.go(Place("deploy", kind, trouble.breaks[0].namespace))
            case ("kaos", kind, "resume", name, "-n", namespace):
                await self._start_again(BY_COMMAND[kind], namespace, name)
            case ():
                self.notice(f"Only you can: {trouble.cause.cure}")
            case command:
                self.copy(shlex.join(command))
        self._look()

    async def _start_again(self, kind: Any, namespace: str, name: str) -> None:
        if await self.confirm(f"Resume {kind.title} {namespace}/{name}?", verb="resume"):
            await self.do(lambda: resources.resume(self.session.client(), kind, name, namespace))


def _breaks(trouble: Trouble) -> str:
    others = [ref.word for ref in trouble.breaks if str(ref) != trouble.cause.about]
    return ", ".join(others[:3]) + (f" +{len(others) - 3}" if len(others) > 3 else "")


def _cause(trouble: Trouble) -> Content:
    """The sentence, what it means, the cure and its command."""
    cause = trouble.cause
    parts: list[Content] = [
        Content.styled(f"{cause.state.glyph} {sanitize.line(cause.sentence)}", f"bold {TONES[tone(cause.state)]}")
    ]
    others = ", ".join(ref.word for ref in trouble.breaks if str(ref) != cause.about)
    rows = (("Means", cause.meaning), ("Cure", cause.cure), ("Breaks", others))
    parts += [Content(f"\n  {name + ':':<9}{sanitize.line(text)}") for name, text in rows if text]
    if cause.command:
        command = sanitize.line(shlex.join(cause.command))
        parts += [Content(f"\n  {'Command:':<9}"), Content.styled(command, "bold $text-accent")]
    return Content.assemble(*parts)


def twig(link: Link, path: tuple[Any, ...] = ()) -> Twig:
    """A link of the chain as a line of the outline."""
    key = (*path, link.what)
    below = tuple(twig(one, (*key, index)) for index, one in enumerate(link.below))
    cells = (
        Cell(link.state.glyph, tone(link.state)),
        cell(f"{link.what}:"),
        cell(link.text or link.state.value, tone(link.state) if not link.state.healthy else MUTED),
    )
    return Twig(key, cells, below, link.ref)
