"""One session: what its client has asked, and the standing stream that it may read."""

from __future__ import annotations

import secrets
import time
from collections import deque

from kaos.dataplane.bridge.conversation import Conversation, Dress
from kaos.dataplane.bridge.message import Message
from kaos.dataplane.bridge.stream import Stream

KEPT_MESSAGES = 100  # for a client that reads no stream at present
# What concerns the session, not the request that is under way.
_OF_THE_SESSION = {
    "notifications/resources/updated",
    "notifications/resources/list_changed",
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
}


class Session:
    """One client and its process."""

    def __init__(self, conversation: Conversation) -> None:
        self.id = secrets.token_hex(16)
        self.conversation = conversation
        self.listening: Stream | None = None  # the client's standing stream
        self.touched = time.monotonic()
        self._kept: deque[tuple[str, bool]] = deque(maxlen=KEPT_MESSAGES)

    @property
    def is_busy(self) -> bool:
        waiting = any(not call.stream.is_abandoned for call in self.conversation.calls_of(self))
        return waiting or self.listening is not None

    def touch(self) -> None:
        self.touched = time.monotonic()

    async def ask(self, request: Message, stream: Stream, dress: Dress = lambda answer: []) -> None:
        """Raises ServerEnded."""
        await self.conversation.ask(request, stream, dress=dress, owner=self)

    async def tell(self, message: Message) -> None:
        """Raises ServerEnded."""
        await self.conversation.tell(message, self)

    async def end(self) -> None:
        """With all that is its own."""
        self.conversation.on_exit = lambda: None
        await self.conversation.child.end()

    def listen(self) -> Stream:
        """The standing stream begins with what nobody has read."""
        self.listening = Stream()
        while self._kept:
            self.listening.say(*self._kept.popleft())
        return self.listening

    def hang_up(self, stream: Stream) -> None:
        if self.listening is stream:
            self.listening = None

    def hear(self, message: Message) -> None:
        """stdio does not say which request a message belongs to; the newest that is under way is the best guess."""
        calls = reversed(self.conversation.calls_of(self))
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
