"""The sessions era: a session is a process of the server, or a guest of the shared one, and ends with it."""

from __future__ import annotations

import asyncio
import logging
import time

from kaos.dataplane.bridge.child import ServerEnded
from kaos.dataplane.bridge.conversation import Conversation
from kaos.dataplane.bridge.guests import CHANGES, Guest
from kaos.dataplane.bridge.message import Message
from kaos.dataplane.bridge.metrics import Metrics
from kaos.dataplane.bridge.processes import Shared, Spare
from kaos.dataplane.bridge.session import Session

REMEMBERED_ENDS = 256

log = logging.getLogger("kaos.bridge")


class Sessions:
    """All that are open."""

    def __init__(self, shared: Shared, spare: Spare | None, metrics: Metrics, most: int, idle_s: float) -> None:
        """Without a spare all are guests of the shared process."""
        self._shared = shared
        self._spare = spare
        self._metrics = metrics
        self._most = most
        self._idle_s = idle_s
        self._open: dict[str, Session] = {}
        self._opening = 0
        self._ended: dict[str, str] = {}  # id -> why
        self._endings: set[asyncio.Task[None]] = set()
        if spare is None:
            shared.on_change, shared.on_end = self._tell_all, self._end_of_all

    def __len__(self) -> int:
        return len(self._open)

    def find(self, session_id: str) -> Session | None:
        return self._open.get(session_id)

    def why_ended(self, session_id: str) -> str:
        return self._ended.get(session_id, "there is no such session")

    async def begin(self) -> Session:
        """A session that waits for initialize. Raises ServerEnded."""
        # A server that cannot start is not started once more for each client.
        shared = await self._shared.conversation()
        if len(self._open) + self._opening >= self._most:
            raise ServerEnded(f"there are {self._most} sessions already, and that is the most; end some of them")
        if self._spare is None:
            guest = Guest(shared, self._shared.initialized)
            self._open[guest.id] = guest
            return guest
        self._opening += 1
        try:
            conversation = Conversation(await self._spare.take(), self._metrics)
        finally:
            self._opening -= 1
        session = Session(conversation)
        self._open[session.id] = session
        conversation.on_message = session.hear
        conversation.on_exit = lambda: self._crashed(session)
        return session

    def refill(self) -> None:
        """After initialize was answered: two programs that start at once would hinder each other."""
        if self._spare is not None:
            self._spare.want()

    def end(self, session: Session, why: str) -> None:
        """It is gone at once; its process takes its time."""
        if self._forget(session, why):
            ending = asyncio.create_task(session.end())
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def sweep(self) -> None:
        """End what nobody has used for long, for ever."""
        while True:
            await asyncio.sleep(min(self._idle_s / 4, 30))
            limit = time.monotonic() - self._idle_s
            for session in [one for one in self._open.values() if one.touched < limit and not one.is_busy]:
                self.end(session, "the session was idle for too long")

    async def end_all(self) -> None:
        for session in list(self._open.values()):
            self.end(session, "the bridge has ended")
        await asyncio.gather(*self._endings)

    def hang_up_all(self) -> None:
        """Standing streams have no end of their own."""
        for session in self._open.values():
            if session.listening is not None:
                session.listening.end()

    def _crashed(self, session: Session) -> None:
        why = session.conversation.child.why
        self._metrics.crashed()
        log.warning("a session has ended: %s", why)
        self._forget(session, why)

    def _tell_all(self, message: Message) -> None:
        if message.method in CHANGES:
            for session in self._open.values():
                session.hear(message)

    def _end_of_all(self, why: str) -> None:
        for session in list(self._open.values()):
            self._forget(session, why)

    def _forget(self, session: Session, why: str) -> bool:
        if self._open.pop(session.id, None) is None:
            return False
        self._ended[session.id] = why
        if len(self._ended) > REMEMBERED_ENDS:
            del self._ended[next(iter(self._ended))]
        if session.listening is not None:
            session.listening.end()
        return True
