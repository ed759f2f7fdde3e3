"""`kaos ui`: the console in a browser, for the person at this machine and nobody else."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import httpx
import pytest


@pytest.fixture
def ui(place):
    process = place.start("ui", "--no-open")
    yield process.stdout.readline().strip()
    process.terminate()
    process.wait(10)


def test_it_takes_the_token_once_and_only_from_this_machine(ui):
    address, _, token = ui.partition("/?token=")
    with httpx.Client() as stranger:
        assert stranger.get(address).status_code == 403
        assert stranger.get(f"{address}/?token=wrong").status_code == 403
        assert stranger.get(ui, headers={"Host": "evil.example"}).status_code == 403
        assert stranger.get(ui, headers={"Origin": "http://evil.example"}).status_code == 403
        assert stranger.get(f"{address}/static/js/textual.js").status_code == 403
    with httpx.Client(follow_redirects=True) as person:
        page = person.get(f"{address}/?token={token}")
        assert page.status_code == 200
        assert "textual" in page.text
        assert token not in str(page.url)
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert person.get(f"{address}/static/js/textual.js").status_code == 200
    assert httpx.get(ui).status_code == 403, "it works once"


async def test_the_console_comes_over_the_web_socket(ui):
    address = ui.partition("/?token=")[0]
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await browser.ws_connect(f"{address}/ws")
        assert (await browser.get(ui)).status == 200
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await browser.ws_connect(f"{address}/ws", headers={"Origin": "http://evil.example"})
        async with browser.ws_connect(f"{address}/ws?width=120&height=36", headers={"Origin": address}) as socket:
            seen = b""
            async with asyncio.timeout(60):
                while b"MCPServers" not in seen or b"live" not in seen:
                    message = await socket.receive()
                    if message.type is aiohttp.WSMsgType.BINARY:
                        seen += message.data
                    else:
                        assert message.type is aiohttp.WSMsgType.TEXT, message
                        json.loads(message.data)


def test_a_place_that_is_none_is_told_before_anything_is_served(place):
    told = place.run("ui", "--no-open", "mpc/calculator")
    assert told.code == 2
    assert "Did you mean: mcp" in told.stderr


def test_the_console_needs_a_terminal(place):
    told = place.run("tui")
    assert told.code == 2
    assert "needs a terminal" in told.stderr
