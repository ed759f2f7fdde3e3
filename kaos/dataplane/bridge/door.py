"""What every endpoint of the bridge has in common: who may come in, and how one is answered."""

from __future__ import annotations

import hmac

from aiohttp import web

from kaos.dataplane import guard
from kaos.dataplane.bridge import message as messages
from kaos.dataplane.bridge.message import Message
from kaos.dataplane.bridge.settings import Settings

SESSION_HEADER = "mcp-session-id"
TOKEN_HEADER = "x-kaos-token"
PARSE_ERROR, INVALID_REQUEST = -32700, -32600


def turned_away(request: web.Request, settings: Settings) -> web.Response | None:
    """The answer to who may not come in."""
    headers = ((name.lower(), value) for name, value in request.headers.items())
    if why := guard.refusal(headers, settings.host):
        return refused(403, INVALID_REQUEST, why)
    if settings.token and not hmac.compare_digest(_token(request), settings.token.encode()):
        return refused(401, INVALID_REQUEST, "a token is needed", headers={"www-authenticate": "Bearer"})
    return None


def _token(request: web.Request) -> bytes:
    given = request.headers.get(TOKEN_HEADER) or request.headers.get("authorization", "").removeprefix("Bearer ")
    return given.encode(errors="surrogateescape")


def refused(
    status: int, code: int, why: str, message: Message | None = None, headers: dict[str, str] | None = None
) -> web.Response:
    id_text = message.id_text if message is not None and message.is_request else "null"
    response = json_answer(messages.error(id_text, code, why), status)
    response.headers.update(headers or {})
    return response


def json_answer(text: str, status: int = 200, session_id: str | None = None) -> web.Response:
    headers = {"content-type": "application/json"} | ({SESSION_HEADER: session_id} if session_id else {})
    return web.Response(body=text.encode(), status=status, headers=headers)


async def unsigned(request: web.Request, response: web.StreamResponse) -> None:
    """Which library serves, and in which version, is nobody's business."""
    response.headers.pop("Server", None)
