"""A conversation with one MCP server, as steps without I/O: a driver sends, reads and feeds the answers back.

Every verb is a generator (a Flow): it yields `Send` and gets a `Head`, or yields READ and gets bytes (empty at the
end), and returns its result. `blocking` and `aio` drive it. Shapes of results are the specification's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from kaos.mcp.wire import (
    CLIENT,
    HANDSHAKE,
    MAX_ANSWER_BYTES,
    METHOD_NOT_FOUND,
    MODERN,
    UNSUPPORTED_VERSION,
    Head,
    McpError,
    RpcError,
    SseParser,
    handshake_request,
    modern_request,
    parse,
)

Object = dict[str, Any]
T = TypeVar("T")
Progress = Callable[[float, float | None, str], None]  # done, total, message

MAX_PAGES = 100


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
    """The server does not answer in the 2026-07-28 way."""


class Session:
    """State of the conversation. Not for use by two flows at once."""

    def __init__(self, protocol_version: str | None = None) -> None:
        """With the version that the server is known to speak, the negotiation is left out when it is the modern one."""
        self.protocol_version = protocol_version if protocol_version == MODERN else None
        self.server_info: Object = {}
        self.capabilities: Object = {}
        self.instructions = ""
        self._id: str | None = None
        self._number = 0
        self._assumed = self.protocol_version is not None

    # Verbs.

    def open(self) -> Flow[None]:
        """Negotiate the era: ask the modern way, else shake hands. Raises McpError, RpcError."""
        try:
            found = yield from self._modern("server/discover", {})
        except _NotModern:
            yield from self._shake_hands()
            return
        except RpcError as error:
            supported = (error.data or {}).get("supported") if isinstance(error.data, dict) else None
            if error.code == UNSUPPORTED_VERSION and supported and not set(supported) & set(HANDSHAKE):
                raise McpError(f"the server speaks only {', '.join(supported)}", "Update kaos.") from None
            yield from self._shake_hands()
            return
        versions = found.get("supportedVersions")
        if not isinstance(versions, list) or MODERN not in versions:
            yield from self._shake_hands()
            return
        self.protocol_version = MODERN
        self._assumed = False
        self._take(found, (found.get("_meta") or {}).get("io.modelcontextprotocol/serverInfo"))

    def request(self, method: str, params: Object | None = None, on_progress: Progress | None = None) -> Flow[Object]:
        """One request; returns its result. Raises RpcError, McpError."""
        params = params or {}
        if self._assumed:
            self._assumed = False
            try:
                return (yield from self._modern(method, params, on_progress))
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
                return (yield from self._modern(method, params, on_progress))
            except _NotModern as error:
                raise McpError(str(error), "") from None
        return (yield from self._in_session(method, params, on_progress))

    def call_tool(self, name: str, arguments: Object, on_progress: Progress | None = None) -> Flow[Object]:
        """The tool's CallToolResult: `content`, `structuredContent`, `isError`."""
        return (yield from self.request("tools/call", {"name": name, "arguments": arguments}, on_progress))

    def list_tools(self) -> Flow[list[Object]]:
        return (yield from self._list("tools/list", "tools"))

    def list_resources(self) -> Flow[list[Object]]:
        return (yield from self._list("resources/list", "resources"))

    def list_prompts(self) -> Flow[list[Object]]:
        return (yield from self._list("prompts/list", "prompts"))

    def close(self) -> Flow[None]:
        """End the session at the server, which would keep it for long otherwise."""
        if self._id is not None:
            headers = {"mcp-session-id": self._id, "mcp-protocol-version": self.protocol_version or HANDSHAKE[0]}
            self._id = None
            yield Send("DELETE", headers, b"")

    def _list(self, method: str, key: str) -> Flow[list[Object]]:
        items: list[Object] = []
        params: Object = {}
        for _ in range(MAX_PAGES):
            page = yield from self.request(method, params)
            found = page.get(key)
            if not isinstance(found, list):
                raise McpError(f"the answer to {method} holds no {key}", "")
            items += found
            if not page.get("nextCursor"):
                return items
            params = {"cursor": page["nextCursor"]}
        raise McpError(f"{method} has no end: more than {MAX_PAGES} pages", "")

    # The modern era.

    def _modern(self, method: str, params: Object, on_progress: Progress | None = None) -> Flow[Object]:
        self._number += 1
        headers, body = modern_request(self._number, method, params, on_progress is not None)
        head = yield Send("POST", headers, body)
        try:
            message = yield from self._answer(head, self._number, on_progress)
        except RpcError:
            raise
        except McpError as error:
            if head.status in (401, 403):
                raise
            raise _NotModern(error.cause) from None
        if "error" in message:
            error = RpcError(message["error"])
            # Servers with sessions know no such method, or miss the session: all without having acted.
            if method == "server/discover" or head.status in (400, 404, 405, 406):
                if error.code == UNSUPPORTED_VERSION:
                    raise error
                if head.status != 200 and (error.code not in (-32602,) or method == "server/discover"):
                    raise _NotModern(error.cause)
            raise error
        result = message.get("result")
        if not isinstance(result, dict):
            raise McpError(f"the answer to {method} holds no result", "")
        if result.get("resultType") == "input_required":
            raise McpError("the tool asks for more input, which this call cannot give", "Call it with all arguments.")
        return result

    # The eras with a handshake.

    def _shake_hands(self) -> Flow[None]:
        params = {"protocolVersion": HANDSHAKE[0], "capabilities": {}, "clientInfo": CLIENT}
        self.protocol_version = None
        self._id = None
        result, head = yield from self._exchange("initialize", params, None)
        version = result.get("protocolVersion")
        if not isinstance(version, str):
            raise McpError("the answer to initialize names no protocol version", "")
        if version not in HANDSHAKE:
            raise McpError(f"the server speaks MCP {version}, which kaos does not", "Update kaos.")
        self.protocol_version = version
        self._id = head.headers.get("mcp-session-id")
        self._take(result, result.get("serverInfo"))
        headers, body = handshake_request(None, "notifications/initialized", {}, version, self._id, False)
        yield Send("POST", headers, body)

    def _in_session(self, method: str, params: Object, on_progress: Progress | None) -> Flow[Object]:
        try:
            result, _ = yield from self._exchange(method, params, on_progress)
            return result
        except _SessionGone:
            yield from self._shake_hands()
            result, _ = yield from self._exchange(method, params, on_progress)
            return result

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
        if not isinstance(message.get("result"), dict):
            raise McpError(f"the answer to {method} holds no result", "")
        return message["result"], head

    def _take(self, result: Object, server_info: Any) -> None:
        self.server_info = server_info if isinstance(server_info, dict) else {}
        self.capabilities = result.get("capabilities") or {}
        self.instructions = str(result.get("instructions") or "")

    # Answers.

    def _answer(self, head: Head, number: int, on_progress: Progress | None) -> Flow[Object]:
        """The response to request `number` out of a JSON body or an event stream."""
        if head.status in (401, 403):
            raise McpError(f"the server refuses access (HTTP {head.status})", "It wants credentials that kaos lacks.")
        if head.media_type == "text/event-stream":
            return (yield from self._from_events(number, on_progress))
        body = bytearray()
        while chunk := (yield READ):
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise McpError(f"the answer is larger than {MAX_ANSWER_BYTES // 2**20} MiB", "")
        if head.media_type != "application/json":
            raise McpError(f"HTTP {head.status} {head.media_type or 'without a body'} is no MCP answer", "")
        for message in parse(bytes(body)):
            if message.get("id") == number or "error" in message:
                return message
        raise McpError("the answer belongs to no request", "")

    def _from_events(self, number: int, on_progress: Progress | None) -> Flow[Object]:
        events = SseParser()
        size = 0
        while chunk := (yield READ):
            size += len(chunk)
            if size > MAX_ANSWER_BYTES:
                raise McpError(f"the answer is larger than {MAX_ANSWER_BYTES // 2**20} MiB", "")
            for data in events.feed(chunk):
                if not data:
                    continue
                for message in parse(data):
                    if "method" not in message:
                        if message.get("id") == number or message.get("id") is None:
                            return message
                    elif "id" in message:
                        yield from self._refuse(message)
                    elif message["method"] == "notifications/progress" and on_progress:
                        _tell(on_progress, message.get("params") or {})
        raise McpError("the server ended the answer before it was complete", "")

    def _refuse(self, message: Object) -> Flow[None]:
        """Answer a request of the server: a ping with a pong, all else with `not found`. It must not wait for ever."""
        reply: Object = {"jsonrpc": "2.0", "id": message["id"]}
        if message["method"] == "ping":
            reply["result"] = {}
        else:
            reply["error"] = {"code": METHOD_NOT_FOUND, "message": "this client offers no such capability"}
        headers, _ = handshake_request(None, "", {}, self.protocol_version, self._id, False)
        yield Send("POST", headers, json.dumps(reply).encode(), aside=True)


class _SessionGone(Exception):
    """The server has forgotten the session (404): a new one is due."""


def _tell(on_progress: Progress, params: Object) -> None:
    done, total = params.get("progress"), params.get("total")
    if isinstance(done, int | float):
        on_progress(done, total if isinstance(total, int | float) else None, str(params.get("message") or ""))
