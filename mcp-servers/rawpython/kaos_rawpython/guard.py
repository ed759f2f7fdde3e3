"""Keeps web pages out: a page in a person's browser must not reach a tool server through that browser.

A browser names the page in `Origin`, and cannot be told to lie. Pages of this machine (the MCP Inspector) may call a
server on this machine; any other page is refused. The name in `Host` tells a page that made its own name lead here
(DNS rebinding), so it counts for every request of a browser. Other clients choose any Host themselves, and proxies,
the Kubernetes API server among them, pass on their caller's, so theirs counts only where the server is bound to
loopback and has no caller from elsewhere.
"""

from __future__ import annotations

import ipaddress
import re

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")


class Guard:
    """ASGI middleware that answers 403 to requests with a foreign Origin or Host."""

    def __init__(self, app: ASGIApp, bound_to: str) -> None:
        self._app = app
        self._on_loopback = is_loopback(bound_to)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (why := self._refusal(Headers(scope=scope))):
            await PlainTextResponse(f"{why}\n", 403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, headers: Headers) -> str:
        origins, hosts = headers.getlist("origin"), headers.getlist("host")
        if any(not is_loopback(_host_of_origin(origin)) for origin in origins):
            return "This origin may not call the server."
        browser = bool(origins) or any(name.startswith("sec-fetch-") for name in headers)
        if (browser or self._on_loopback) and not (len(hosts) == 1 and is_loopback(_host_of(hosts[0]))):
            return "The server is not known by this Host."
        return ""


def is_loopback(host: str) -> bool:
    """Whether a name or address, without a port, is this machine to itself."""
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _host_of_origin(origin: str) -> str:
    scheme, _, rest = origin.partition("://")
    return _host_of(rest) if scheme in ("http", "https") else ""


def _host_of(host_and_port: str) -> str:
    found = _HOST_AND_PORT.fullmatch(host_and_port)
    return found[1].strip("[]") if found else ""
