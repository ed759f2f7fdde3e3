"""The stateless era, 2026-07-28, before a server that knows only the older one: checks, and what its texts lack."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kaos.dataplane.bridge.message import Edit, Message
from kaos.mcp.wire import HEADER_MISMATCH, INVALID_PARAMS, METHOD_NOT_FOUND, MODERN, UNSUPPORTED_VERSION

_META = "io.modelcontextprotocol/"
VERSION_KEY, CAPABILITIES_KEY = f"{_META}protocolVersion", f"{_META}clientCapabilities"
SERVER_KEY = f"{_META}serverInfo"
VERSION_HEADER, METHOD_HEADER, NAME_HEADER = "mcp-protocol-version", "mcp-method", "mcp-name"
# The parameter that the header mcp-name repeats.
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
# What this era has given up.
_GONE = {"initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"}
_CACHEABLE = {"tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read"}
_FRESHNESS = '"ttlMs":0,"cacheScope":"private"'
STATUS = {
    -32700: 400, -32600: 400, INVALID_PARAMS: 400, HEADER_MISMATCH: 400, UNSUPPORTED_VERSION: 400,
    METHOD_NOT_FOUND: 404,
}  # fmt: skip


@dataclass
class Refused(Exception):
    """A request that is not put to the server."""

    code: int
    why: str
    data: dict[str, Any] = field(default_factory=dict)


def is_modern(version: str | None, message: Message) -> bool:
    """Whether a request is of this era: it says so in its header or in itself."""
    if version == MODERN:
        return True
    meta = message.params.get("_meta")
    return isinstance(meta, dict) and VERSION_KEY in meta


def check(request: Message, headers: Iterable[tuple[str, str]]) -> None:
    """Raises Refused."""
    meta = request.params.get("_meta")
    missing = [key for key in (VERSION_KEY, CAPABILITIES_KEY) if not isinstance(meta, dict) or key not in meta]
    if missing:
        raise Refused(INVALID_PARAMS, f"params._meta lacks {', '.join(missing)}")
    told: dict[str, str] = {}
    for name, value in headers:
        if (name := name.lower()) in (VERSION_HEADER, METHOD_HEADER, NAME_HEADER):
            if name in told:
                raise Refused(HEADER_MISMATCH, f"the header {name} is there twice")
            told[name] = value
    version = meta[VERSION_KEY]
    _same(told, VERSION_HEADER, version, "the protocol version in params._meta")
    _same(told, METHOD_HEADER, request.method, "the method")
    if (key := _NAMED.get(request.method)) and request.params.get(key) is not None:
        told[NAME_HEADER] = _unwrapped(told.get(NAME_HEADER, ""))
        _same(told, NAME_HEADER, request.params[key], f"params.{key}")
    if version != MODERN:
        raise Refused(
            UNSUPPORTED_VERSION, "Unsupported protocol version", {"supported": [MODERN], "requested": version}
        )
    if request.method in _GONE:
        raise Refused(METHOD_NOT_FOUND, f"there is no {request.method} here in MCP {MODERN}")


def _same(told: Mapping[str, str | None], header: str, expected: Any, what: str) -> None:
    if header not in told or told[header] != expected:
        raise Refused(HEADER_MISMATCH, f"the header {header} is not {what}")


def _unwrapped(value: str) -> str | None:
    """A header's text; None when it is wrapped badly."""
    if not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    try:
        return base64.b64decode(value[9:-2], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def without_envelope(request: Message) -> list[Edit]:
    """Edits that take out what only this era says in `_meta`, which is there (see `check`)."""
    whole = request.inside("params")["_meta"]
    members = request.within(whole)
    kept = [member for key, member in members.items() if not key.startswith(_META)]
    if len(kept) == len(members):
        return []
    if not kept:
        return [request.replace(whole, "{}")]
    # Each piece from one kept member to the next goes, so that their own texts stay where edits may find them.
    bounds = [whole.begin + 1, *(edge for member in kept for edge in (member.key_begin, member.end)), whole.end - 1]
    edits = []
    for number, (begin, end) in enumerate(zip(bounds[::2], bounds[1::2], strict=True)):
        edits.append((begin, end, "," if 0 < number < len(kept) else ""))
    return edits


def dressed(method: str, answer: Message) -> list[Edit]:
    """Edits that give a result what this era demands of each."""
    if not isinstance(answer.result, dict):
        return []
    lacking = [] if "resultType" in answer.result else ['"resultType":"complete"']
    if method in _CACHEABLE and "ttlMs" not in answer.result and "cacheScope" not in answer.result:
        lacking.append(_FRESHNESS)
    if not lacking:
        return []
    at = answer.members["result"].begin + 1
    return [(at, at, ",".join(lacking) + ("," if answer.result else ""))]


def discovered(initialized: dict[str, Any]) -> str:
    """The result of server/discover, from that of the handshake."""
    capabilities = dict(initialized.get("capabilities") or {})
    for gone in ("logging", "tasks"):
        capabilities.pop(gone, None)
    result = {"resultType": "complete", "supportedVersions": [MODERN], "capabilities": capabilities}
    if "instructions" in initialized:
        result["instructions"] = initialized["instructions"]
    result |= {"ttlMs": 0, "cacheScope": "private", "_meta": {SERVER_KEY: initialized.get("serverInfo") or {}}}
    return json.dumps(result)
