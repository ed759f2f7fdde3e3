"""An MCP server of the cluster on standard input and output, for programs that start their servers themselves.

A relay: era, ids and texts are the client's and the server's own. A server that has restarted has forgotten its
session; a new one is begun in the old one's name. What was under way then gets an error, and nothing is sent twice.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from kaos.actions.loopback import Answer, listen
from kaos.actions.reaching import Reach
from kaos.dataplane.bridge import message as messages
from kaos.dataplane.bridge import modern
from kaos.dataplane.bridge.message import Malformed, Message
from kaos.errors import KaosError, NotFound
from kaos.mcp.param_headers import param_headers
from kaos.mcp.wire import HANDSHAKE, MAX_ANSWER_BYTES, McpError, SseParser, header_value

Object = dict[str, Any]
PARSE_ERROR, INTERNAL_ERROR = -32700, -32603
LAST_ANSWERS_S = 30.0  # after the end of the input
CLOSE_S = 2.0
LISTEN_PAUSE_S = 1.0
MOST_CALLS = 256
_HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_CANCELLED, _LISTEN = "notifications/cancelled", "subscriptions/listen"


class _Gone(Exception):
    """The server has forgotten the session."""


@dataclass(frozen=True)
class _Session:
    """One session at the server, begun with the client's own initialize."""

    id: str | None
    version: str
    number: int

    @property
    def headers(self) -> dict[str, str]:
        return {"mcp-protocol-version": self.version} | ({"mcp-session-id": self.id} if self.id else {})


@dataclass(eq=False)
class _Call:
    """A request that is under way."""

    request: Message
    is_modern: bool
    awaited: socket.socket | None = None
    cancelled: bool = False

    def waits(self, awaited: socket.socket) -> None:
        self.awaited = awaited
        if self.cancelled:
            self.stop()

    def stop(self) -> None:
        self.cancelled = True
        if self.awaited is not None:
            with contextlib.suppress(OSError):  # the answer has come in this moment
                socket.socket.shutdown(self.awaited, socket.SHUT_RDWR)


