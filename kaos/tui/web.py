"""The console in a browser: textual-serve on this machine only, behind a token that works once.

textual-serve alone lets everyone in who reaches the port, any page of the person's own browser among them. Here a
request needs the cookie that the token was exchanged for, a Host of this machine and, if any, this server's Origin.
"""

from __future__ import annotations

import hmac
import secrets
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from textual_serve.server import Server

from kaos.errors import UsageError

HOST = "127.0.0.1"
_NAMES = (HOST, "localhost")
# Fonts of elsewhere, which textual-serve's page asks for, would tell others when somebody opens it.
_POLICY = "default-src 'self' 'unsafe-inline' data: blob:; connect-src 'self' ws: ; frame-ancestors 'none'"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class GuardedServer(Server):
    """`address` is what to open; it holds the token."""

    def __init__(self, arguments: list[str], port: int) -> None:
        command = shlex.join([sys.executable, "-m", "kaos", "tui", *arguments])
        super().__init__(command, HOST, port, title="kaos")
        self._token: str | None = secrets.token_urlsafe(24)
        self._session = secrets.token_urlsafe(32)
        # Cookies are shared by all ports of a host.
        self._cookie = f"kaos-{port}"

    @property
    def address(self) -> str:
        return f"{self.public_url}/?token={self._token}"

    async def on_startup(self, app: web.Application) -> None:
        """Whoever calls says what there is to say."""

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        app.on_response_prepare.append(_add_headers)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self._is_ours(request):
            return web.Response(status=403, text="This address answers to this machine's own browser only.\n")
        if hmac.compare_digest(request.cookies.get(self._cookie, ""), self._session):
            return await handler(request)
        given = request.query.get("token", "")
        if request.path != "/" or not self._token or not hmac.compare_digest(given.encode(), self._token.encode()):
            return web.Response(status=403, text="The token is missing, wrong or used up: kaos ui prints a new one.\n")
        self._token = None
        answer = web.HTTPSeeOther("/")
        answer.set_cookie(self._cookie, self._session, httponly=True, samesite="Strict")
        return answer

    def _is_ours(self, request: web.Request) -> bool:
        hosts = {f"{name}:{self.port}" for name in _NAMES}
        origin = request.headers.get("Origin")
        return request.host in hosts and (origin is None or origin.removeprefix("http://") in hosts)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"


def serve(arguments: list[str], port: int, on_ready: Callable[[str], Any]) -> None:
    """Serve until interrupted. Raises UsageError when the port is taken."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        raise UsageError(f"Port {port} on {HOST}: {error.strerror}.", "Take another: --port PORT") from None
    server = GuardedServer(arguments, listener.getsockname()[1])
    web.run_app(server._make_app(), sock=listener, access_log=None, print=lambda *_: on_ready(server.address))
