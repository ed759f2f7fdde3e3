"""Plain JSON for answers that need no stream, in the eras before 2026-07-28.

The SDK answers those clients with an event stream always (or with JSON always, which loses progress and does not see
the caller go). In the newer era it waits for what comes first: the result, then it is JSON; anything else, then a
stream. This does the same for the older ones. It matters beyond taste: SDK clients refuse a result of more than 1 MiB
when it comes as an event.
"""

from __future__ import annotations

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# As the SDK writes the event of a result or an error; a notification has no id. In any other form it stays an event.
_RESULT = re.compile(rb'event: message\r\ndata: (\{"jsonrpc":"2\.0","id":.*\})\r\n\r\n', re.DOTALL)


class JsonWherePossible:
    """ASGI middleware that turns an event stream into a JSON answer when the result is the first event."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            send = _Answer(send).send
        await self._app(scope, receive, send)


class _Answer:
    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None  # held until the first event is seen
        self._whole = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if MutableHeaders(raw=message["headers"]).get("content-type", "").startswith("text/event-stream"):
                self._start = message
                return
        elif self._whole:
            return  # the end of the stream that is no stream
        elif (start := self._start) is not None:
            self._start = None
            if found := _RESULT.fullmatch(message.get("body", b"")):
                self._whole = True
                headers = MutableHeaders(raw=start["headers"])
                headers["content-type"] = "application/json"
                headers["content-length"] = str(len(found[1]))
                await self._send(start)
                message = {"type": "http.response.body", "body": found[1], "more_body": False}
            else:
                await self._send(start)
        await self._send(message)
