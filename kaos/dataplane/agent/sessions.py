"""What the agent remembers: sessions, and what happened in them.

Kinds of events: user_message, agent_response, tool_call, tool_result, delegation_request, delegation_response,
delegation_error, task_delegation_received, error.
A database that fails takes the memory away, never the answer.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from kaos.dataplane.agent.settings import Memory
from kaos.dataplane.agent.store import Event, Store, StoredTask

Object = dict[str, Any]
T = TypeVar("T")
log = logging.getLogger("kaos.agent")

ID_LIMIT = 128


class Sessions:
    """All sessions, and the A2A tasks beside them."""

    def __init__(self, settings: Memory) -> None:
        """Raises ValueError for a file that cannot be the memory."""
        self._enabled = settings.enabled
        try:
            self._store = Store(settings)
        except sqlite3.Error as error:
            raise ValueError(f"MEMORY_PATH: {settings.path} cannot be used: {error}") from None
        # A disk may take its time: then one thread waits, in order, and the answers of others go on.
        self._thread = ThreadPoolExecutor(1, "memory") if settings.path else None

    async def open(self, asked: str | None) -> str:
        """The session of that id, made if need be; a new one without an id. Raises ValueError for rubbish."""
        session_id = asked or uuid.uuid4().hex
        if not session_id.isprintable() or len(session_id) > ID_LIMIT or not session_id.isascii():
            raise ValueError(f"a session id is at most {ID_LIMIT} printable ASCII characters")
        if self._enabled:
            await self._do(None, self._store.open, session_id)
        return session_id

    async def note(self, session_id: str, kind: str, **data: Any) -> None:
        if self._enabled:
            await self._do(None, self._store.note, session_id, kind, data)

    async def history(self, session_id: str) -> list[Object]:
        return await self._do([], self._store.history, session_id) if self._enabled else []

    async def all(self) -> list[Object]:
        return await self._do([], self._store.sessions)

    async def events(self, session_id: str | None, limit: int) -> list[Event]:
        return await self._do([], self._store.events, session_id, limit)

    async def put_task(self, task: StoredTask) -> None:
        await self._do(None, self._store.put_task, task)

    async def task(self, task_id: str) -> StoredTask | None:
        return await self._do(None, self._store.task, task_id)

    async def tasks(self, *selection: Any) -> tuple[list[StoredTask], int]:
        return await self._do(([], 0), self._store.tasks, *selection)

    def close(self) -> None:
        if self._thread:
            self._thread.shutdown()
        self._store.close()

    async def _do(self, otherwise: T, work: Callable[..., T], *arguments: Any) -> T:
        try:
            if self._thread is None:
                return work(*arguments)
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        except sqlite3.Error as error:
            log.error("memory: %s", error)
            return otherwise
