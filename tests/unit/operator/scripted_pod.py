"""A pod's program as a script: HTTP byte by byte, whatever a test wants a server to do wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from kaos.api.names import MCP_CONTAINER
from kaos.operator.decide.world import Ask
from tests.unit.operator.worlds import pod

Object = dict[str, Any]
Handler = Callable[["Exchange"], Awaitable[None]]


class Exchange:
    """One HTTP request to a scripted server, and its answer, byte by byte."""

    def __init__(self, method: str, path: str, headers: dict[str, str], body: bytes, out: asyncio.StreamWriter) -> None:
        self.method, self.path, self.headers, self.body, self._out = method, path, headers, body, out
        try:
            self.message: Object = json.loads(body)
        except ValueError:
            self.message = {}

    async def raw(self, data: bytes) -> None:
        self._out.write(data)
        await self._out.drain()

    async def answer(self, body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body)}", "connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def result(self, result: Any, **headers: str) -> None:
        await self.answer(
            json.dumps({"jsonrpc": "2.0", "id": self.message.get("id"), "result": result}).encode(), **headers
        )

    async def error(self, code: int, message: str, status: int = 200) -> None:
        told = {"jsonrpc": "2.0", "id": self.message.get("id"), "error": {"code": code, "message": message}}
        await self.answer(json.dumps(told).encode(), status)


class Server:
    """A pod's program, scripted."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.seen: list[tuple[str, str]] = []  # HTTP method, MCP method
        self.open = 0

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, path, _ = head[0].split(" ")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:]) if name}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            exchange = Exchange(method, path, headers, body, writer)
            self.seen.append((method, exchange.message.get("method", "")))
            await self._handler(exchange)
        self.open -= 1
        with contextlib.suppress(ConnectionError):
            writer.close()

    def ask(self, path: str = "/mcp", name: str = "calc-1", protocol: str = "mcp") -> Ask:
        one = pod(name)
        one["status"]["podIP"] = "127.0.0.1"
        return Ask(one, MCP_CONTAINER, self.port, path, protocol)
