"""The two drivers behind one face, over plain HTTP, so that every promise is held by both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from kaos.cluster import Client
from kaos.cluster.connection import Connection
from kaos.mcp import aio, blocking
from kaos.mcp.wire import Head

Object = dict[str, Any]


class BlockingTalk:
    """McpSession as a program that waits uses it."""

    def __init__(self, url: str, version: str | None = None) -> None:
        where = urlsplit(url)
        connection = Connection("test", "default", f"http://{where.netloc}", "test")
        self._client, self._path = Client(connection), where.path
        self.session = blocking.McpSession(self._send, version)

    def _send(self, method: str, headers: dict[str, str], body: bytes) -> blocking.HttpAnswer:
        answer = self._client.request(method, self._path, body, headers, timeout_s=20, check=False)
        return blocking.HttpAnswer(Head(answer.status, answer.headers), answer.chunks(), answer.close)

    def do(self, verb: str, *arguments: Any) -> Any:
        return getattr(self.session, verb)(*arguments)

    def end(self) -> None:
        pass


class AsyncTalk:
    """AsyncMcpSession on an event loop of its own."""

    def __init__(self, url: str, version: str | None = None) -> None:
        self._runner = asyncio.Runner()
        self._http = self._runner.run(_http_session())
        self.session = aio.AsyncMcpSession(sender(self._http, url), version)

    def do(self, verb: str, *arguments: Any) -> Any:
        return self._runner.run(getattr(self.session, verb)(*arguments))

    def end(self) -> None:
        self._runner.run(self._http.close())
        self._runner.close()


def sender(http: aiohttp.ClientSession, url: str) -> aio.SendHttp:
    """What AsyncMcpSession sends by."""

    async def send(method: str, headers: dict[str, str], body: bytes) -> aio.HttpAnswer:
        answer = await http.request(method, url, data=body, headers=headers, allow_redirects=False)
        head = Head(answer.status, {name.lower(): value for name, value in answer.headers.items()})
        return aio.HttpAnswer(head, _chunks(answer), answer.close)

    return send


async def _http_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20), cookie_jar=aiohttp.DummyCookieJar())


async def _chunks(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async for chunk in answer.content.iter_any():
        yield chunk


Talk = BlockingTalk | AsyncTalk
Talker = Callable[..., Talk]
