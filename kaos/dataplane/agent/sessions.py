"""What the agent remembers: sessions and their events, in SQLite, in the process or on a volume.

Kinds of events: user_message, agent_response, tool_call, tool_result, delegation_request, delegation_response,
delegation_error, task_delegation_received, error.
"""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from dataclasses import dataclass
from typing import Any

from kaos.dataplane.agent.settings import Memory

Object = dict[str, Any]
ID_LIMIT = 128
_SCHEMA = """
create table if not exists sessions (id text primary key, created real, updated real);
create table if not exists events (
    number integer primary key autoincrement, session text, at real, kind text, data text,
    foreign key (session) references sessions (id) on delete cascade);
create index if not exists by_session on events (session, number);
"""


@dataclass(frozen=True)
class Event:
    """Something that happened in a session; `at` in seconds since 1970."""

    number: int
    session_id: str
    at: float
    kind: str
    data: Object


class Sessions:
    """All sessions. Every method is quick: a few rows of a local database."""

    def __init__(self, settings: Memory) -> None:
        self._settings = settings
        self._database = sqlite3.connect(settings.path or ":memory:", isolation_level=None)
        self._database.execute("pragma foreign_keys = on")
        if settings.path:
            self._database.execute("pragma journal_mode = wal")
        self._database.executescript(_SCHEMA)

    def open(self, session_id: str | None) -> str:
        """The session of that id, made if need be; a new one without an id. Raises ValueError for rubbish."""
        session_id = session_id or uuid.uuid4().hex
        if not session_id.isprintable() or len(session_id) > ID_LIMIT:
            raise ValueError(f"a session id is at most {ID_LIMIT} printable characters")
        if self._settings.enabled:
            now = time.time()
            self._database.execute("insert or ignore into sessions values (?, ?, ?)", (session_id, now, now))
            self._database.execute("update sessions set updated = ? where id = ?", (now, session_id))
            self._database.execute(
                "delete from sessions where id in (select id from sessions order by updated desc limit -1 offset ?)",
                (self._settings.max_sessions,),
            )
        return session_id

    def note(self, session_id: str, kind: str, **data: Any) -> None:
        """Remember something that happened; the oldest of too many is forgotten."""
        if not self._settings.enabled:
            return
        values = (session_id, time.time(), kind, json.dumps(data, ensure_ascii=False))
        try:
            self._database.execute("insert into events (session, at, kind, data) values (?, ?, ?, ?)", values)
        except sqlite3.IntegrityError:
            return  # the session has been forgotten meanwhile
        self._database.execute(
            "delete from events where session = ? and number <= "
            "(select number from events where session = ? order by number desc limit 1 offset ?)",
            (session_id, session_id, self._settings.max_session_events),
        )

    def history(self, session_id: str) -> list[Object]:
        """The last messages of the session, as the model takes them."""
        rows = self._database.execute(
            "select kind, data from events where session = ? and kind in ('user_message', 'agent_response', "
            "'task_delegation_received') order by number desc limit ?",
            (session_id, self._settings.context_limit),
        ).fetchall()
        return [
            {"role": "assistant" if kind == "agent_response" else "user", "content": json.loads(data)["text"]}
            for kind, data in reversed(rows)
        ]

    def all(self) -> list[Object]:
        """Every session, the one last used first."""
        rows = self._database.execute(
            "select id, created, updated, (select count(*) from events where session = sessions.id) "
            "from sessions order by updated desc"
        )
        return [{"id": i, "created": created, "updated": updated, "events": n} for i, created, updated, n in rows]

    def events(self, session_id: str | None, limit: int) -> list[Event]:
        """The last events, of one session or of all, in the order in which they happened."""
        where, values = ("where session = ?", [session_id]) if session_id else ("", [])
        rows = self._database.execute(
            f"select number, session, at, kind, data from events {where} order by number desc limit ?",
            [*values, limit],
        ).fetchall()
        return [
            Event(number, session, at, kind, json.loads(data)) for number, session, at, kind, data in reversed(rows)
        ]

    def close(self) -> None:
        self._database.close()
