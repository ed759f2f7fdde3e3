"""Subscriptions of the stateless era: streams that tell what changes in the shared process, to who asked for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from kaos.dataplane.bridge.child import ServerEnded
from kaos.dataplane.bridge.conversation import Conversation
from kaos.dataplane.bridge.message import Message
from kaos.dataplane.bridge.stream import Stream

METHOD = "subscriptions/listen"
MOST = 1000
_UPDATED = "notifications/resources/updated"
# What a client wishes for -> the notification, and the capability by which a server says that it sends it.
_CHANGES = {
    "toolsListChanged": ("notifications/tools/list_changed", "tools"),
    "promptsListChanged": ("notifications/prompts/list_changed", "prompts"),
    "resourcesListChanged": ("notifications/resources/list_changed", "resources"),
}


@dataclass(frozen=True, eq=False)
class Listener:
    """One stream and what it is told."""

    stream: Stream
    id_text: str  # of the request that began it
    conversation: Conversation
    methods: frozenset[str]
    uris: tuple[str, ...]

    @property
    def stamp(self) -> str:
        return f'"_meta":{{"io.modelcontextprotocol/subscriptionId":{self.id_text}}}'

    def wants(self, message: Message) -> bool:
        if message.method == _UPDATED:
            return message.params.get("uri") in self.uris
        return message.method in self.methods


class Listeners:
    """All that are open."""

    def __init__(self) -> None:
        self._open: list[Listener] = []

    async def begin(self, request: Message, conversation: Conversation, capabilities: dict[str, Any]) -> Listener:
        """Acknowledges what the server can do of what is wished for. Raises ServerEnded."""
        if len(self._open) >= MOST:
            raise ServerEnded(f"there are {MOST} subscriptions already")
        asked = request.params.get("notifications")
        asked = asked if isinstance(asked, dict) else {}
        granted: dict[str, Any] = {
            wish: True
            for wish, (_, kind) in _CHANGES.items()
            if asked.get(wish) is True and _says(capabilities, kind, "listChanged")
        }
        uris = []
        if _says(capabilities, "resources", "subscribe") and isinstance(asked.get("resourceSubscriptions"), list):
            for uri in asked["resourceSubscriptions"]:
                if isinstance(uri, str) and await self._subscribe(conversation, uri):
                    uris.append(uri)
        if uris:
            granted["resourceSubscriptions"] = uris
        methods = frozenset(_CHANGES[wish][0] for wish in granted if wish in _CHANGES)
        listener = Listener(Stream(), request.id_text, conversation, methods, tuple(uris))
        told = f'"notifications":{json.dumps(granted)},{listener.stamp}'
        method = "notifications/subscriptions/acknowledged"
        listener.stream.say(f'{{"jsonrpc":"2.0","method":"{method}","params":{{{told}}}}}')
        self._open.append(listener)
        return listener

    async def end(self, listener: Listener) -> None:
        """Its reader has gone."""
        if listener in self._open:
            self._open.remove(listener)
        for uri in listener.uris:
            if not self._is_watched(uri) and listener.conversation.child.is_running:
                await listener.conversation.put("resources/unsubscribe", {"uri": uri})

    def end_all(self) -> None:
        """The process, or the bridge, ends; clients may listen again."""
        for listener in self._open:
            result = f'{{"resultType":"complete",{listener.stamp}}}'
            listener.stream.end(f'{{"jsonrpc":"2.0","id":{listener.id_text},"result":{result}}}')
        self._open.clear()

    def hear(self, message: Message) -> None:
        """Something that the shared process says of its own accord."""
        for listener in self._open:
            if listener.wants(message):
                listener.stream.say(_stamped(message, listener.stamp))

    def _is_watched(self, uri: str) -> bool:
        return any(uri in listener.uris for listener in self._open)

    async def _subscribe(self, conversation: Conversation, uri: str) -> bool:
        if self._is_watched(uri):
            return True
        return (await conversation.exchange("resources/subscribe", {"uri": uri})).error_code is None


def _says(capabilities: dict[str, Any], kind: str, what: str) -> bool:
    found = capabilities.get(kind)
    return isinstance(found, dict) and found.get(what) is True


def _stamped(message: Message, stamp: str) -> str:
    """The notification with the subscription that it belongs to, in place of what `_meta` says."""
    if "params" not in message.members:
        return message.edited((len(message.text) - 1, len(message.text) - 1, f',"params":{{{stamp}}}'))
    params = message.inside("params")
    if (meta := params.get("_meta")) is not None:
        return message.edited((meta.key_begin, meta.end, stamp))
    at = message.members["params"].begin + 1
    return message.edited((at, at, stamp + ("," if params else "")))