class StdioProxy:
    """`say` gets each message for the client, `tell` what a person may want to know."""

    def __init__(self, reach: Reach, say: Callable[[str], None], tell: Callable[[str], None]) -> None:
        self._reach = reach
        self._say_unlocked = say
        self._tell = tell
        self._out = threading.Lock()
        self._renewing = threading.Lock()
        self._calls: dict[int, _Call] = {}
        self._slots = threading.Semaphore(MOST_CALLS)
        self._session: _Session | None = None
        self._initialize: Message | None = None
        self._tells_of_tools = False
        self._schemas: dict[str, Any] = {}
        self._ended = False

    def run(self, lines: Iterable[bytes]) -> None:
        """Relay until the input ends, then wait for what is under way."""
        try:
            for line in lines:
                if line.strip():
                    self._take(line)
            deadline = time.monotonic() + LAST_ANSWERS_S
            for thread in [one for one in threading.enumerate() if one.name == _thread_name(self)]:
                thread.join(max(0.0, deadline - time.monotonic()))
        finally:
            self._end()

    def _end(self) -> None:
        self._ended = True
        for call in list(self._calls.values()):
            call.stop()
        session = self._session
        if session is not None and session.id:
            with contextlib.suppress(KaosError):  # a server ends a session by itself in time
                answer = self._reach.send(
                    "DELETE", session.headers, b"", session.version, patience_s=0, timeout_s=CLOSE_S
                )
                answer.close()

    # What the client says.

    def _take(self, line: bytes) -> None:
        try:
            message = messages.read(line)
        except Malformed as error:
            self._say(messages.error("null", PARSE_ERROR, f"this is no MCP message: {error}"))
            return
        if not message.is_request:
            self._notify(message)
        elif message.method == "initialize":
            self._answer(_Call(message, False))
        else:
            call = _Call(message, modern.is_modern(None, message))
            self._slots.acquire()
            self._calls[id(call)] = call
            # Those who wait at the end wait for answers; a subscription has none.
            name = _thread_name(self) if message.method != _LISTEN else None
            threading.Thread(target=self._work, args=(call,), name=name, daemon=True).start()

    def _work(self, call: _Call) -> None:
        try:
            self._answer(call)
        finally:
            del self._calls[id(call)]
            self._slots.release()

    def _notify(self, message: Message) -> None:
        """Pass on a notification or an answer of the client."""
        left = self._cancelled(message) if message.method == _CANCELLED else []
        session = self._session
        if session is not None:  # the stateless era has no messages of clients but requests
            try:
                self._post(message.text, session).close()
            except _Gone:
                return  # it was about something in a session that is no more
            except KaosError as error:
                self._tell(f"{message.method or 'an answer'} has not reached the server: {error.cause}")
        for call in left:
            call.stop()  # which in the stateless era is all that is said of it
        if session is not None and message.method == "notifications/initialized":
            self._listen(session)

    def _cancelled(self, message: Message) -> list[_Call]:
        wanted = message.params.get("requestId")
        ids = ((call, call.request.id) for call in list(self._calls.values()))
        found = [call for call, its in ids if its == wanted and type(its) is type(wanted)]
        for call in found:
            call.cancelled = True  # to who has cancelled nothing more is said
        return found

    # Requests.

    def _answer(self, call: _Call) -> None:
        """Ask the server, and tell the client what it says. The client gets one answer in any case."""
        request = call.request
        try:
            if request.method == "initialize":
                text = self._begin(request)
            elif call.is_modern or self._session is None:
                headers = _modern_headers(request, self._schemas) if call.is_modern else {}
                text = self._ask(request.text, headers, call, None)
            else:
                text = self._in_session(call)
        except _Gone:
            text = messages.error(request.id_text, INTERNAL_ERROR, "the server forgets its sessions at once")
        except KaosError as error:
            why = f"{error.cause.rstrip('.')}. {error.cure}".strip()
            text = messages.error(request.id_text, INTERNAL_ERROR, why)
        if text and not call.cancelled:
            self._say(text)

    def _in_session(self, call: _Call) -> str:
        session = self._session
        try:
            return self._ask(call.request.text, {}, call, session)
        except _Gone:  # refused unread: so it may be sent to the session that follows
            return self._ask(call.request.text, {}, call, self._renew(session))

    def _ask(self, text: str, headers: dict[str, str], call: _Call, session: _Session | None) -> str:
        """The text of the answer; what comes before it is passed on. Empty: there is none."""
        answer = self._post(text, session, headers, call.waits)
        try:
            return self._read(answer, call.request)
        finally:
            answer.close()

    def _post(
        self,
        text: str,
        session: _Session | None,
        headers: dict[str, str] | None = None,
        on_sent: Callable[..., None] | None = None,
    ) -> Answer:
        """Raises _Gone, KaosError."""
        sent = _HEADERS | (session.headers if session else {}) | (headers or {})
        version = session.version if session else sent.get(modern.VERSION_HEADER)
        answer = self._reach.send("POST", sent, text.encode(), version, on_sent=on_sent)
        if answer.status == 404 and session is not None and session.id:
            answer.close()
            raise _Gone
        return answer

    def _read(self, answer: Answer, request: Message) -> str:
        if _media_type(answer) == "text/event-stream":
            for message in _events(answer):
                if message.is_response and message.id == request.id:
                    return self._learned(request, message).text
                self._say(message.text)
            raise McpError("The connection to the server ended before its answer was complete.", "")
        body = b"".join(answer.chunks)
        if answer.status in (202, 204):
            return ""
        try:
            message = messages.read(body)
        except Malformed:
            said = " ".join(body[:200].decode(errors="replace").split())
            raise McpError(f"The server answers HTTP {answer.status}{': ' + said if said else ''}.", "") from None
        if message.is_response and "error" in message.members:  # who could not read the id may not give it back
            return message.edited(message.replace(message.members["id"], request.id_text))
        return self._learned(request, message).text

    def _learned(self, request: Message, answer: Message) -> Message:
        """Tools may want arguments repeated in headers: their schemas say which."""
        if request.method == "tools/list" and isinstance(answer.result, dict):
            for tool in answer.result.get("tools") or ():
                if isinstance(tool, dict) and isinstance(tool.get("name"), str):
                    self._schemas[tool["name"]] = tool.get("inputSchema")
        return answer

    # Sessions.

    def _begin(self, initialize: Message) -> str:
        """The server's answer to initialize, with which the session begins. Raises KaosError."""
        answer = self._post(initialize.text, None)
        try:
            text = self._read(answer, initialize)
        finally:
            answer.close()
        result = messages.read(text.encode()).result if text else None
        if isinstance(result, dict):
            version = result.get("protocolVersion")
            version = version if isinstance(version, str) else HANDSHAKE[-1]
            number = self._session.number + 1 if self._session else 1
            self._session = _Session(answer.headers.get("mcp-session-id"), version, number)
            self._initialize = initialize
            tools = (result.get("capabilities") or {}).get("tools")
            self._tells_of_tools = isinstance(tools, dict) and tools.get("listChanged") is True
        return text

    def _renew(self, lost: _Session) -> _Session:
        """The session that follows one that is lost. Raises KaosError."""
        with self._renewing:
            if self._session.number != lost.number:
                return self._session
            initialize = self._initialize
            again = initialize.edited(initialize.replace(initialize.members["id"], f'"kaos-{lost.number}"'))
            self._begin(messages.read(again.encode()))
            if self._session.number == lost.number:
                raise McpError("The server has restarted and refuses to begin a session.", "")
            self._post('{"jsonrpc":"2.0","method":"notifications/initialized"}', self._session).close()
            self._tell("the server has forgotten the session; a new one has begun")
            self._listen(self._session)
            if self._tells_of_tools:  # it may be another version of the server
                self._say('{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}')
            return self._session

    def _listen(self, session: _Session) -> None:
        threading.Thread(target=self._stand, args=(session,), daemon=True).start()

    def _stand(self, session: _Session) -> None:
        """Hear what the server says outside of answers, as long as the session lasts."""
        headers = session.headers | {"accept": "text/event-stream"}
        while not self._ended and self._session is session:
            with contextlib.suppress(KaosError, _Gone):  # whoever asks for something next is told
                answer = self._reach.send("GET", headers, b"", session.version)
                try:
                    if answer.status == 404 and session.id:
                        self._renew(session)
                        return
                    if _media_type(answer) != "text/event-stream":
                        return  # a server need not offer it
                    for message in _events(answer):
                        self._say(message.text)
                finally:
                    answer.close()
            time.sleep(LISTEN_PAUSE_S)

    def _say(self, text: str) -> None:
        with self._out:
            if self._ended:
                return
            try:
                self._say_unlocked(text)
            except (OSError, ValueError):  # the client has gone; its input will end as well
                self._ended = True


