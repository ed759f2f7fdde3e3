"""A conversation with one MCP server, as steps without I/O: a driver sends, reads and feeds the answers back.

Every verb is a generator (a Flow): it yields `Send` and gets a `Head`, or yields READ and gets bytes (empty at the
end), and returns its result. `blocking` and `aio` drive it. Shapes of results are the specification's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from kaos.mcp.param_headers import param_headers
from kaos.mcp.questions import CAPABILITIES, DECLINED, Ask, Declined, question_of
from kaos.mcp.wire import (
    CLIENT,
    HANDSHAKE,
    HEADER_MISMATCH,
    INVALID_PARAMS,
    MAX_ANSWER_BYTES,
    METHOD_NOT_FOUND,
    MODERN,
    UNSUPPORTED_VERSION,
    AccessRefused,
    Head,
    McpError,
    RpcError,
    SseParser,
    check_response,
    handshake_request,
    modern_request,
    parse,
)

Object = dict[str, Any]
T = TypeVar("T")
Progress = Callable[[float, float | None, str], None]  # done, total, message
Log = Callable[[str, str], None]  # level, text

MAX_PAGES = 100
MAX_ASIDES = 1000  # requests of the server during one of ours
MAX_ROUNDS = 20  # of questions before a request of the modern era is answered
# With these a server with sessions refuses what it cannot make sense of: it knows no such method, or misses a session.
_UNREAD = (400, 404, 405, 406, 415)


@dataclass(frozen=True)
class Send:
    """Do this HTTP request. Aside: beside the answer that is being read, which stays open; its own body is dropped."""

    method: str
    headers: dict[str, str]
    body: bytes
    aside: bool = False


class _Read:
    """Give the next piece of the present answer's body."""


READ = _Read()
Flow = Generator[Send | _Read, Any, T]


class _NotModern(Exception):
    """The server refused a request of the 2026-07-28 kind as such, without having acted on it."""

    def __init__(self, error: McpError) -> None:
        super().__init__()
        self.error = error


