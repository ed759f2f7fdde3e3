"""A forward proxy that keeps a server which fetches what it is told to away from private addresses.

It resolves each name itself and connects to the very address that it has checked, so neither a redirect nor a name
that leads elsewhere a moment later gets past it. The server finds it in HTTP_PROXY and its like.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from kaos.kube import sanitize

HEAD_LIMIT = 64 * 1024
HEAD_S, CONNECT_S = 30.0, 15.0
CHUNK = 64 * 1024
MOST = 200  # connections at once
# Addresses that wrap an IPv4 address, which is where they lead (NAT64).
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
# Public by their numbers alone: Azure's and Oracle's own services to machines.
_OF_CLOUDS = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("192.0.0.0/24"))
_HOP_BY_HOP = ("connection:", "proxy-connection:", "proxy-authorization:", "keep-alive:", "host:")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

log = logging.getLogger("kaos.egress")


class Refused(Exception):
    """With the HTTP status; the text says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Policy:
    """Public addresses, and what is allowed besides: names, addresses, networks."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """Raises ValueError."""
        self._names: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for one in allowed:
            try:
                self._networks.append(ipaddress.ip_network(one, strict=False))
            except ValueError:
                if not one or "/" in one:
                    raise ValueError(f"{one!r} is neither a name nor an address or network") from None
                self._names.add(one.lower())

    def permits(self, host: str, address: str) -> bool:
        if host.lower().rstrip(".") in self._names:
            return True
        found = _innermost(ipaddress.ip_address(address.partition("%")[0]))
        return any(found in network for network in self._networks) or is_public(found)


def is_public(address: Address) -> bool:
    found = _innermost(address)
    return found.is_global and not found.is_multicast and not any(found in network for network in _OF_CLOUDS)


def _innermost(address: Address) -> Address:
    """The address that a wrapped one leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if any(address in network for network in _NAT64):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class Guard:
    """The proxy, on a port of loopback."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._server: asyncio.Server | None = None
        self._places = asyncio.Semaphore(MOST)
        self._open: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> str:
        """Its URL. Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port, limit=HEAD_LIMIT)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._open.add(task)
        try:
            async with self._places:
                await self._serve(reader, writer)
        except Refused as refused:
            why = sanitize.line(str(refused))
            log.warning("egress: %s", why)
            # The reason is what clients show of an answer to CONNECT.
            head = f"HTTP/1.1 {refused.status} {why.encode('ascii', 'replace').decode()}\r\n"
            body = f"{why}\n".encode()
            fields = f"content-type: text/plain\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
            with contextlib.suppress(ConnectionError):
                writer.write((head + fields).encode() + body)
                await writer.drain()
        except ConnectionError:  # somebody has left
            return
        finally:
            self._open.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEAD_S):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            raise Refused(400, "this is no request to a proxy") from None
        line, *fields = head[:-4].split("\r\n")
        method, _, rest = line.partition(" ")
        target = rest.rpartition(" ")[0]
        is_tunnel = method == "CONNECT"
        host, port, path = _place(target, is_tunnel)
        far_reader, far_writer = await self.connect(host, port)
        try:
            if is_tunnel:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                kept = [field for field in fields if not field.lower().startswith(_HOP_BY_HOP)]
                shown = f"[{host}]" if ":" in host else host
                named = [f"Host: {shown if port == 80 else f'{shown}:{port}'}", "Connection: close"]
                far_writer.write("\r\n".join([f"{method} {path} HTTP/1.1", *named, *kept, "", ""]).encode("latin-1"))
            await _until_first(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            far_writer.close()

    async def connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Raises Refused."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise Refused(502, f"there is no host {host}") from None
        addresses = list(dict.fromkeys(info[4][0] for info in found))
        permitted = [one for one in addresses if self._policy.permits(host, one)]
        if not permitted:
            raise Refused(403, f"{host} is refused: {addresses[0]} is no public address and not allowed")
        for address in permitted:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_S):
                    return await asyncio.open_connection(address, port)
        raise Refused(502, f"{host}, port {port} cannot be reached")


def _place(target: str, is_tunnel: bool) -> tuple[str, int, str]:
    """Host, port, path. Raises Refused."""
    try:
        parts = urlsplit(f"//{target}" if is_tunnel else target)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or (not is_tunnel and parts.scheme != "http") or (is_tunnel and port is None):
        raise Refused(400, "this is no request to a proxy")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return host, port or 80, path


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _until_first(up: object, down: object) -> None:
    """Until all has come down; the way up may end before."""
    upward, downward = asyncio.ensure_future(up), asyncio.ensure_future(down)
    try:
        await downward
    finally:
        upward.cancel()
        await asyncio.gather(upward, return_exceptions=True)


def environment(url: str) -> dict[str, str]:
    """What makes the usual HTTP clients of a process go through the guard, always."""
    found = {name: url for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")} | {"NO_PROXY": ""}
    return found | {name.lower(): value for name, value in found.items()}
