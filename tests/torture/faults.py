"""A proxy between an operator and its API server that does what networks and API servers do on a bad day.

It speaks plain HTTP to the operator and has the cluster's credentials itself; the operator's token is its name.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web
from yarl import URL

from kaos.cluster import resolve

Object = dict[str, Any]


class Fate(Enum):
    """What becomes of a request."""

    PASS = "pass"
    LOST = "lost before it arrived"
    UNANSWERED = "done, but the answer is lost"


@dataclass(frozen=True)
class Call:
    """One request of an operator."""

    operator: str
    method: str
    path: str
    is_watch: bool

    @property
    def is_write(self) -> bool:
        """Whether it changes objects; talks with pods and renewals of leases do not count."""
        return self.method not in ("GET", "HEAD") and "/proxy/" not in self.path and "/leases" not in self.path

    @property
    def is_proxied(self) -> bool:
        return "/proxy/" in self.path

    def __str__(self) -> str:
        return f"{self.operator}: {self.method} {self.path}"


Rule = Callable[[Call], Awaitable[Fate | web.Response]]


async def nothing_wrong(_: Call) -> Fate:
    return Fate.PASS


@dataclass
class Proxy:
    """Set `rule` to decide on requests; the other fields are about watches."""

    kubeconfig: Path
    rule: Rule = nothing_wrong
    hide: float = 0.0  # the share of events that no operator gets to see
    repeat: float = 0.0  # the share of events that come twice, the second time after others
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._connection = resolve(kubeconfig=str(self.kubeconfig))
        self._streams: set[_Stream] = set()
        self._chance = random.Random(7)

    async def __aenter__(self) -> Proxy:
        connector = aiohttp.TCPConnector(limit=0, ssl=self._connection.ssl_context)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for stream in list(self._streams):
            stream.end.set()
        await self._runner.cleanup()
        await self._session.close()

    def kubeconfig_for(self, operator: str, directory: Path) -> Path:
        """A kubeconfig that leads here."""
        path = directory / f"{operator}.kubeconfig"
        named = {"name": "faulty"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "faulty",
            "clusters": [named | {"cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [named | {"user": {"token": operator}}],
            "contexts": [named | {"context": {"cluster": "faulty", "user": "faulty"}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def writes(self, operator: str | None = None) -> list[Call]:
        return [call for call in self.calls if call.is_write and operator in (None, call.operator)]

    def cut_watches(self) -> int:
        """End every watch, as a load balancer does; returns how many."""
        for stream in (streams := list(self._streams)):
            stream.end.set()
        return len(streams)

    def send_error(self, code: int, reason: str) -> int:
        """Send an ERROR event on every watch and end it."""
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
        for stream in (streams := list(self._streams)):
            stream.last = json.dumps({"type": "ERROR", "object": status | {"message": reason}}).encode() + b"\n"
            stream.end.set()
        return len(streams)

    def silence_watches(self) -> None:
        """From now on the open watches stay open and say nothing more."""
        for stream in self._streams:
            stream.silent = True

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        operator = request.headers.get("Authorization", "").removeprefix("Bearer ")
        call = Call(operator, request.method, request.path, "watch" in request.query)
        self.calls.append(call)
        body = await request.read()
        fate = await self.rule(call)
        if isinstance(fate, web.Response):
            return fate
        if fate is Fate.LOST:
            return _hang_up(request)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OWN}
        url = URL(self._connection.server + str(request.rel_url), encoded=True)
        try:
            async with self._session.request(
                request.method,
                url,
                data=body or None,
                headers=headers | self._connection.headers(),
                allow_redirects=False,
            ) as upstream:
                if fate is Fate.UNANSWERED:
                    await upstream.read()
                    return _hang_up(request)
                if call.is_watch and upstream.status == 200:
                    return await self._watch(request, upstream)
                return await _pass_on(request, upstream)
        except aiohttp.ClientError:
            return _hang_up(request)

    async def _watch(self, request: web.Request, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
        stream = _Stream()
        self._streams.add(stream)
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        end = asyncio.ensure_future(stream.end.wait())
        try:
            while not end.done():
                line = asyncio.ensure_future(upstream.content.readline())
                await asyncio.wait({line, end}, return_when=asyncio.FIRST_COMPLETED)
                if not line.done():
                    line.cancel()
                    break
                if not line.result():
                    return response
                await self._tell(stream, response, line.result())
            if stream.last:
                await response.write(stream.last)
        except (ConnectionError, aiohttp.ClientError):
            pass
        finally:
            end.cancel()
            self._streams.discard(stream)
        return response

    async def _tell(self, stream: _Stream, response: web.StreamResponse, line: bytes) -> None:
        is_event = b'"BOOKMARK"' not in line[:40]
        if stream.silent or (is_event and self._chance.random() < self.hide):
            return
        await response.write(line)
        if stream.held:
            await response.write(stream.held)
            stream.held = b""
        if is_event and self._chance.random() < self.repeat:
            stream.held = line


@dataclass(eq=False)
class _Stream:
    """A watch that is passed on."""

    end: asyncio.Event = field(default_factory=asyncio.Event)
    last: bytes = b""
    held: bytes = b""
    silent: bool = False


_OWN = {"authorization", "host", "content-length", "transfer-encoding", "connection"}


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _pass_on(request: web.Request, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = {name: value for name, value in upstream.headers.items() if name.lower() not in _OWN}
    response = web.StreamResponse(status=upstream.status, headers=headers)
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
    return response
