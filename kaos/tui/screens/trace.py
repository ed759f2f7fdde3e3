"""Trace: what an agent did to answer, step by step with times, followed into the agents that it delegated to."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from kaos.actions.trace import Step, Turn, trace
from kaos.kube import sanitize
from kaos.kube.resources import Resource
from kaos.tui.looks import BAD, MUTED, Cell, cell
from kaos.tui.places import Place
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.widgets.outline import Outline, Twig

NOTHING = "It remembers nothing yet.  i asks it something."
_SHOWN = 120  # characters of one text in the tree; all of it stands below
_WORDS = {"model": "model", "answer": "answer", "error": "✖ error", "note": "note"}


class TraceScreen(ConsoleScreen):
    """The last turn of an agent, or all turns of one session (`place.item`)."""

    DEFAULT_CSS = """
    TraceScreen {
        & Outline { height: 2fr; padding: 0 1; }
        & VerticalScroll { height: 1fr; min-height: 3; padding: 0 1; border-top: solid $panel; }
        & VerticalScroll:focus { border-top: solid $primary; }
        & Static { height: auto; }
        &.-wide Body { layout: horizontal; }
        &.-wide Outline { width: 3fr; height: 1fr; }
        &.-wide VerticalScroll { width: 2fr; border-top: none; border-left: solid $panel; }
    }
    """
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [(0, "-narrow"), (140, "-wide")]
    BINDINGS: ClassVar[list[Any]] = [
        Binding("c", "copy_text", "copy", id="trace.copy"),
        Binding("i", "look('chat')", "chat", id="list.interact"),
        Binding("m", "look('memory')", "memory", id="trace.memory"),
        Binding("l", "look('logs')", "logs", id="list.logs"),
        Binding("w", "look('why')", "why", id="list.why", show=False),
        Binding("r", "retry", "read again", id="screen.refresh"),
    ]

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._turns: list[Turn] | None = None
        self._texts: dict[Any, str] = {}

    def crumbs(self) -> tuple[str, ...]:
        return (*super().crumbs(), *((self.place.item,) if self.place.item else ()))

    def argv(self) -> tuple[str, ...]:
        place = self.place
        session = ("--session", place.item) if place.item else ()
        return ("trace", place.name, "-n", place.namespace or "default", *session)

    def body(self) -> ComposeResult:
        yield Outline(empty=NOTHING)
        with VerticalScroll():
            yield Static(id="text")

    def on_mount(self) -> None:
        self.query_one(Outline).focus()

    def on_objects(self, changed: set[Resource]) -> None:
        if self._turns is None:
            self._read()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self._read()

    def refetch(self) -> None:
        self._read()

    @work(exclusive=True, group="trace", exit_on_error=False)
    async def _read(self) -> None:
        if not self.session.connected:
            return
        place = self.place
        found = await self.do(
            lambda: trace(self.session.client(), place.name, place.namespace or "default", place.item or None)
        )
        outline = self.query_one(Outline)
        outline.empty = NOTHING if found is not None else "Its memory cannot be read now.  r tries again, w says why."
        if found is not None:
            self._turns, self._texts = found, {}
        outline.fill(self._turn(turn, turn.at, (number,)) for number, turn in enumerate(self._turns or ()))
        self._show_text()

    def _turn(self, turn: Turn, begin: float, key: tuple[Any, ...]) -> Twig:
        took = "not answered" if turn.seconds is None else length(turn.seconds)
        self._texts[key] = turn.question
        when = (
            f"{datetime.fromtimestamp(turn.at, UTC):%H:%M:%S}Z" if turn.at == begin else f"+{length(turn.at - begin)}"
        )
        cells = (
            Cell(when, MUTED),
            cell(turn.agent, "strong"),
            Cell(took, MUTED),
            *((cell(f"{turn.asked_by}:", MUTED),) if turn.asked_by else ()),
            cell(cut(turn.question)),
        )
        below = tuple(self._step(step, begin, (*key, number)) for number, step in enumerate(turn.steps))
        return Twig(key, cells, below)

    def _step(self, step: Step, begin: float, key: tuple[Any, ...]) -> Twig:
        took = "not ended" if step.seconds is None else length(step.seconds)
        cells = [Cell(f"+{length(step.at - begin)}", MUTED), cell(_WORDS.get(step.kind, step.name))]
        given = "" if step.arguments is None else json.dumps(step.arguments, ensure_ascii=False)
        if step.kind in ("tool", "delegation"):
            mark = "✖ failed" if step.failed else "→"
            cells += [cell(cut(given), MUTED), Cell(took, MUTED), cell(f"{mark} {cut(step.text)}", BAD * step.failed)]
            asked = json.dumps(step.arguments, indent=2, ensure_ascii=False)
            self._texts[key] = f"{step.name}  {took}\n\n{asked}\n\n{step.text}"
        else:
            cells.append(Cell(took, MUTED) if step.kind == "model" else cell(cut(step.text), BAD * step.failed))
            self._texts[key] = step.text or f"The model took {took}."
        below = tuple(self._turn(turn, begin, (*key, number)) for number, turn in enumerate(step.below))
        return Twig(key, tuple(cells), below)

    @on(Outline.Moved)
    def _show_text(self) -> None:
        self.query_one("#text", Static).update(Content(sanitize.text(self._text)))

    @property
    def _text(self) -> str:
        twig = self.query_one(Outline).twig
        return self._texts.get(twig.key, "") if twig else ""

    def action_copy_text(self) -> None:
        if self._text:
            self.copy(self._text)

    def action_look(self, view: str) -> None:
        item = self.place.item or (self._turns[-1].session_id if self._turns else "")
        place = self.place
        self.console.go(Place(view, "agent", place.namespace, place.name, item if view in ("chat", "memory") else ""))


def length(seconds: float) -> str:
    """A length of time in the unit that suits it."""
    return f"{max(seconds, 0) * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
