"""Sessions, their events and A2A tasks in SQLite: in the process, or in a file that outlasts it.

Everything is bounded: sessions, events of one, tasks, and the bytes of all together.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kaos.dataplane.agent.results import cut
from kaos.dataplane.agent.settings import Memory

Object = dict[str, Any]

TEXT_LIMIT = 64 * 1024  # characters of one text that is remembered
BYTES_LIMIT = 64 * 1024 * 1024
FILE_BYTES_LIMIT = 1024 * 1024 * 1024
TASKS_LIMIT = 1000
TASKS_BYTES_LIMIT = 32 * 1024 * 1024
RUNNING = ("submitted", "working")
_SAID = ("user_message", "agent_response", "task_delegation_received")
_TASK = "id, context, state, question, answer, problem, created, updated"
_SCHEMA = """
create table if not exists sessions (id text primary key, created real, updated real, bytes integer default 0);
create table if not exists events (
    number integer primary key autoincrement, session text, at real, kind text, data text,
    foreign key (session) references sessions (id) on delete cascade);
create index if not exists events_by_session on events (session, number);
create index if not exists sessions_by_use on sessions (updated);
create table if not exists tasks (
    id text primary key, context text, state text, question text, answer text, problem text, created real, updated real,
    bytes integer);
create index if not exists tasks_by_use on tasks (updated);
"""


@dataclass(frozen=True)
class Event:
    """Something that happened in a session; `at` in seconds since 1970."""

    number: int
    session_id: str
    at: float
    kind: str
    data: Object


@dataclass(frozen=True)
class StoredTask:
    """An A2A task: the words of both sides, and how it stands."""

    id: str
    context_id: str
    state: str  # of A2A 0.3: submitted, working, completed, failed, canceled
    question: str
    answer: str
    problem: str
    created: float
    updated: float


class Store:
    """The database. Every method is one transaction."""

    def __init__(self, settings: Memory) -> None:
        self._settings = settings
        self._bytes_limit = FILE_BYTES_LIMIT if settings.path else BYTES_LIMIT
        self._database = sqlite3.connect(settings.path or ":memory:", isolation_level=None, check_same_thread=False)
        self._database.execute("pragma foreign_keys = on")
        if settings.path:
            # What was told to be kept outlasts the process; only the power may take the last moments away.
            self._database.execute("pragma journal_mode = wal")
            self._database.execute("pragma synchronous = normal")
        self._database.executescript(_SCHEMA)
        (self._bytes,) = self._database.execute("select coalesce(sum(bytes), 0) from sessions").fetchone()
        broken = "the agent was restarted while it worked on this"
        self._database.execute(
            "update tasks set state = 'failed', problem = ? where state in (?, ?)", (broken, *RUNNING)
        )

    def open(self, session_id: str) -> None:
        """The session is there, as the one last used."""
        now = time.time()
        with self._transaction():
            self._database.execute(
                "insert into sessions (id, created, updated) values (?, ?, ?) "
                "on conflict (id) do update set updated = excluded.updated",
                (session_id, now, now),
            )
            self._forget(
                "select id, bytes from sessions order by updated desc limit -1 offset ?", self._settings.max_sessions
            )

    def note(self, session_id: str, kind: str, data: Object) -> None:
        """Remember something that happened; the oldest of too many is forgotten."""
        text = json.dumps(
            {key: cut(value, TEXT_LIMIT) if isinstance(value, str) else value for key, value in data.items()}
        )
        if len(text) > 8 * TEXT_LIMIT:
            text = json.dumps({"name": data.get("name"), "text": cut(text, TEXT_LIMIT)})
        with self._transaction():
            found = self._database.execute(
                "update sessions set bytes = bytes + ? where id = ?", (len(text), session_id)
            )
            if not found.rowcount:
                return  # forgotten meanwhile
            self._database.execute(
                "insert into events (session, at, kind, data) values (?, ?, ?, ?)",
                (session_id, time.time(), kind, text),
            )
            removed = self._database.execute(
                "delete from events where session = ? and number <= "
                "(select number from events where session = ? order by number desc limit 1 offset ?) "
                "returning length(data)",
                (session_id, session_id, self._settings.max_session_events),
            ).fetchall()
            lost = sum(length for (length,) in removed)
            if lost:
                self._database.execute("update sessions set bytes = bytes - ? where id = ?", (lost, session_id))
            self._bytes += len(text) - lost
            while self._bytes > self._bytes_limit:
                if not self._forget(
                    "select id, bytes from sessions where id <> ? order by updated limit 1", session_id
                ):
                    break

    def history(self, session_id: str) -> list[Object]:
        """The last messages of the session, as the model takes them: questions and their answers, in turn.

        A question that was never answered is left out, and so is an answer whose question was cut off.
        """
        rows = self._database.execute(
            f"select kind, data from events where session = ? and kind in {_SAID} order by number desc limit ?",
            (session_id, 2 * self._settings.context_limit),
        ).fetchall()
        said: list[Object] = []
        for kind, data in reversed(rows):
            role = "assistant" if kind == "agent_response" else "user"
            if said and said[-1]["role"] == role == "user":
                said.pop()
            if said or role == "user":
                said.append({"role": role, "content": json.loads(data)["text"]})
        if said and said[-1]["role"] == "user":
            said.pop()
        said = said[-self._settings.context_limit :]
        return said[1:] if said and said[0]["role"] == "assistant" else said

    def sessions(self) -> list[Object]:
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

    def put_task(self, task: StoredTask) -> None:
        # A half of a surrogate pair has no place in a database.
        values = [v.encode(errors="replace").decode() if isinstance(v, str) else v for v in vars(task).values()]
        with self._transaction():
            self._database.execute(
                f"insert or replace into tasks ({_TASK}, bytes) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, len(task.question) + len(task.answer)),
            )
            self._database.execute(
                "delete from tasks where state not in (?, ?) and id in (select id from (select id, "
                "row_number() over later as place, sum(bytes) over later as total from tasks "
                "window later as (order by updated desc)) where place > ? or (total > ? and place > 1))",
                (*RUNNING, TASKS_LIMIT, TASKS_BYTES_LIMIT),
            )

    def task(self, task_id: str) -> StoredTask | None:
        row = self._database.execute(f"select {_TASK} from tasks where id = ?", (task_id,)).fetchone()
        return StoredTask(*row) if row else None

    def tasks(
        self, context_id: str | None, state: str | None, after: float, offset: int, limit: int
    ) -> tuple[list[StoredTask], int]:
        """A page of tasks, the last changed first, and how many there are in all."""
        where = "where (? is null or context = ?) and (? is null or state = ?) and updated >= ?"
        values = (context_id, context_id, state, state, after)
        rows = self._database.execute(
            f"select {_TASK} from tasks {where} order by updated desc, id limit ? offset ?", (*values, limit, offset)
        ).fetchall()
        (total,) = self._database.execute(f"select count(*) from tasks {where}", values).fetchone()
        return [StoredTask(*row) for row in rows], total

    def close(self) -> None:
        self._database.close()

    def _forget(self, selection: str, *values: Any) -> bool:
        """Delete the selected sessions."""
        found = self._database.execute(selection, values).fetchall()
        for session_id, size in found:
            self._database.execute("delete from sessions where id = ?", (session_id,))
            self._bytes -= size
        return bool(found)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._database.execute("rollback")
            raise
        self._database.execute("commit")