class Session:
    """State of the conversation. Not for use by two flows at once."""

    def __init__(
        self, protocol_version: str | None = None, on_log: Log | None = None, on_ask: Ask | None = None
    ) -> None:
        """With the version that the server is known to speak, the negotiation is left out when it is the modern one.
        `on_log` is told what the server logs while it works on a request; `on_ask` answers what it asks back."""
        self._on_log = on_log
        self._on_ask = on_ask
        self._capabilities: Object = CAPABILITIES if on_ask else {}
        self.protocol_version = protocol_version if protocol_version == MODERN else None
        self.server_info: Object = {}
        self._id: str | None = None
        self._number = 0
        self._assumed = self.protocol_version is not None

    # Verbs.

    def open(self) -> Flow[None]:
        """Negotiate the era: ask the modern way, else shake hands. Raises McpError, RpcError."""
        self._assumed = False
        try:
            found = yield from self._modern("server/discover", {})
        except AccessRefused:
            raise
        except RpcError as error:
            if error.code == UNSUPPORTED_VERSION and error.supported and not {*error.supported} & {*HANDSHAKE}:
                raise McpError(f"the server speaks only {', '.join(error.supported)}", "Update kaos.") from None
            yield from self._shake_hands()
        except (_NotModern, McpError):
            yield from self._shake_hands()
        else:
            if MODERN not in _list(found.get("supportedVersions")):
                yield from self._shake_hands()
                return
            self.protocol_version = MODERN
            self.server_info = _dict(_dict(found.get("_meta")).get("io.modelcontextprotocol/serverInfo"))

    def request(
        self,
        method: str,
        params: Object | None = None,
        on_progress: Progress | None = None,
        more_headers: dict[str, str] | None = None,
    ) -> Flow[Object]:
        """One request; returns its result. Raises RpcError, McpError."""
        params = params or {}
        if self._assumed:
            try:
                return (yield from self._modern(method, params, on_progress, more_headers))
            except _NotModern:
                self.protocol_version = None
            except RpcError as error:
                if error.code != UNSUPPORTED_VERSION:
                    raise
                self.protocol_version = None
        if self.protocol_version is None:
            yield from self.open()
        if self.protocol_version == MODERN:
            try:
                return (yield from self._modern(method, params, on_progress, more_headers))
            except _NotModern as refusal:
                raise refusal.error from None
        return (yield from self._in_session(method, params, on_progress))

    def call_tool(
        self, name: str, arguments: Object, on_progress: Progress | None = None, meta: dict[str, str] | None = None
    ) -> Flow[Object]:
        """The tool's CallToolResult: `content`, `structuredContent`, `isError`. The call is sent once; it is sent
        again only when the server has refused it unread: a session that is gone, an era it does not speak. `meta` is
        what else the request says of itself, the trace for instance."""
        params = {"name": name, "arguments": arguments} | ({"_meta": meta} if meta else {})
        try:
            result = yield from self.request("tools/call", params, on_progress)
        except RpcError as error:
            if error.code != HEADER_MISMATCH:
                raise
            tools = yield from self.list_tools()
            schema = next((tool.get("inputSchema") for tool in tools if tool["name"] == name), None)
            result = yield from self.request("tools/call", params, on_progress, param_headers(schema, arguments))
        content = result.get("content", [] if "structuredContent" in result else None)
        if not isinstance(content, list) or not all(_is_content(item) for item in content):
            raise McpError("the answer to tools/call holds no content", "")
        if not isinstance(result.get("isError", False), bool):
            raise McpError("the answer to tools/call does not say whether it is an error", "")
        return result

    def list_tools(self) -> Flow[list[Object]]:
        """Every tool: `name`, and what else the server says of it."""
        return (yield from self._pages("tools/list", "tools", "tool", "name"))

    def list_resources(self) -> Flow[list[Object]]:
        """Every resource: `uri`, and what else the server says of it."""
        return (yield from self._pages("resources/list", "resources", "resource", "uri"))

    def list_resource_templates(self) -> Flow[list[Object]]:
        """Every pattern of resources: `uriTemplate`, and what else the server says of it."""
        return (yield from self._pages("resources/templates/list", "resourceTemplates", "template", "uriTemplate"))

    def list_prompts(self) -> Flow[list[Object]]:
        """Every prompt: `name`, `arguments`, and what else the server says of it."""
        return (yield from self._pages("prompts/list", "prompts", "prompt", "name"))

    def read_resource(self, uri: str) -> Flow[list[Object]]:
        """The contents of a resource: each has `uri`, and `text` or (in base64) `blob`."""
        result = yield from self.request("resources/read", {"uri": uri})
        contents = result.get("contents")
        if not isinstance(contents, list) or not all(_is_resource_content(item) for item in contents):
            raise McpError("the answer to resources/read holds no contents", "")
        return contents

    def get_prompt(self, name: str, arguments: dict[str, str]) -> Flow[Object]:
        """The prompt's GetPromptResult: `messages`, each with `role` and `content`; perhaps a `description`."""
        result = yield from self.request("prompts/get", {"name": name, "arguments": arguments})
        messages = result.get("messages")
        if not isinstance(messages, list) or not all(_is_content(_dict(item).get("content")) for item in messages):
            raise McpError("the answer to prompts/get holds no messages", "")
        return result

    def _pages(self, method: str, key: str, what: str, identity: str) -> Flow[list[Object]]:
        """All of a list that comes in pages; `identity` is the field that tells one item from the other."""
        items: list[Object] = []
        cursors: set[str] = set()
        params: Object = {}
        for _ in range(MAX_PAGES):
            page = yield from self.request(method, params)
            found = page.get(key)
            if not isinstance(found, list):
                raise McpError(f"the answer to {method} holds no {what}s", "")
            if not all(isinstance(item, dict) and isinstance(item.get(identity), str) for item in found):
                raise McpError(f"the answer to {method} holds a {what} without a {identity}", "")
            items += found
            cursor = page.get("nextCursor")
            if not isinstance(cursor, str) or not cursor or cursor in cursors:
                return items
            cursors.add(cursor)
            params = {"cursor": cursor}
        raise McpError(f"the list of {what}s has no end: more than {MAX_PAGES} pages", "")

    def close(self) -> Flow[None]:
        """End the session at the server, which would keep it for long otherwise."""
        if self._id is not None:
            headers = {"mcp-session-id": self._id, "mcp-protocol-version": self.protocol_version or HANDSHAKE[0]}
            self._id = None
            yield Send("DELETE", headers, b"")

    def abandon(self) -> Flow[None]:
        """Tell a server with sessions that nobody waits for the last request any longer, and end the session."""
        if self._id is not None:
            params = {"requestId": self._number}
            headers, body = handshake_request(
                None, "notifications/cancelled", params, self.protocol_version, self._id, False
            )
            yield Send("POST", headers, body)
        yield from self.close()

    # The modern era.

    def _modern(
        self,
        method: str,
        params: Object,
        on_progress: Progress | None = None,
        more_headers: dict[str, str] | None = None,
    ) -> Flow[Object]:
        """One request, again with the answers for as long as the server asks back in place of a result."""
        given: Object = {}
        for _ in range(MAX_ROUNDS):
            result = yield from self._modern_once(method, params | given, on_progress, more_headers)
            match result.get("resultType", "complete"):
                case "complete":
                    return result
                case "input_required" if self._on_ask is not None:
                    given = self._answers(self._on_ask, result)
                case "input_required":
                    why = "the tool asks for more input, which this call cannot give"
                    raise McpError(why, "Call it with all arguments, or from a terminal, which can be asked.")
                case _:
                    raise McpError(f"the answer to {method} is of a kind that kaos does not know", "Update kaos.")
        raise McpError("the server asks without end instead of answering", "")

    def _answers(self, ask: Ask, result: Object) -> Object:
        """What to send along the next time. Raises Declined."""
        state = result.get("requestState")
        given: Object = {"requestState": state} if isinstance(state, str) else {}
        replies: Object = {}
        for key, message in _dict(result.get("inputRequests")).items():
            question = question_of(message)
            if question is None:
                raise McpError("the server asks for what this client does not have", "")
            replies[key] = question.result(ask(question))
        return given | ({"inputResponses": replies} if replies else {})

    def _modern_once(
        self, method: str, params: Object, on_progress: Progress | None, more_headers: dict[str, str] | None
    ) -> Flow[Object]:
        self._number += 1
        headers, body = modern_request(
            self._number, method, params, on_progress is not None, self._on_log is not None, self._capabilities
        )
        head = yield Send("POST", headers | (more_headers or {}), body)
        unread = head.status in _UNREAD
        try:
            message = yield from self._answer(head, self._number, on_progress)
        except AccessRefused:
            raise
        except McpError as error:
            if unread:
                raise _NotModern(error) from None
            raise
        if "error" in message:
            error = RpcError(message["error"])
            if unread and error.code not in (INVALID_PARAMS, HEADER_MISMATCH, UNSUPPORTED_VERSION):
                raise _NotModern(error)
            raise error
        return message["result"]

    # The eras with a handshake.

    def _shake_hands(self) -> Flow[None]:
        self.protocol_version = None
        self._id = None
        try:
            result, head = yield from self._initialize(HANDSHAKE[0])
        except RpcError as error:
            known = [version for version in HANDSHAKE[1:] if version in error.supported]
            if not known:
                raise
            result, head = yield from self._initialize(known[0])
        version = result.get("protocolVersion")
        if not isinstance(version, str):
            raise McpError("the answer to initialize names no protocol version", "")
        if version not in HANDSHAKE:
            raise McpError(f"the server speaks MCP {version}, which kaos does not", "Update kaos.")
        self.protocol_version = version
        self._id = head.headers.get("mcp-session-id")
        self.server_info = _dict(result.get("serverInfo"))
        headers, body = handshake_request(None, "notifications/initialized", {}, version, self._id, False)
        yield Send("POST", headers, body)

    def _initialize(self, version: str) -> Flow[tuple[Object, Head]]:
        params = {"protocolVersion": version, "capabilities": self._capabilities, "clientInfo": CLIENT}
        return (yield from self._exchange("initialize", params, None))

    def _in_session(self, method: str, params: Object, on_progress: Progress | None) -> Flow[Object]:
        try:
            result, _ = yield from self._exchange(method, params, on_progress)
            return result
        except _SessionGone:
            yield from self._shake_hands()
        try:
            result, _ = yield from self._exchange(method, params, on_progress)
            return result
        except _SessionGone:
            raise McpError("the server forgets its sessions at once", "") from None

    def _exchange(self, method: str, params: Object, on_progress: Progress | None) -> Flow[tuple[Object, Head]]:
        self._number += 1
        headers, body = handshake_request(
            self._number, method, params, self.protocol_version, self._id, on_progress is not None
        )
        head = yield Send("POST", headers, body)
        if head.status == 404 and self._id is not None:
            raise _SessionGone
        message = yield from self._answer(head, self._number, on_progress)
        if "error" in message:
            raise RpcError(message["error"])
        return message["result"], head

    # Answers.

    def _answer(self, head: Head, number: int, on_progress: Progress | None) -> Flow[Object]:
        """The response to request `number` out of a JSON body or an event stream: with `result` or with `error`."""
        if head.status in (401, 403):
            why = f"the server refuses access (HTTP {head.status})"
            raise AccessRefused(why, "It wants credentials that kaos lacks.")
        if 300 <= head.status < 400:
            place = head.headers.get("location", "nowhere")
            raise McpError(f"the server redirects to {place} (HTTP {head.status})", "Name that path: spec.path")
        if head.media_type == "text/event-stream":
            message = yield from self._from_events(number, on_progress)
        elif head.media_type == "application/json":
            message = parse((yield from self._body()))
            check_response(message, number)
        else:
            raise McpError(f"HTTP {head.status} {head.media_type or 'without a body'} is no MCP answer", "")
        if "result" in message and not 200 <= head.status < 300:
            raise McpError(f"HTTP {head.status} with a result is no MCP answer", "")
        return message

    def _body(self) -> Flow[bytes]:
        body = bytearray()
        while chunk := (yield READ):
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise McpError(f"the answer is larger than {MAX_ANSWER_BYTES // 2**20} MiB", "")
        return bytes(body)

    def _from_events(self, number: int, on_progress: Progress | None) -> Flow[Object]:
        events = SseParser()
        size = asides = 0
        while chunk := (yield READ):
            size += len(chunk)
            if size > MAX_ANSWER_BYTES:
                raise McpError(f"the answer is larger than {MAX_ANSWER_BYTES // 2**20} MiB", "")
            answer: Object | None = None
            for data in events.feed(chunk):
                message = parse(data)
                if "method" not in message:
                    check_response(message, number)
                    if answer is not None:
                        raise McpError("the server answered twice", "")
                    answer = message
                elif "id" in message:
                    asides += 1
                    if asides > MAX_ASIDES:
                        raise McpError("the server asks without end instead of answering", "")
                    yield from self._reply(message)
                elif message["method"] == "notifications/progress" and on_progress:
                    _tell(on_progress, _dict(message.get("params")))
                elif message["method"] == "notifications/message" and self._on_log:
                    said = _dict(message.get("params"))
                    self._on_log(str(said.get("level") or "info"), _log_text(said.get("data")))
            if answer is not None:
                return answer
        raise McpError("the server ended the answer before it was complete", "")

    def _reply(self, message: Object) -> Flow[None]:
        """Answer a request of the server: a ping with a pong, a question with what is said to it, all else with
        `not found`. It must not wait for ever."""
        reply: Object = {"jsonrpc": "2.0", "id": message["id"]}
        question = question_of(message)
        if message["method"] == "ping":
            reply["result"] = {}
        elif question is not None and self._on_ask is not None:
            try:
                reply["result"] = question.result(self._on_ask(question))
            except Declined as declined:
                reply["error"] = {"code": DECLINED, "message": declined.cause}
        else:
            reply["error"] = {"code": METHOD_NOT_FOUND, "message": "this client offers no such capability"}
        headers, _ = handshake_request(None, "", {}, self.protocol_version, self._id, False)
        yield Send("POST", headers, json.dumps(reply).encode(), aside=True)


class _SessionGone(Exception):
    """The server has forgotten the session (404): a new one is due."""


def _is_content(item: Any) -> bool:
    kind = _dict(item).get("type")
    return isinstance(kind, str) and (kind != "text" or isinstance(item.get("text"), str))


def _is_resource_content(item: Any) -> bool:
    found = _dict(item)
    return isinstance(found.get("uri"), str) and isinstance(found.get("text", found.get("blob")), str)


def _log_text(data: Any) -> str:
    """What was logged: text, or an object that often holds it as `msg`."""
    if isinstance(data, dict) and isinstance(data.get("msg"), str):
        data = data["msg"]
    return data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)


def _tell(on_progress: Progress, params: Object) -> None:
    done, total = params.get("progress"), params.get("total")
    if isinstance(done, int | float):
        on_progress(done, total if isinstance(total, int | float) else None, str(params.get("message") or ""))


def _dict(value: Any) -> Object:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
