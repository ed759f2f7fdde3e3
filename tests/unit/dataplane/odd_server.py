"""An MCP server in a thread of the test, of either era, whose tools misbehave each in its own way."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

from aiohttp import web

Object = dict[str, Any]
MODERN = "2026-07-28"


def tool(name: str, description: str = "", schema: Any = None) -> Object:
    return {"name": name, "description": description, "inputSchema": schema or {"type": "object", "properties": {}}}


class OddServer:
    """`url` is its endpoint; `tools` may be changed at any time; `calls` are those that arrived."""

    def __init__(self, modern: bool, *tools: Object) -> None:
        self.tools = list(tools)
        self.calls: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.notes: list[Object] = []  # notifications of the client
        self.ended: list[str] = []  # sessions that the client has ended
        self.left = threading.Event()  # somebody no longer waits for an answer
        self.silent = False  # does not answer at all
        self.busiest = 0  # calls that were under way at the same time
        self._busy = 0
        self._modern = modern
        self._sessions = 0
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def start(self) -> OddServer:
        ready = threading.Event()

        async def begin() -> None:
            app = web.Application()
            app.router.add_route("*", "/mcp", self._handle)
            self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
            await self._runner.setup()
            await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
            self.port = self._runner.addresses[0][1]
            ready.set()

        def run() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.create_task(begin())
            self._loop.run_forever()

        threading.Thread(target=run, daemon=True).start()
        assert ready.wait(10)
        return self

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if self.silent:
            await self._wait_for_ever()
        if request.method == "DELETE":
            self.ended.append(request.headers["mcp-session-id"])
            return web.Response()
        message = await request.json()
        if "id" not in message:
            self.notes.append(message)
            return web.Response(status=202)
        match message["method"]:
            case "server/discover" if self._modern:
                return self._answer(message, {"supportedVersions": [MODERN], "capabilities": {"tools": {}}})
            case "initialize":
                self._sessions += 1
                result = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "odd"}}
                response = self._answer(message, result)
                response.headers["mcp-session-id"] = f"s{self._sessions}"
                return response
            case "tools/list":
                return self._answer(message, {"tools": self.tools})
            case "tools/call":
                self.calls.append(message["params"]["name"])
                self._busy += 1
                self.busiest = max(self.busiest, self._busy)
                try:
                    return await self._call(request, message)
                finally:
                    self._busy -= 1
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "?"}})

    def _answer(self, message: Object, result: Object) -> web.Response:
        more = {"resultType": "complete"} if self._modern else {}
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result | more})

    def _raw(self, message: Object, content: bytes) -> web.Response:
        """An answer with that content, which takes this server no time to write."""
        head = b'{"jsonrpc":"2.0","id":%d,"result":{"resultType":"complete","content":[' % message["id"]
        return web.Response(body=head + content + b'{"type":"text","text":"end"}]}}', content_type="application/json")

    async def _call(self, request: web.Request, message: Object) -> web.StreamResponse:
        def text(value: str) -> web.Response:
            return self._answer(message, {"content": [{"type": "text", "text": value}]})

        match message["params"]["name"]:
            case "hang":
                await self._wait_for_ever()
            case "brief":
                await asyncio.sleep(0.02)
            case "drip":
                await self._stream(request, b" ")
            case "progress":
                token = message["params"]["_meta"]["progressToken"]
                note = {"method": "notifications/progress", "params": {"progressToken": token, "progress": 1}}
                await self._stream(request, f"data: {json.dumps({'jsonrpc': '2.0'} | note)}\n\n".encode())
            case "slow_but_telling":
                return await self._tell_then_answer(request, message)
            case "deep":
                nested = "[" * 10_000 + "]" * 10_000
                body = f'{{"jsonrpc":"2.0","id":{message["id"]},"result":{nested}}}'
                return web.Response(text=body, content_type="application/json")
            case "many_items":
                return self._raw(message, b'{"type":"text","text":"xxxxxxx"},' * 240_000)
            case "too_many_items":
                return self._raw(message, b'{"type":"text","text":"x"},' * 1_000_000)
            case "huge":
                return self._raw(message, b'{"type":"text","text":"' + b"y" * 100 * 1024 * 1024 + b'"},')
            case "picture":
                content = [
                    {"type": "image", "data": "AAAA", "mimeType": "image/png"},
                    {"type": "text", "text": "a cat"},
                ]
                return self._answer(message, {"content": content})
            case "structured":
                return self._answer(message, {"content": [], "structuredContent": {"sum": 5}})
            case "wrong_id":
                return self._answer(message | {"id": message["id"] + 1000}, {"content": []})
            case "broken_json":
                return web.Response(text='{"jsonrpc": "2.0", "id"', content_type="application/json")
            case "no_content":
                return self._answer(message, {"content": "a text"})
            case "html":
                return web.Response(text="<html>busy</html>", content_type="text/html")
            case "cut":
                request.transport.close()
                await asyncio.sleep(1)
        return text(f"{self.port}")

    async def _wait_for_ever(self) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            self.left.set()
            raise

    async def _stream(self, request: web.Request, piece: bytes) -> None:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        while True:
            await response.write(piece)
            await asyncio.sleep(0.05)

    async def _tell_then_answer(self, request: web.Request, message: Object) -> web.StreamResponse:
        """Takes longer than a silent tool may, and reports progress."""
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        token = message["params"]["_meta"]["progressToken"]
        for done in range(15):
            params = {"progressToken": token, "progress": done}
            note = {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
            await response.write(f"data: {json.dumps(note)}\n\n".encode())
            await asyncio.sleep(0.1)
        result = {"content": [{"type": "text", "text": "at last"}]} | (
            {"resultType": "complete"} if self._modern else {}
        )
        last = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        await response.write(f"data: {json.dumps(last)}\n\n".encode())
        return response
