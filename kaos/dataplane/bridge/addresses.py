"""Where a relay does not go: link-local addresses, where clouds hand out the credentials of their machines."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver


def forbidden(url: str) -> str:
    """Why a URL is not gone to, by what it says itself; empty when it may be."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return f"{url} is no URL"
    if parts.scheme not in ("http", "https") or not host or port == 0:
        return f"{url} is no http(s) URL"
    if parts.username is not None:
        return "credentials belong into headers, not into the URL"
    return f"{host} is a link-local address; there is no server to be relayed" if is_link_local(host) else ""


def is_link_local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    inner = getattr(address, "ipv4_mapped", None) or address
    return inner.is_link_local


class Resolver(AbstractResolver):
    """The system's, without such addresses: a name may lead anywhere, and elsewhere a moment later."""

    def __init__(self) -> None:
        self._system = ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_UNSPEC) -> list[Any]:
        found = await self._system.resolve(host, port, family)
        allowed = [one for one in found if not is_link_local(one["host"])]
        if not allowed:
            raise OSError(None, f"{host} is a link-local address")
        return allowed

    async def close(self) -> None:
        await self._system.close()