def serve(reach: Reach, path: str, port: int, token: str, on_ready: Callable[[str], None]) -> None:
    """The server over HTTP on a port of this machine, until interrupted; sessions are between it and its clients.
    Raises UsageError when the port is taken."""

    def forward(method: str, asked: str, headers: dict[str, str], body: bytes | None) -> Answer:
        if asked.partition("?")[0] != path:
            raise NotFound(f"the server's path is {path}")
        version = {key.lower(): value for key, value in headers.items()}.get(modern.VERSION_HEADER)
        return reach.send(method, headers, body or b"", version)

    listen(port, forward, lambda address: on_ready(address + path), token)


def _media_type(answer: Answer) -> str:
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()


def _events(answer: Answer) -> Iterable[Message]:
    """The messages of a stream. Raises KaosError when it is cut."""
    parser, size = SseParser(), 0
    for chunk in answer.chunks:
        size += len(chunk)
        for data in parser.feed(chunk):
            size = 0
            with contextlib.suppress(Malformed):  # what is no message is not for the client
                yield messages.read(data)
        if size > MAX_ANSWER_BYTES:
            raise McpError(f"A message of the server is larger than {MAX_ANSWER_BYTES // 2**20} MiB.", "")


def _modern_headers(request: Message, schemas: dict[str, Any]) -> dict[str, str]:
    """What the stateless era wants repeated in headers."""
    params = request.params
    version = params["_meta"][modern.VERSION_KEY]
    headers = {modern.VERSION_HEADER: header_value(str(version)), modern.METHOD_HEADER: request.method}
    if key := _NAMED.get(request.method):
        headers[modern.NAME_HEADER] = header_value(str(params.get(key, "")))
    if request.method == "tools/call":
        headers |= param_headers(schemas.get(str(params.get("name"))), params.get("arguments"))
    return headers


def _thread_name(proxy: StdioProxy) -> str:
    return f"kaos-call-{id(proxy)}"
