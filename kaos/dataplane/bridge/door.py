"""What the bridge is over HTTP whatever stands behind it: its endpoints, who may come in, and how one is answered."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator

from aiohttp import web

from kaos.dataplane import guard
from kaos.dataplane.bridge import message as messages
from kaos.dataplane.bridge.child import LINE_LIMIT
from kaos.dataplane.bridge.message import Message
from kaos.dataplane.bridge.metrics import CONTENT_TYPE, Metrics
from kaos.dataplane.bridge.settings import Settings

SESSION_HEADER = "mcp-session-id"
TOKEN_HEADER = "x-kaos-token"
PARSE_ERROR, INVALID_REQUEST = -32700, -32600


class Door:
    """The MCP endpoint, health, readiness and numbers. A subclass says `_live`, `_endpoint` and `_why_not_ready`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = Metrics()
        self._leaving = False

    def app(self) -> web.Application:
        app = web.Application(client_max_size=LINE_LIMIT)
        app.cleanup_ctx.append(self._live)
        app.router.add_route("*", self._settings.path, self._endpoint)
        app.router.add_get("/health", self._health)
        app.router.add_get("/ready", self._ready)
        app.router.add_get("/metrics", self._numbers)
        app.on_response_prepare.append(_unsigned)
        return app

    def leave(self) -> None:
        """Be ready no longer; what is under way goes on."""
        self._leaving = True

    def _live(self, app: web.Application) -> AsyncIterator[None]:
        """What lives as long as the application."""
        raise NotImplementedError

    async def _endpoint(self, request: web.Request) -> web.StreamResponse:
        raise NotImplementedError

    async def _why_not_ready(self) -> str | None:
        """None when it is ready."""
        raise NotImplementedError

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _ready(self, request: web.Request) -> web.Response:
        if self._leaving:
            return web.json_response({"status": "leaving"}, status=503)
        if (why := await self._why_not_ready()) is not None:
            return web.json_response({"status": "not ready", "message": why}, status=503)
        return web.json_response({"status": "ok"})

    async def _numbers(self, request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.text(), headers={"content-type": CONTENT_TYPE})


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


async def _unsigned(request: web.Request, response: web.StreamResponse) -> None:
    """Which library serves, and in which version, is nobody's business."""
    response.headers.pop("Server", None)
