"""The sessions era: a session is a process of the server, and ends with it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import deque

from kaos.dataplane.bridge.child import ServerEnded
from kaos.dataplane.bridge.conversation import Conversation
from kaos.dataplane.bridge.message import Message
from kaos.dataplane.bridge.metrics import Metrics
from kaos.dataplane.bridge.processes import Shared, Spare
from kaos.dataplane.bridge.stream import Stream

KEPT_MESSAGES = 100  # for a client that reads no stream at present
REMEMBERED_ENDS = 256
# What concerns the session, not the request that is under way.
_OF_THE_SESSION = {
    "notifications/resources/updated",
    "notifications/resources/list_changed",
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
}

log = logging.getLogger("kaos.bridge")


class Session:
    """One client and its process."""

    def __init__(self, conversation: Conversation) -> None:
        self.id = secrets.token_hex(16)
        self.conversation = conversation
        self.listening: Stream | None = None  # the client's standing stream
        self.touched = time.monotonic()
        self._kept: deque[tuple[str, bool]] = deque(maxlen=KEPT_MESSAGES)
        conversation.on_message = self._route

    @property
    def is_busy(self) -> bool:
        waiting = any(not call.stream.is_abandoned for call in self.conversation.calls.values())
        return waiting or self.listening is not None

    def touch(self) -> None:
        self.touched = time.monotonic()

    def listen(self) -> Stream:
        """The standing stream begins with what nobody has read."""
        self.listening = Stream()
        while self._kept:
            self.listening.say(*self._kept.popleft())
        return self.listening

    def hang_up(self, stream: Stream) -> None:
        if self.listening is stream:
            self.listening = None

    def _route(self, message: Message) -> None:
        """stdio does not say which request a message belongs to; the newest that is under way is the best guess."""
        calls = reversed(self.conversation.calls.values())
        streams = (call.stream for call in calls)
        asking = next((one for one in streams if one.takes_events and not one.is_abandoned), None)
        first, second = asking, self.listening
        if message.method in _OF_THE_SESSION:
            first, second = second, first
        stream = first or second
        if stream is None:
            self._kept.append((message.text, message.is_request))
        else:
            stream.say(message.text, must=message.is_request)


class Sessions:
    """All that are open."""

    def __init__(self, shared: Shared, spare: Spare, metrics: Metrics, most: int, idle_s: float) -> None:
        self._shared = shared
        self._spare = spare
        self._metrics = metrics
        self._most = most
        self._idle_s = idle_s
        self._open: dict[str, Session] = {}
        self._opening = 0
        self._ended: dict[str, str] = {}  # id -> why
        self._endings: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def find(self, session_id: str) -> Session | None:
        return self._open.get(session_id)

    def why_ended(self, session_id: str) -> str:
        return self._ended.get(session_id, "there is no such session")

    async def begin(self) -> Session:
        """A session whose process waits for initialize. Raises ServerEnded."""
        await self._shared.conversation()  # a server that cannot start is not started once more for each client
        if len(self._open) + self._opening >= self._most:
            raise ServerEnded(f"there are {self._most} sessions already, and each is a process; end some of them")
        self._opening += 1
        try:
            conversation = Conversation(await self._spare.take(), self._metrics)
        finally:
            self._opening -= 1
        session = Session(conversation)
        self._open[session.id] = session
        conversation.on_exit = lambda: self._crashed(session)
        return session

    def refill(self) -> None:
        """After initialize was answered: two programs that start at once would hinder each other."""
        self._spare.want()

    def end(self, session: Session, why: str) -> None:
        """It is gone at once; its process takes its time."""
        if self._forget(session, why):
            session.conversation.on_exit = lambda: None
            ending = asyncio.create_task(session.conversation.child.end())
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

    def _forget(self, session: Session, why: str) -> bool:
        if self._open.pop(session.id, None) is None:
            return False
        self._ended[session.id] = why
        if len(self._ended) > REMEMBERED_ENDS:
            del self._ended[next(iter(self._ended))]
        if session.listening is not None:
            session.listening.end()
        return True
