"""The bridge over HTTP: the MCP endpoint of both eras, health, readiness, numbers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from kaos.dataplane.bridge import door, filtering, listeners, modern
from kaos.dataplane.bridge import message as messages
from kaos.dataplane.bridge.child import LINE_LIMIT, ServerEnded
from kaos.dataplane.bridge.conversation import INTERNAL_ERROR, Conversation, Dress
from kaos.dataplane.bridge.door import INVALID_REQUEST, PARSE_ERROR, SESSION_HEADER, Door, json_answer, refused
from kaos.dataplane.bridge.message import Malformed, Message
from kaos.dataplane.bridge.processes import Shared, Spare, Starter
from kaos.dataplane.bridge.session import Session
from kaos.dataplane.bridge.sessions import Sessions
from kaos.dataplane.bridge.settings import Settings
from kaos.dataplane.bridge.stream import Stream
from kaos.mcp.wire import HANDSHAKE, MODERN

PING_S = 15.0  # proxies cut streams on which nothing happens


class Bridge(Door):
    """The endpoints, over processes that live as long as the application."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._starter = Starter(settings.command, settings.env, self._metrics, settings.socket)
        self.shared = Shared(self._starter, self._metrics)
        self._spare = Spare(self._starter) if settings.isolation == "session" else None
        self._sessions = Sessions(self.shared, self._spare, self._metrics, settings.most_sessions, settings.idle_s)
        self._metrics.watch("sessions", "Sessions that are open.", lambda: len(self._sessions))
        self._metrics.watch("processes", "Processes of the server.", lambda: self._starter.running)
        self._metrics.watch("ready", "Whether the server answers.", lambda: self.shared.is_ready)

    def leave(self) -> None:
        super().leave()
        self._sessions.hang_up_all()
        self.shared.listeners.end_all()

    async def _live(self, _: web.Application) -> AsyncIterator[None]:
        lasting = [self.shared.keep(), self._sessions.sweep()]
        if self._spare is not None:
            lasting.append(self._keep(self._spare))
        kept = [asyncio.create_task(one) for one in lasting]
        yield
        for task in kept:
            task.cancel()
        await asyncio.gather(*kept, return_exceptions=True)
        await self._sessions.end_all()
        await self._starter.end()

    async def _keep(self, spare: Spare) -> None:
        await self.shared.until_ready()  # else a server that cannot start would be started twice as often
        spare.want()
        await spare.keep()

    # Endpoints.

    async def _why_not_ready(self) -> str | None:
        return None if self.shared.is_ready else self.shared.why_not

    async def _endpoint(self, request: web.Request) -> web.StreamResponse:
        if (turned_away := door.turned_away(request, self._settings)) is not None:
            return turned_away
        if request.method == "POST":
            return await self._post(request)
        if request.headers.get(modern.VERSION_HEADER) == MODERN:
            return refused(405, INVALID_REQUEST, f"MCP {MODERN} has POST only", headers={"allow": "POST"})
        if request.method == "GET":
            return await self._get(request)
        if request.method == "DELETE":
            return self._delete(request)
        return refused(405, INVALID_REQUEST, "use POST, GET or DELETE", headers={"allow": "POST, GET, DELETE"})

    async def _post(self, request: web.Request) -> web.StreamResponse:
        try:
            message = messages.read(await request.read())
            barred = self._settings.tools.refusal(message)
        except web.HTTPRequestEntityTooLarge:
            return refused(413, INVALID_REQUEST, f"a message is at most {LINE_LIMIT // 2**20} MiB")
        except Malformed as error:
            return refused(400, PARSE_ERROR, f"this is no MCP message: {error}")
        is_modern = modern.is_modern(request.headers.get(modern.VERSION_HEADER), message)
        if barred:
            code, why = barred
            return refused(modern.STATUS[code] if is_modern else 200, code, why, message)
        if is_modern:
            return await self._stateless(request, message)
        return await self._in_session(request, message)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        session = self._session_of(request)
        if not isinstance(session, Session):
            return session
        if not _accepts(request, "text/event-stream"):
            return refused(406, INVALID_REQUEST, "this is a stream of events: accept text/event-stream")
        if session.listening is not None:
            return refused(409, INVALID_REQUEST, "the session has a standing stream already")
        stream = session.listen()
        try:
            response = await _begin_events(request, session.id)
            await self._tell(response, stream)
            return response
        finally:
            session.hang_up(stream)
            session.touch()
            self._metrics.dropped(stream.dropped)

    def _delete(self, request: web.Request) -> web.StreamResponse:
        session = self._session_of(request)
        if not isinstance(session, Session):
            return session
        self._sessions.end(session, "the client has ended the session")
        return web.Response(status=204)

    # The stateless era.

    async def _stateless(self, request: web.Request, message: Message) -> web.StreamResponse:
        if not message.is_request:
            return web.Response(status=202)  # this era has no messages of clients but requests
        try:
            modern.check(message, request.headers.items())
            conversation = await self.shared.conversation()
            if message.method == "server/discover":
                found = modern.discovered(self.shared.initialized)
                return json_answer(f'{{"jsonrpc":"2.0","id":{message.id_text},"result":{found}}}')
            if message.method == listeners.METHOD:
                return await self._listen(request, message, conversation)
            stream = Stream(_accepts(request, "text/event-stream"))
            edits, filtered = modern.without_envelope(message), self._filtered(message)
            call = await conversation.ask(
                message, stream, edits, lambda answer: [*filtered(answer), *modern.dressed(message.method, answer)]
            )
        except modern.Refused as refused:
            text = messages.error(message.id_text, refused.code, refused.why, refused.data)
            return json_answer(text, modern.STATUS[refused.code])
        except ServerEnded as ended:
            return json_answer(messages.error(message.id_text, INTERNAL_ERROR, str(ended)))
        try:
            return await self._answer(request, stream)
        finally:
            conversation.cancel(call)  # unless it has been answered: whoever closes the stream wants no answer

    async def _listen(self, request: web.Request, message: Message, conversation: Conversation) -> web.StreamResponse:
        if not _accepts(request, "text/event-stream"):
            return refused(406, INVALID_REQUEST, "this is a stream of events: accept text/event-stream", message)
        kept = self.shared.listeners
        listener = await kept.begin(message, conversation, self.shared.initialized["capabilities"])
        try:
            response = await _begin_events(request, None)
            await self._tell(response, listener.stream)
            return response
        finally:
            self._metrics.dropped(listener.stream.dropped)
            await kept.end(listener)

    # The sessions era.

    async def _in_session(self, request: web.Request, message: Message) -> web.StreamResponse:
        version = request.headers.get(modern.VERSION_HEADER)
        if version is not None and version not in HANDSHAKE:
            return refused(400, INVALID_REQUEST, f"MCP {version} is not spoken here")
        if message.is_request and message.method == "initialize":
            if SESSION_HEADER in request.headers:
                return refused(400, INVALID_REQUEST, "initialize begins a session; it cannot be in one")
            return await self._initialize(request, message)
        session = self._session_of(request)
        if not isinstance(session, Session):
            return session
        session.touch()
        try:
            if not message.is_request:
                await session.tell(message)
                return web.Response(status=202)
            stream = Stream(_accepts(request, "text/event-stream"))
            await session.ask(message, stream, self._filtered(message))
            return await self._answer(request, stream, session.id)
        except ServerEnded as ended:
            return refused(404, INVALID_REQUEST, str(ended), message)
        finally:
            session.touch()

    async def _initialize(self, request: web.Request, message: Message) -> web.StreamResponse:
        if self._leaving:
            return refused(503, INTERNAL_ERROR, "the bridge is ending", message)
        session = None
        try:
            session = await self._sessions.begin()
            stream = Stream(_accepts(request, "text/event-stream"))
            await session.ask(message, stream)
            response = await self._answer(request, stream, session.id)
        except ServerEnded as ended:
            return json_answer(messages.error(message.id_text, INTERNAL_ERROR, str(ended)))
        except BaseException:
            if session is not None:
                self._sessions.end(session, "the client left before the session began")
            raise
        if stream.code is not None:
            self._sessions.end(session, "the server has refused to begin a session")
        self._sessions.refill()
        return response

    def _session_of(self, request: web.Request) -> Session | web.Response:
        session_id = request.headers.get(SESSION_HEADER)
        if session_id is None:
            return refused(400, INVALID_REQUEST, "a session is needed: begin one with initialize")
        session = self._sessions.find(session_id)
        return session or refused(404, INVALID_REQUEST, self._sessions.why_ended(session_id))

    # Answers.

    def _filtered(self, request: Message) -> Dress:
        return self._settings.tools.shown if request.method == filtering.LISTING else lambda answer: []

    async def _answer(self, request: web.Request, stream: Stream, session_id: str | None = None) -> web.StreamResponse:
        """JSON when the answer is all that there is to say, else a stream that ends with it."""
        try:
            first = await stream.next(PING_S)
            while not stream.takes_events and not stream.is_done:
                first = await stream.next()  # this client can be told the answer only
            if stream.is_done and not first:
                return web.Response(status=202)  # it was cancelled
            if stream.is_done and _accepts(request, "application/json"):
                # Only the stateless era has HTTP statuses for the errors of a server.
                status = 200 if session_id else modern.STATUS.get(stream.code, 200)
                return json_answer(first, status, session_id)
            response = await _begin_events(request, session_id)
            await self._tell(response, stream, first)
            return response
        finally:
            stream.is_abandoned = True
            self._metrics.dropped(stream.dropped)

    async def _tell(self, response: web.StreamResponse, stream: Stream, first: str = "") -> None:
        """What is to be said, to the end."""
        text = first
        while True:
            if text:
                await response.write(f"event: message\ndata: {text}\n\n".encode())
            if stream.is_done:
                return
            text = await stream.next(PING_S)
            if not text and not stream.is_done:
                await response.write(b": ping\n\n")


def _accepts(request: web.Request, kind: str) -> bool:
    accepted = request.headers.get("accept", "*/*")
    return kind in accepted or "*/*" in accepted or f"{kind.partition('/')[0]}/*" in accepted


async def _begin_events(request: web.Request, session_id: str | None) -> web.StreamResponse:
    headers = {
        "content-type": "text/event-stream",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
    }
    response = web.StreamResponse(headers=headers | ({SESSION_HEADER: session_id} if session_id else {}))
    await response.prepare(request)
    return response
