"""Keeps web pages out of a pod's HTTP: no page may reach it through the browser of a person who can.

A page names itself in `Origin`, whoever forwards the request; one that made its own name lead here (DNS rebinding) is
known by `Host`. Other clients choose any Host, and proxies pass on their caller's, so Host counts only for browsers
and where the server listens on loopback.
"""

from __future__ import annotations

import functools
import ipaddress
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]


def refusal(headers: Iterable[tuple[str, str]], bound_to: str) -> str:
    """Why a request with these headers (names in lower case) is refused; empty when it is not."""
    headers = list(headers)
    origins = [value for name, value in headers if name == "origin"]
    hosts = [value for name, value in headers if name == "host"]
    if not all(is_loopback(_host(origin)) for origin in origins):
        return "this origin may not call this server"
    of_browser = bool(origins) or any(name.startswith("sec-fetch-") for name, _ in headers)
    if (of_browser or is_loopback(bound_to)) and not all(is_loopback(_host(f"//{host}")) for host in hosts):
        return "the server is not known by this Host"
    return ""


@functools.lru_cache(maxsize=256)  # asked of the same few names with each request
def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine to itself."""
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


class OriginGuard:
    """ASGI middleware: 403 for requests of pages that are not of this machine."""

    def __init__(self, app: ASGIApp, bound_to: str = "") -> None:
        self._app = app
        self._bound_to = bound_to

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
            if why := refusal(headers, self._bound_to):
                body = json.dumps({"error": {"message": why, "type": "permission_error"}}).encode()
                kind = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
                await send({"type": "http.response.start", "status": 403, "headers": kind})
                await send({"type": "http.response.body", "body": body})
                return
        await self._app(scope, receive, send)
