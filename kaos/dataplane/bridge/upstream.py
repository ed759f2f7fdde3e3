"""The bridge in front of an HTTP server: a relay that filters tools, adds headers and counts.

Eras and sessions are the server's own. Whatever passes keeps its bytes, but for the list of tools where it is filtered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from kaos.dataplane import guard
from kaos.dataplane.bridge import door, filtering, listeners, modern
from kaos.dataplane.bridge import message as messages
from kaos.dataplane.bridge.addresses import Resolver
from kaos.dataplane.bridge.child import LINE_LIMIT
from kaos.dataplane.bridge.conversation import INTERNAL_ERROR
from kaos.dataplane.bridge.door import INVALID_REQUEST, PARSE_ERROR, Door, refused
from kaos.dataplane.bridge.events import Events, TooLong, data_of, with_data
from kaos.dataplane.bridge.message import Malformed, Message
from kaos.dataplane.bridge.metrics import Metrics
from kaos.dataplane.bridge.modern import METHOD_HEADER, VERSION_HEADER
from kaos.dataplane.bridge.settings import Settings
from kaos.dataplane.faults import worded
from kaos.kube import sanitize
from kaos.mcp.wire import MAX_ANSWER_BYTES

CONNECT_S = 10.0
CONNECTIONS = 1000
KEEP_ALIVE_S = 4.0  # less than servers keep a connection: a call that meets its end cannot be sent again
# Of one hop only, or ours to say.
_OF_THE_HOP = {
    "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer",
    "transfer-encoding", "upgrade", "host", "content-length", "content-encoding", "accept-encoding", "server", "date",
    door.TOKEN_HEADER,
}  # fmt: skip
# All that a server elsewhere is told: what else a caller sends, credentials above all, was meant for us.
_ABROAD = {"accept", "content-type", "last-event-id", "traceparent", "tracestate", "user-agent"}
_EVENTS, _JSON = "text/event-stream", "application/json"


class Relay(Door):
    """The endpoints, over one client that lives as long as the application."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._filter = settings.tools
        self._host = urlsplit(settings.upstream).hostname or ""
        self._is_beside = guard.is_loopback(self._host)
        self._client: aiohttp.ClientSession | None = None
        self._standing: set[aiohttp.ClientResponse] = set()  # streams that have no end of their own

    def leave(self) -> None:
        super().leave()
        for answer in self._standing:
            answer.close()

    async def _live(self, _: web.Application) -> AsyncIterator[None]:
        resolver = None if self._is_beside else Resolver()
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, resolver=resolver, keepalive_timeout=KEEP_ALIVE_S)
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),  # callers share this client, not their cookies
            read_bufsize=2**18,
        ) as self._client:
            yield

    # Endpoints.

    async def _why_not_ready(self) -> str | None:
        # A server elsewhere may come and go; who asks for it is told. One beside is part of what is ready here.
        if not self._is_beside:
            return None
        where = urlsplit(self._settings.upstream)
        try:
            async with asyncio.timeout(CONNECT_S):
                _, writer = await asyncio.open_connection(where.hostname, where.port or 80)
        except (OSError, TimeoutError) as error:
            return f"the server does not accept connections: {worded(error)}"
        writer.close()
        return None

    async def _endpoint(self, request: web.Request) -> web.StreamResponse:
        if (turned_away := door.turned_away(request, self._settings)) is not None:
            return turned_away
        if request.method in ("GET", "DELETE"):
            return await self._pass(request, b"", None)
        if request.method != "POST":
            headers = {"allow": "POST, GET, DELETE"}
            return refused(405, INVALID_REQUEST, "use POST, GET or DELETE", headers=headers)
        try:
            body = await request.read()
            message = messages.read(body)
            barred = self._filter.refusal(message)
        except web.HTTPRequestEntityTooLarge:
            return refused(413, INVALID_REQUEST, f"a message is at most {LINE_LIMIT // 2**20} MiB")
        except Malformed as error:
            return refused(400, PARSE_ERROR, f"this is no MCP message: {error}")
        is_modern = modern.is_modern(request.headers.get(VERSION_HEADER), message)
        if not barred and not self._filter.is_open and (METHOD_HEADER in request.headers or is_modern):
            try:  # a server that goes by the headers must not be told there what is refused here
                modern.check(message, request.headers.items())
            except modern.Refused as found:
                text = messages.error(message.id_text if message.is_request else "null", found.code, found.why)
                return door.json_answer(text, modern.STATUS[found.code])
        if barred:
            code, why = barred
            if message.method == filtering.CALLING and not message.is_request:
                return web.Response(status=202)
            return refused(modern.STATUS[code] if is_modern else 200, code, why, message)
        return await self._pass(request, body, message)

    # What passes.

    async def _pass(self, request: web.Request, body: bytes, message: Message | None) -> web.StreamResponse:
        call = _Call(message, self._metrics)
        try:
            async with self._client.request(
                request.method,
                self._settings.upstream,
                data=body or None,
                headers=self._headers_there(request),
                allow_redirects=False,
                skip_auto_headers=("user-agent", "content-type"),
            ) as answer:
                if why := self._unusable(answer):
                    return refused(502, INTERNAL_ERROR, why, message)
                if answer.content_type != _EVENTS and message is not None and message.is_request:
                    return await self._pass_whole(answer, message, call)
                return await self._pass_stream(request, answer, message, call)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            why = sanitize.line(worded(error))
            return refused(502, INTERNAL_ERROR, f"the server at {self._host} gives no answer: {why}", message)
        finally:
            call.ended()

    async def _pass_whole(self, answer: aiohttp.ClientResponse, message: Message, call: _Call) -> web.Response:
        body = bytearray()
        async for piece in answer.content.iter_any():
            body += piece
            if len(body) > MAX_ANSWER_BYTES:
                why = f"the answer of the server is longer than {MAX_ANSWER_BYTES // 2**20} MiB"
                return refused(502, INTERNAL_ERROR, why, message)
        passed = self._looked_at(bytes(body), message, call)
        if passed is None and answer.status < 400:
            return refused(502, INTERNAL_ERROR, "the server gives no list of tools that can be filtered", message)
        return web.Response(
            body=bytes(body) if passed is None else passed, status=answer.status, headers=self._headers_back(answer)
        )

    async def _pass_stream(
        self, request: web.Request, answer: aiohttp.ClientResponse, message: Message | None, call: _Call
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=self._headers_back(answer))
        await response.prepare(request)
        events = Events(MAX_ANSWER_BYTES) if answer.content_type == _EVENTS else None
        if message is None or message.method == listeners.METHOD:
            self._standing.add(answer)
        try:
            async for piece in answer.content.iter_any():
                if events is not None:
                    piece = b"".join(self._event(event, message, call) for event in events.feed(piece))
                if piece:
                    await response.write(piece)
        except (TooLong, aiohttp.ClientError, OSError):
            # A cut answer must look cut: an orderly end would say that this was all.
            if not self._leaving and request.transport is not None:
                request.transport.abort()
        finally:
            self._standing.discard(answer)
        return response

    def _event(self, event: bytes, request: Message | None, call: _Call) -> bytes:
        if not (data := data_of(event)):
            return event
        passed = self._looked_at(data, request, call)
        if passed is None:
            return b""
        return event if passed is data else with_data(event, passed.decode())

    def _looked_at(self, data: bytes, request: Message | None, call: _Call) -> bytes | None:
        """A message of the server as it is passed on; None when it must not be."""
        method = request.method if request is not None else None
        # A standing stream may bring what a broken one has left to tell: the list of tools as well.
        is_listing = method == filtering.LISTING or (method is None and not self._filter.is_open)
        if not is_listing and method != filtering.CALLING:
            return data
        try:
            message = messages.read(data)
        except Malformed:
            return data if self._filter.is_open or method == filtering.CALLING else None
        if not message.is_response:
            return data
        if method == filtering.CALLING:
            call.answered(message)
            return data
        edits = self._filter.shown(message)
        if edits:
            data = message.edited(*edits).encode()
            message = messages.read(data)
        if method == filtering.LISTING:
            self._metrics.learn(message.result)
        return data

    # Headers.

    def _headers_there(self, request: web.Request) -> dict[str, str]:
        named = {part.strip().lower() for part in request.headers.get("connection", "").split(",")}
        passed = {}
        for name, value in request.headers.items():
            name = name.lower()
            if name in _OF_THE_HOP or name in named or (self._settings.token and name == "authorization"):
                continue
            if self._is_beside or name in _ABROAD or name.startswith("mcp-"):
                passed[name] = value
        if request.method == "POST":
            passed["content-type"] = _JSON
        return passed | {"accept-encoding": "identity"} | self._settings.upstream_headers

    def _headers_back(self, answer: aiohttp.ClientResponse) -> dict[str, str]:
        kept = {
            name.lower(): value
            for name, value in answer.headers.items()
            if name.lower() not in _OF_THE_HOP and (self._is_beside or name.lower() not in ("set-cookie", "location"))
        }
        return kept | ({"x-accel-buffering": "no"} if answer.content_type == _EVENTS else {})

    def _unusable(self, answer: aiohttp.ClientResponse) -> str:
        """Why an answer is not passed on; empty when it is."""
        if 300 <= answer.status < 400:
            place = sanitize.line(answer.headers.get("location", "nowhere").partition("?")[0])
            return f"the server at {self._host} redirects to {place}, which is not followed; name that URL"
        if not self._is_beside and answer.status in (401, 403, 407):
            # A caller cannot know what the server elsewhere wants: it is told who is to be given other credentials.
            return f"the server at {self._host} refuses the headers it is given (HTTP {answer.status})"
        return ""


class _Call:
    """What is counted of one request."""

    def __init__(self, message: Message | None, metrics: Metrics) -> None:
        is_call = message is not None and message.method == filtering.CALLING
        self._tool = message.params.get("name") if is_call else None
        self._counts = is_call
        self._metrics = metrics
        self._began = time.perf_counter()
        self._failed = True

    def answered(self, answer: Message) -> None:
        self._failed = not isinstance(answer.result, dict) or answer.result.get("isError") is True

    def ended(self) -> None:
        if self._counts:
            self._metrics.called(self._tool, self._failed, time.perf_counter() - self._began)
