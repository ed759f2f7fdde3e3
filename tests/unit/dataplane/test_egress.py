"""The guard of servers that fetch: where they may not go, whatever a name, a redirect or a proxy request says."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from aiohttp import web

from kaos.dataplane.egress import Guard, Policy, Refused

METADATA = "169.254.169.254"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", METADATA, "100.100.100.200", "168.63.129.16",
        "192.0.0.192", "0.0.0.0", "224.0.0.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254",
        "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_private_addresses_are_refused_however_they_are_written(address: str) -> None:
    assert not Policy().permits("a.example", address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101"])
def test_public_addresses_are_permitted(address: str) -> None:
    assert Policy().permits("a.example", address)


def test_a_name_an_address_or_a_network_may_be_allowed() -> None:
    policy = Policy(["intranet.example", "10.0.0.0/8", "192.168.1.1"])
    assert policy.permits("Intranet.example.", "172.16.0.1")
    assert policy.permits("other.example", "10.1.2.3")
    assert policy.permits("other.example", "192.168.1.1")
    assert not policy.permits("other.example", "192.168.1.2")


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """A web site on loopback, which also leads elsewhere."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.method} {request.path_qs} {request.host} {await request.text()}")

    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound(f"http://{METADATA}/latest")

    app = web.Application()
    app.router.add_get("/away", away)
    app.router.add_route("*", "/{rest:.*}", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def guarded() -> AsyncIterator[Callable[..., object]]:
    """Start a guard; its URL."""
    started: list[Guard] = []

    async def start(*allowed: str) -> str:
        started.append(Guard(Policy(allowed)))
        return await started[-1].start()

    yield start
    for one in started:
        await one.stop()


async def fetch(url: str, proxy: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(url, proxy=proxy) as answer:
        return answer.status, await answer.text()


async def test_what_is_not_allowed_is_refused_with_the_address(site: str, guarded: Callable) -> None:
    status, text = await fetch(f"http://{site}/", await guarded())
    assert (status, text) == (403, "127.0.0.1 is refused: 127.0.0.1 is no public address and not allowed\n")


async def test_a_name_is_judged_by_where_it_leads(site: str, guarded: Callable) -> None:
    port = site.rpartition(":")[2]
    status, text = await fetch(f"http://localhost:{port}/", await guarded())
    assert status == 403
    assert "localhost is refused" in text


async def test_what_is_allowed_arrives_as_it_was_sent(site: str, guarded: Callable) -> None:
    proxy = await guarded("127.0.0.1")
    async with aiohttp.ClientSession() as http:
        async with http.post(f"http://{site}/a?b=c", data="body", proxy=proxy) as answer:
            assert await answer.text() == f"POST /a?b=c {site} body"


async def test_a_redirect_does_not_get_past_it(site: str, guarded: Callable) -> None:
    status, text = await fetch(f"http://{site}/away", await guarded("127.0.0.1"))
    assert status == 403
    assert METADATA in text


async def test_it_connects_to_the_address_that_it_has_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads elsewhere a moment later is not asked again."""
    asked, gone_to = [], []

    async def getaddrinfo(self: object, host: str, port: int, **_: object) -> list:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1" if len(asked) == 1 else METADATA, port))]

    async def connect(host: str, port: int) -> None:
        gone_to.append(host)
        raise OSError("no network here")

    monkeypatch.setattr(asyncio, "open_connection", connect)
    monkeypatch.setattr(type(asyncio.get_running_loop()), "getaddrinfo", getaddrinfo)
    with pytest.raises(Refused, match="cannot be reached"):
        await Guard(Policy()).connect("rebinding.example", 80)
    assert (asked, gone_to) == (["rebinding.example"], ["1.1.1.1"])


@pytest.mark.parametrize("place", ["10.0.0.0/33", "a/b", ""])
def test_what_is_neither_a_name_nor_a_network_cannot_be_allowed(place: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        Policy([place])


async def tunnel(proxy: str, place: str, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*proxy[7:].split(":"))
    writer.write(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode() + sent)
    text = await reader.read()
    writer.close()
    return text


async def test_a_tunnel_is_dug_to_allowed_places_only(site: str, guarded: Callable) -> None:
    request = f"GET /x HTTP/1.1\r\nHost: {site}\r\nConnection: close\r\n\r\n".encode()
    assert (await tunnel(await guarded("127.0.0.0/8"), site, request)).endswith(f"GET /x {site} ".encode())
    refused = await tunnel(await guarded(), f"{METADATA}:443", request)
    assert refused.startswith(b"HTTP/1.1 403 169.254.169.254 is refused")


@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "GET ftp://a.example/ HTTP/1.1", "CONNECT a.example HTTP/1.1", "x"])
async def test_what_is_no_request_to_a_proxy_is_refused(line: str, guarded: Callable) -> None:
    reader, writer = await asyncio.open_connection(*(await guarded())[7:].split(":"))
    writer.write(f"{line}\r\n\r\n".encode())
    assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    writer.close()
