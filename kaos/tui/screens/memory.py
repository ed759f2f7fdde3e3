"""What an agent remembers: its sessions, and what happened in the one under the cursor."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from kaos.api.names import AGENTS
from kaos.errors import KaosError
from kaos.kube import sanitize
from kaos.kube.resources import Resource
from kaos.tui import looks
from kaos.tui.kinds import BY_COMMAND
from kaos.tui.looks import cell
from kaos.tui.places import Place
from kaos.tui.screens.base import ConsoleScreen
from kaos.tui.widgets.filters import Filter
from kaos.tui.widgets.table import Column, Row, Table

if TYPE_CHECKING:
    from kaos.actions.memory import Event, Session
    from kaos.cluster import Client

EVENTS = 1000
TIMEOUT_S = 15.0
NO_SESSIONS = "No sessions yet. i begins one."
SESSION_COLUMNS = (
    Column("SESSION", flexible=True), Column("EVENTS", right=True), Column("BEGAN", 1), Column("LAST"),
)  # fmt: skip
EVENT_COLUMNS = (Column("TIME"), Column("KIND"), Column("WHAT", flexible=True))
_TONES = {"user_message": looks.BUSY, "task_delegation_received": looks.BUSY, "agent_response": looks.OK}


class MemoryScreen(ConsoleScreen):
    """Sessions, and the events of one."""

    DEFAULT_CSS = """
    MemoryScreen {
        & #sessions { height: 35%; min-height: 4; }
        & #title { height: 1; padding: 0 1; text-style: bold; }
        & #events { height: 1fr; }
    }
    """
    filterable = True
    BINDINGS: ClassVar[list[Any]] = [
        Binding("tab,shift+tab", "other", "sessions/events", key_display="tab", id="memory.other"),
        Binding("i", "chat", "go on with it", id="memory.chat"),
        Binding("c", "copy_event", "copy", id="memory.copy"),
        Binding("t", "trace", "trace", id="memory.trace"),
    ]

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._session_id = place.item
        self._found: dict[int, Event] = {}
        self._asked = False
        self._failed = False

    @property
    def namespace(self) -> str:
        return self.place.namespace or self.session.namespace or "default"

    def argv(self) -> tuple[str, ...]:
        chosen = ("--session", self._session_id) if self._session_id else ()
        return "agent", "memory", self.place.name, "-n", self.namespace, *chosen

    def crumbs(self) -> tuple[str, ...]:
        chosen = (self._session_id,) if self._session_id else ()
        return self.namespace, "agent", self.place.name, "memory", *chosen

    def body(self) -> ComposeResult:
        yield Table(SESSION_COLUMNS, id="sessions", empty=NO_SESSIONS)
        yield Static(id="title")
        yield Table(EVENT_COLUMNS, id="events", empty="Nothing is remembered of it.")

    def on_mount(self) -> None:
        self._sessions.sort("LAST", backwards=True)
        self.set_focus(self._sessions)

    @property
    def _sessions(self) -> Table:
        return self.query_one("#sessions", Table)

    @property
    def _events(self) -> Table:
        return self.query_one("#events", Table)

    def on_objects(self, changed: set[Resource]) -> None:
        if self.session.connected and (not self._asked or (self._failed and AGENTS in changed)):
            self._asked = True
            self.refetch()

    def on_screen_resume(self) -> None:
        if self._asked:
            self.refetch()

    def on_filter(self, found: Filter) -> None:
        self._events.narrow(found)

    def refetch(self) -> None:
        self.run_worker(self._load, exclusive=True, group="sessions", exit_on_error=False)

    async def _load(self) -> None:
        try:
            found = await asyncio.to_thread(_sessions_of, self.session.client(), self.place.name, self.namespace)
        except KaosError as error:
            self._failed = True
            self._sessions.empty = sanitize.line(" ".join(part for part in (f"✖ {error.cause}", error.cure) if part))
            self._sessions.fill(())
            return
        self._failed = False
        self._sessions.empty = NO_SESSIONS
        if not self._session_id and found:
            self._session_id = found[0].id
        self._sessions.fill(_session_row(one) for one in found)
        keys = [row.key for row in self._sessions.rows]
        if self._session_id in keys:
            self._sessions.cursor = keys.index(self._session_id)
        self._load_events()

    def _load_events(self) -> None:
        self.refresh_chrome()
        if self._session_id:
            load = partial(self._events_of, self._session_id)
            self.run_worker(load, exclusive=True, group="events", exit_on_error=False)

    async def _events_of(self, session_id: str) -> None:
        found = await self.do(_events_in, self.session.client(), self.place.name, self.namespace, session_id)
        if found is None or session_id != self._session_id:
            return
        self._found = {event.number: event for event in found}
        title = f"{sanitize.line(session_id)}   {len(found)} events"
        self.query_one("#title", Static).update(Content(title))
        self._events.fill(_event_row(event) for event in found)

    # Moving.

    @on(Table.Moved)
    def _moved(self, event: Table.Moved) -> None:
        if event.table.id == "sessions" and event.key and event.key != self._session_id:
            self._session_id = event.key
            self._load_events()

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        if event.table.id == "sessions":
            self.set_focus(self._events)
        elif found := self._found.get(event.key):
            self.app.push_screen(EventScreen(found))

    def action_leave(self) -> None:
        if self._events.has_focus and not self.filter.text:
            self.set_focus(self._sessions)
        else:
            super().action_leave()

    def action_other(self) -> None:
        # At once, unlike `focus()`: the next key is meant for the other table already.
        self.set_focus(self._sessions if self._events.has_focus else self._events)

    def action_chat(self) -> None:
        self.console.go(Place("chat", "agent", self.namespace, self.place.name, self._session_id))

    def action_trace(self) -> None:
        self.console.go(Place("trace", "agent", self.namespace, self.place.name, self._session_id))

    def action_copy_event(self) -> None:
        if self._events.has_focus and (found := self._found.get(self._events.key)):
            self.copy(found.words)
        elif self._session_id:
            self.copy(self._session_id)


class EventScreen(ModalScreen[None]):
    """One event, whole."""

    DEFAULT_CSS = """
    EventScreen { align: center middle;
        & VerticalScroll { width: 100; max-width: 95%; height: auto; max-height: 85%; background: $surface;
            padding: 1 2; border: round $primary; }
        & Static { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[Any]] = [Binding("escape,enter,q", "dismiss", "close", id="event.close")]

    def __init__(self, event: Event) -> None:
        super().__init__()
        self._event = event

    def compose(self) -> ComposeResult:
        event, data = self._event, dict(self._event.data)
        text = data.pop("text", None)
        parts = [Content.styled(f"{sanitize.line(event.kind)}   {_clock(event.at, date=True)}\n\n", "bold")]
        if data:
            parts.append(Content(sanitize.text(json.dumps(data, ensure_ascii=False, indent=2)) + "\n\n"))
        if text is not None:
            parts.append(Content(sanitize.text(str(text))))
        with VerticalScroll():
            yield Static(Content.assemble(*parts))


def _endpoint(client: Client, name: str, namespace: str) -> Any:
    from kaos.actions.chat import Endpoint

    return Endpoint(client, BY_COMMAND["agent"], name, namespace, TIMEOUT_S)


def _sessions_of(client: Client, name: str, namespace: str) -> list[Session]:
    from kaos.actions.memory import sessions

    return sessions(_endpoint(client, name, namespace))


def _events_in(client: Client, name: str, namespace: str, session_id: str) -> list[Event]:
    from kaos.actions.memory import events

    return events(_endpoint(client, name, namespace), session_id, EVENTS)


def _session_row(one: Session) -> Row:
    cells = cell(one.id), cell(one.events), cell(_clock(one.created, True)), cell(_clock(one.updated, True))
    return Row(one.id, cells, (None, one.events, one.created, one.updated))


def _event_row(one: Event) -> Row:
    tone = looks.BAD if one.failed else _TONES.get(one.kind, looks.MUTED)
    words = f"✖ {one.words}" if one.failed else one.words
    cells = cell(_clock(one.at)), cell(one.kind, tone), cell(words[:1000])
    return Row(one.number, cells, (one.number,), one.failed)


def _clock(at: float, date: bool = False) -> str:
    moment = datetime.fromtimestamp(at)
    return f"{moment:%Y-%m-%d %H:%M:%S}" if date else f"{moment:%H:%M:%S}"
