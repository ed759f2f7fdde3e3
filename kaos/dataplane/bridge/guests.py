"""Sessions that share one process: the bridge has shaken hands with it already, and answers `initialize` itself.

What cannot be told apart in one process is not offered: logs, subscriptions to resources, and questions to the client.
"""

from __future__ import annotations

import json
from typing import Any

from kaos.dataplane.bridge import message as messages
from kaos.dataplane.bridge.conversation import CANCELLED, Conversation, Dress
from kaos.dataplane.bridge.message import Message
from kaos.dataplane.bridge.session import Session
from kaos.dataplane.bridge.stream import Stream
from kaos.mcp.wire import HANDSHAKE, METHOD_NOT_FOUND

CHANGES = {f"notifications/{kind}/list_changed" for kind in ("tools", "prompts", "resources")}
_NOT_HERE = {"logging/setLevel", "resources/subscribe", "resources/unsubscribe"}


class Guest(Session):
    """One client of several."""

    def __init__(self, conversation: Conversation, initialized: dict[str, Any]) -> None:
        super().__init__(conversation)
        self._initialized = initialized

    async def ask(self, request: Message, stream: Stream, dress: Dress = lambda answer: []) -> None:
        if request.method == "initialize":
            welcome = json.dumps(_welcome(self._initialized, request.params.get("protocolVersion")))
            stream.end(f'{{"jsonrpc":"2.0","id":{request.id_text},"result":{welcome}}}')
        elif request.method in _NOT_HERE:
            why = f"there is no {request.method} where sessions share a process"
            stream.end(messages.error(request.id_text, METHOD_NOT_FOUND, why), METHOD_NOT_FOUND)
        else:
            await super().ask(request, stream, dress)

    async def tell(self, message: Message) -> None:
        """Only this: what else a client tells would be told in the name of all."""
        if message.method == CANCELLED:
            await super().tell(message)

    async def end(self) -> None:
        for call in self.conversation.calls_of(self):
            self.conversation.cancel(call)
            call.stream.end()


def _welcome(initialized: dict[str, Any], wanted: Any) -> dict[str, Any]:
    """The result of the handshake for a client of maybe an older version."""
    capabilities = {name: value for name, value in initialized["capabilities"].items() if name != "logging"}
    if isinstance(resources := capabilities.get("resources"), dict):
        capabilities["resources"] = {name: value for name, value in resources.items() if name != "subscribe"}
    spoken = initialized.get("protocolVersion")
    is_older = wanted in HANDSHAKE and spoken in HANDSHAKE and HANDSHAKE.index(wanted) > HANDSHAKE.index(spoken)
    return initialized | {"capabilities": capabilities, "protocolVersion": wanted if is_older else spoken}
