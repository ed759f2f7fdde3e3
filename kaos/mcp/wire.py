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

UNSUPPORTED_VERSION = -32022
METHOD_NOT_FOUND = -32601

_PLAIN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_WRAPPED = re.compile(r"=\?base64\?.*\?=")
# Which parameter of a method the header mcp-name repeats.
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


class McpError(KaosError):
    """The server's answer is no good MCP, or refuses."""


class RpcError(McpError):
    """A JSON-RPC error."""

    def __init__(self, error: Object) -> None:
        self.code = error.get("code")
        self.data = error.get("data")
        super().__init__(str(error.get("message") or "the server gave no reason"), "")


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
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def modern_request(number: int, method: str, params: Object, progress: bool) -> tuple[dict[str, str], bytes]:
    """Headers and body of one self-contained request."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": CLIENT,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    if progress:
        meta["progressToken"] = number
    headers = _headers() | {"mcp-protocol-version": MODERN, "mcp-method": method}
    if key := _NAMED.get(method):
        headers["mcp-name"] = header_value(str(params.get(key, "")))
    return headers, _body(number, method, params | {"_meta": meta})


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
        params = params | {"_meta": {"progressToken": number}}
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
    """Server-sent events, fed in pieces; gives the data of each event."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        text = (self._rest + chunk).replace(b"\r\n", b"\n")
        if text.endswith(b"\r"):  # perhaps half of a \r\n
            text, held = text[:-1], b"\r"
        else:
            held = b""
        *lines, rest = text.replace(b"\r", b"\n").split(b"\n")
        self._rest = rest + held
        for line in lines:
            if not line:
                if self._data:
                    yield b"\n".join(self._data)
                    self._data = []
            elif line.startswith(b"data:"):
                value = line[5:]
                self._data.append(value[1:] if value.startswith(b" ") else value)


def parse(data: bytes) -> list[Object]:
    """The JSON-RPC messages of a body. Raises McpError."""
    try:
        found = json.loads(data)
    except ValueError:
        raise McpError("the answer is not JSON", "") from None
    messages = found if isinstance(found, list) else [found]
    if not all(isinstance(message, dict) and message.get("jsonrpc") == "2.0" for message in messages):
        raise McpError("the answer is not JSON-RPC", "")
    return messages
