"""JSON-RPC over streamable HTTP: what goes into a request and how an answer's messages are read."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import kaos
from kaos.errors import KaosError

Object = dict[str, Any]

MODERN = "2026-07-28"
HANDSHAKE = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
CLIENT = {"name": "kaos", "version": kaos.__version__}
MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 100  # of an answer's JSON: all that reads or prints it later recurses

UNSUPPORTED_VERSION = -32022
HEADER_MISMATCH = -32020
INVALID_PARAMS = -32602
METHOD_NOT_FOUND = -32601

_PLAIN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_WRAPPED = re.compile(r"=\?base64\?.*\?=")
# Which parameter of a method the header mcp-name repeats.
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


class McpError(KaosError):
    """The server's answer is no good MCP, or refuses."""


class AccessRefused(McpError):
    """The server wants other credentials."""


class RpcError(McpError):
    """A JSON-RPC error."""

    def __init__(self, error: Any) -> None:
        error = error if isinstance(error, dict) else {"message": error}
        code, data, message = error.get("code"), error.get("data"), error.get("message")
        self.code = code if isinstance(code, int) else None
        self.data = data if isinstance(data, dict) else {}
        super().__init__(message if isinstance(message, str) and message else "the server gave no reason", "")

    @property
    def supported(self) -> list[str]:
        """The protocol versions that the server names when it refuses one."""
        found = self.data.get("supported")
        return [version for version in found if isinstance(version, str)] if isinstance(found, list) else []


@dataclass(frozen=True)
class Head:
    """Status and headers of an HTTP answer; header names in lower case."""

    status: int
    headers: dict[str, str]

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def header_value(text: str) -> str:
    """A value that survives an HTTP header, as the 2026-07-28 revision wraps it."""
    if _PLAIN.fullmatch(text) and not _WRAPPED.fullmatch(text):
        return text
    wrapped = base64.b64encode(text.encode(errors="replace")).decode()
    return f"=?base64?{wrapped}?="


def modern_request(
    number: int, method: str, params: Object, progress: bool, logs: bool = False, capabilities: Object | None = None
) -> tuple[dict[str, str], bytes]:
    """Headers and body of one self-contained request."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": CLIENT,
        "io.modelcontextprotocol/clientCapabilities": capabilities or {},
    }
    if progress:
        meta["progressToken"] = number
    if logs:
        meta["io.modelcontextprotocol/logLevel"] = "info"
    headers = _headers() | {"mcp-protocol-version": MODERN, "mcp-method": method}
    if key := _NAMED.get(method):
        headers["mcp-name"] = header_value(str(params.get(key, "")))
    return headers, _body(number, method, params | {"_meta": params.get("_meta", {}) | meta})


def handshake_request(
    number: int | None, method: str, params: Object, version: str | None, session: str | None, progress: bool
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a request (or, without a number, a notification) of the eras with sessions."""
    headers = _headers()
    if version:
        headers["mcp-protocol-version"] = version
    if session:
        headers["mcp-session-id"] = session
    if progress and number is not None:
        params = params | {"_meta": params.get("_meta", {}) | {"progressToken": number}}
    return headers, _body(number, method, params)


def _headers() -> dict[str, str]:
    return {"content-type": "application/json", "accept": "application/json, text/event-stream"}


def _body(number: int | None, method: str, params: Object) -> bytes:
    message: Object = {"jsonrpc": "2.0", "method": method}
    if number is not None:
        message["id"] = number
    if params:
        message["params"] = params
    return json.dumps(message, separators=(",", ":")).encode()


class SseParser:
    """Server-sent events, fed in pieces; gives the data of each event of type `message`."""

    def __init__(self) -> None:
        self._line: list[bytes] = []  # pieces of the line that has not ended yet
        self._data: list[bytes] = []
        self._type = b""
        self._after_return = False  # a \n that follows belongs to it

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        if self._after_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_return = chunk.endswith(b"\r")
        *ended, rest = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for piece in ended:
            line = b"".join([*self._line, piece])
            self._line = []
            if line:
                self._field(line)
                continue
            data, kind = b"\n".join(self._data), self._type
            self._data, self._type = [], b""
            if data and kind in (b"", b"message"):
                yield data
        if rest:
            self._line.append(rest)

    def _field(self, line: bytes) -> None:
        name, _, value = line.removeprefix(b"\xef\xbb\xbf").partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._type = value


def parse(data: bytes) -> Object:
    """The one JSON-RPC message of a body or event. Raises McpError."""
    try:
        found = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise McpError("the answer is not JSON", "") from None
    if not isinstance(found, dict) or found.get("jsonrpc") != "2.0":
        raise McpError("the answer is not JSON-RPC", "")
    if not _is_shallow(found):
        raise McpError(f"the answer is nested more than {MAX_DEPTH} deep", "")
    return found


def check_response(message: Object, number: int) -> None:
    """Raises McpError for what is no response to request `number`. An error may lack the id: JSON-RPC has it so."""
    number_given = message.get("id")
    if ("result" in message) == ("error" in message):
        raise McpError("the answer holds neither result nor error, or both", "")
    if "result" in message and not isinstance(message["result"], dict):
        raise McpError("the answer's result is no object", "")
    mine = number_given == number and not isinstance(number_given, bool)
    if not mine and not ("error" in message and number_given is None):
        raise McpError("the answer belongs to no request", "")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _is_shallow(found: Any) -> bool:
    level = [found]
    for _ in range(MAX_DEPTH):
        level = [
            part
            for whole in level
            for part in (whole.values() if isinstance(whole, dict) else whole)
            if isinstance(part, dict | list)
        ]
        if not level:
            return True
    return False
