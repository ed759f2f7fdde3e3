"""Logs: what all pods of a resource say, as it is said; or what they said before, and the operator's own log.

Readers on threads put lines into a bounded queue; this takes them twenty times a second. While one reads and there is
no room left for more, nothing is taken, and the readers wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
import os
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TextIO

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.widgets import Static

from kaos.actions import operatorlogs
from kaos.actions.following import Following
from kaos.actions.podlogs import LogLine, PodsOf, Selection, Source, past
from kaos.cluster import Client
from kaos.errors import KaosError, NoConnection
from kaos.kube import sanitize
from kaos.kube.resources import Resource
from kaos.tui.kinds import BY_COMMAND
from kaos.tui.looks import TONES
from kaos.tui.places import Place
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.widgets.filters import Filter
from kaos.tui.widgets.loglines import MOST_LINES
from kaos.tui.widgets.logview import LogView

_FLUSH_S = 0.05
_AT_ONCE = 4_000  # lines taken in one flush
_SAVED_AT_ONCE = 1_000
_TAIL = 1_000
_PAUSES = (1.0, 2.0, 4.0, 8.0)  # between attempts to reach the API server
OPERATOR = "operator"
PREVIOUS = "previous"


class Range(NamedTuple):
    """What a digit chooses: how it is called, the words of the command, and the part of the logs."""

    title: str
    words: tuple[str, ...]
    tail: int | None = None
    since_s: int | None = None


RANGES = (
    Range(f"last {_TAIL:,}", ("--tail", str(_TAIL)), tail=_TAIL),
    Range("from the beginning", ()),
    *(Range(f"last {text}", ("--since", text), since_s=minutes * 60) for text, minutes in (
        ("1m", 1), ("5m", 5), ("15m", 15), ("30m", 30), ("1h", 60))),
)  # fmt: skip


class LogsScreen(ConsoleScreen):
    """`place.name` may name several resources of the kind (`a,b`); `place.item` one pod, or `previous`."""

    filterable = True
    DEFAULT_CSS = """
    LogsScreen {
        & #state { height: 1; padding: 0 1; background: $surface; }
        & LogView { height: 1fr; }
        &.-full TopLine, &.-full #state, &.-full CommandLine, &.-full HintLine { display: none; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("p", "previous", "previous", id="logs.previous"),
        Binding("a", "pod", "all or one pod", key_display="a", id="logs.pod", show=False),
        Binding("f", "full", "full screen", id="logs.full"),
        Binding("ctrl+s", "save", "save", id="logs.save"),
        *(
            Binding(str(digit), f"range({digit})", one.title, id=f"logs.range-{digit}", show=False)
            for digit, one in enumerate(RANGES)
        ),
    ]

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.range = RANGES[0]
        self.previous = place.item == PREVIOUS
        self.pod = place.item if place.item and not self.previous else None
        self._following: Following | None = None
        self._waiting: Iterator[LogLine] = iter(())  # of a log that has ended
        self._read_from: Any = None  # the connection
        self._trouble = ""  # why nothing is read now
        self._ended: KaosError | None = None
        self._arranged = False  # the next flush
        self._pods: list[str] = []
        self._told = ""

    # Where this is.

    def crumbs(self) -> tuple[str, ...]:
        if self.place.kind == OPERATOR:
            return "system", OPERATOR, "logs"
        place = self.place
        return tuple(filter(None, (place.namespace, place.kind, place.name, "logs", self.pod)))

    def argv(self) -> tuple[str, ...]:
        where: tuple[str, ...] = ("--operator",)
        if self.place.kind != OPERATOR:
            named = (f"{self.place.kind}/{name}" for name in self.place.name.split(","))
            where = (*named, "-n", self._namespace)
        words = ["logs", *where, *(("--pod", self.pod) if self.pod else ())]
        if self.previous:
            words.append("--previous")
        elif self.is_mounted and self.view.following:
            words.append("-f")
        words += self.range.words
        if self.is_mounted and self.view.dated:
            words.append("--timestamps")
        return tuple(words)

    def body(self) -> ComposeResult:
        yield Static(id="state")
        yield LogView()

    @property
    def _namespace(self) -> str:
        connection = self.session.connection
        return self.place.namespace or (connection.namespace if connection else "default")

    @property
    def view(self) -> LogView:
        return self.query_one(LogView)

    def on_mount(self) -> None:
        self.set_focus(self.view)
        if self.filter.text:
            self.view.narrow(self.filter)
        self.refetch()

    def on_objects(self, changed: set[Resource]) -> None:
        if self.session.connected and self._read_from is not self.session.connection:
            self.refetch()

    def on_unmount(self) -> None:
        self._close()

    def _close(self) -> None:
        if self._following is not None:
            self._following.close()
        self._following, self._waiting, self._ended = None, iter(()), None

    # Reading.

    def refetch(self) -> None:
        """Read anew, as it is asked for now."""
        self._close()
        self._trouble = ""
        self.view.clear()
        self._tell()
        if self.session.connected:
            self._read_from = self.session.connection
            self._begin()

    @work(exclusive=True, group="logs", exit_on_error=False)
    async def _begin(self) -> None:
        """Start to read; again and again while the API server does not answer."""
        client = Client(self._read_from)
        pod = None if self.place.kind == OPERATOR else self.pod
        wanted = Selection(pod=pod, previous=self.previous, tail=self.range.tail, since_s=self.range.since_s)
        for attempt in itertools.count():
            try:
                await self._start(client, wanted)
            except NoConnection as error:
                pause = _PAUSES[min(attempt, len(_PAUSES) - 1)]
                self._say(f"{error.cause} Trying again in {pause:.0f} s.")
                await asyncio.sleep(pause)
            except KaosError as error:
                self._ended = error
                self._say("")
                return
            else:
                self._say("")
                return

    async def _start(self, client: Client, wanted: Selection) -> None:
        sources = await asyncio.to_thread(self._sources, client)
        if self.previous:
            _, lines = await asyncio.to_thread(past, client, sources, wanted)
            self._waiting = iter(await asyncio.to_thread(deque, lines, MOST_LINES))
            self._arrange()
            return
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()

        def on_news() -> None:
            with contextlib.suppress(RuntimeError):  # the console is closed already
                loop.call_soon_threadsafe(self._arrange, context=context)

        following = Following(client, sources, wanted, on_news)
        self._following = following
        await asyncio.to_thread(following.begin)
        if self._following is not following:
            following.close()

    def _sources(self, client: Client) -> list[Source]:
        place = self.place
        if place.kind == OPERATOR:
            return [operatorlogs.operator_source(client)]
        kind = BY_COMMAND[place.kind]
        return [PodsOf.resource(kind, name, self._namespace) for name in place.name.split(",")]

    def _arrange(self) -> None:
        """See to it that what has come is taken soon."""
        if not self._arranged and self.is_mounted:
            self._arranged = True
            self.set_timer(_FLUSH_S, self._flush)

    def _flush(self) -> None:
        self._arranged = False
        view = self.view
        if view.full:
            return  # goes on when one follows again
        lines: list[LogLine] = list(islice(self._waiting, _AT_ONCE))
        if self._following is not None:
            try:
                lines += self._following.take(_AT_ONCE)
            except KaosError as error:
                self._close()
                self._ended = error
                lines.append(LogLine("", error.cause, notice=True))
        if lines:
            view.write(lines)
            for speaker in view.store.speakers:
                if speaker.pod not in self._pods:
                    self._pods.append(speaker.pod)
        if len(lines) >= _AT_ONCE:
            self._arrange()
        self._tell()

    # What is told of it.

    def _say(self, trouble: str) -> None:
        self._trouble = sanitize.line(trouble)
        self._tell()

    def _tell(self) -> None:
        """The state above the lines, and what stands in place of lines."""
        view = self.view
        tone, words = self._state()
        facts = []
        if view.matching is not None:
            word = "match" if view.matching == 1 else "matches"
            more = "…" if view.scanning else ""
            among = "" if view.only else " among all"
            facts.append(f"/{view.filter.text}  {view.matching:,}{more} {word}{among}")
        count = len(view.store)
        facts.append(f"{count:,} line{'' if count == 1 else 's'}")
        if view.dropped:
            facts.append(f"{view.dropped:,} older dropped")
        if len(self._pods) > 1:
            facts.append(f"{len(self._pods)} pods" if self.pod is None else "one pod")
        facts += [word for word, holds in (("wrap", view.wrapped), ("times (UTC)", view.dated)) if holds]
        facts.append(PREVIOUS if self.previous else self.range.title)
        told = Content.assemble(Content.styled(words, TONES[tone]), Content("   " + " · ".join(facts)))
        if told.plain != self._told:
            self._told = told.plain
            self.query_one("#state", Static).update(told, layout=False)
        instead = self._instead()
        if instead != view.empty:
            view.empty = instead
            view.refresh()

    def _state(self) -> tuple[str, str]:
        if self._ended is not None:
            return "bad", "✖ ended"
        if self._trouble or (self._following is not None and self._following.lost):
            return "warn", "◐ API server away, trying again"
        if self.previous:
            return "muted", "○ over"
        if not self.session.connected:
            return "muted", "○ connecting"
        return ("ok", "● follows") if self.view.following else ("muted", "‖ paused")

    def _instead(self) -> str:
        view = self.view
        if self._ended is not None:
            return "\n".join(sanitize.line(part) for part in (self._ended.cause, self._ended.cure) if part)
        if self._trouble:
            return self._trouble
        if not self.session.connected:
            return "Connecting."
        if view.matching == 0 and len(view.store):
            none = f"No line of {len(view.store):,} matches {view.filter.text!r}."
            return f"{none}\n& shows all lines, esc lifts the filter."
        if self.previous:
            return "It had said nothing."
        when = f" in the {self.range.title}.  1 reads from the beginning" if self.range.since_s else " yet"
        return f"Nothing was said{when}.\np shows what was said before the last restart."

    def refresh_chrome(self) -> None:
        super().refresh_chrome()
        if self.is_mounted:
            self._tell()

    @on(LogView.Changed)
    def _changed(self) -> None:
        self._arrange()
        self.refresh_chrome()

    def on_filter(self, found: Filter) -> None:
        self.view.narrow(found)

    # Keys.

    def action_range(self, digit: int) -> None:
        self.range = RANGES[digit]
        self.refetch()
        if digit == 1:
            self.view.follow(False)
        self.refresh_chrome()

    def action_previous(self) -> None:
        self.previous = not self.previous
        self.refetch()
        self.refresh_chrome()

    def action_pod(self) -> None:
        """One pod after the other, then all again."""
        if len(self._pods) < 2 and self.pod is None:
            self.notice("There is one pod.")
            return
        at = self._pods.index(self.pod) + 1 if self.pod in self._pods else 0
        self.pod = self._pods[at] if at < len(self._pods) else None
        self.refetch()
        self.refresh_chrome()

    def action_full(self) -> None:
        self.toggle_class("-full")

    def action_leave(self) -> None:
        if self.has_class("-full"):
            self.remove_class("-full")
        else:
            super().action_leave()

    @work(group="save", exit_on_error=False)
    async def action_save(self) -> None:
        """Write the lines shown into a file of the working directory."""
        name = f"{self.place.kind}-{self.place.name or 'log'}-{datetime.now():%Y%m%d-%H%M%S}.log".replace(",", "-")
        path, lines, count = Path.cwd() / name, self.view.saved(), 0
        try:
            with await asyncio.to_thread(_created, path) as file:
                while some := list(islice(lines, _SAVED_AT_ONCE)):
                    count += len(some)
                    await asyncio.to_thread(file.write, "".join(f"{line}\n" for line in some))
        except OSError as error:
            self.notice(f"Not saved: {path}: {error.strerror}.", error=True)
        else:
            self.notice(f"Saved {count:,} lines: {path}")


def _created(path: Path) -> TextIO:
    """A new file that only its owner may read: logs may tell secrets."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
