"""MCP servers that others wrote, on free ports: fastmcp's and the SDK's, in both eras and all transports' shapes.

Run as a program it prints one line, a JSON object of name -> URL, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from typing import Any

import mcp_types as types
import uvicorn
from fastmcp import Context, FastMCP
from mcp.server.lowlevel import Server
from mcp.shared.message import ServerMessageMetadata

MODERN = b"2026-07-28"
CALLS: list[str] = []  # what tools were really called, for tests of "never twice"


def _fast(name: str) -> FastMCP:
    server = FastMCP(name, version="1.2.3")

    @server.tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        CALLS.append("add")
        return a + b

    @server.tool
    def fail() -> str:
        raise ValueError("out of cheese")

    @server.tool
    def calls() -> list[str]:
        return CALLS

    @server.tool
    def big(size: int) -> str:
        return "x" * size

    @server.tool
    async def count(to: int, ctx: Context) -> str:
        """Count with progress."""
        for number in range(1, to + 1):
            await ctx.report_progress(number, to, f"at {number}")
        return "counted"

    @server.tool(name="größe 🧀")
    def unicode() -> str:
        return "ja"

    return server


def _lowlevel() -> Server:
    async def list_tools(ctx: Any, params: Any) -> types.ListToolsResult:
        page = int(params.cursor) if params and params.cursor else 0
        tools = [types.Tool(name=f"tool-{page}-{n}", input_schema={"type": "object"}) for n in range(3)]
        tools.append(types.Tool(name=f"nosy-{page}", input_schema=_NOSY_SCHEMA))
        return types.ListToolsResult(tools=tools, next_cursor=str(page + 1) if page < 4 else None)

    async def call_tool(ctx: Any, params: Any) -> types.CallToolResult:
        if params.name.startswith("nosy"):
            return types.CallToolResult(content=[types.TextContent(type="text", text=params.arguments["region"])])
        here = ServerMessageMetadata(related_request_id=ctx.request_id)  # in the answer to this call
        told = []
        for request, kind in (
            (types.PingRequest(), types.EmptyResult),
            (types.ListRootsRequest(), types.ListRootsResult),
        ):
            try:
                async with asyncio.timeout(5):
                    await ctx.session.send_request(request, kind, metadata=here)
                told.append(f"{request.method}: answered")
            except Exception as error:
                told.append(f"{request.method}: {error or type(error).__name__}")
        return types.CallToolResult(content=[types.TextContent(type="text", text="; ".join(told))])

    return Server("low", version="0.1", on_list_tools=list_tools, on_call_tool=call_tool)


_NOSY_SCHEMA = {
    "type": "object",
    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}, "n": {"type": "integer"}},
}


def only_sessions(app: Any) -> Any:
    """The server as it was before 2026-07-28: it refuses that version as its predecessors do."""

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers") or ())
        if headers.get(b"mcp-protocol-version") == MODERN:
            error = {"code": -32600, "message": "Bad Request: Unsupported protocol version: 2026-07-28"}
            body = json.dumps({"jsonrpc": "2.0", "id": "server-error", "error": error}).encode()
            await send({"type": "http.response.start", "status": 400,
                        "headers": [(b"content-type", b"application/json")]})  # fmt: skip
            await send({"type": "http.response.body", "body": body})
            return
        await app(scope, receive, send)

    return guarded


async def main() -> None:
    apps = {
        "both": _fast("both").http_app(),
        "both-json": _fast("both").http_app(json_response=True),
        "sessions": only_sessions(_fast("old").http_app()),
        "sessions-json": only_sessions(_fast("old").http_app(json_response=True)),
        "stateless": only_sessions(_fast("old").http_app(stateless_http=True)),
        "low": _lowlevel().streamable_http_app(),
        "low-sessions": only_sessions(_lowlevel().streamable_http_app()),
    }
    servers, urls = [], {}
    for name, app in apps.items():
        listening = socket.create_server(("127.0.0.1", 0))
        urls[name] = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        server.install_signal_handlers = lambda: None
        servers.append((server, asyncio.create_task(server.serve(sockets=[listening]))))
    print(json.dumps(urls), flush=True)  # the sockets listen already; requests wait for the applications
    await asyncio.to_thread(sys.stdin.read)
    for server, _ in servers:
        server.should_exit = True
    await asyncio.gather(*(task for _, task in servers))


if __name__ == "__main__":
    asyncio.run(main())
