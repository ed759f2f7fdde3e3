"""The HTTP server: MCP at /mcp in both protocol eras, and /health, /ready and /metrics beside it.

It keeps no sessions, so any replica answers any request and nothing stays behind of a client. An answer is JSON, or a
stream when something comes before the result: progress, log messages, or a sign of life after 15 s.
"""

from __future__ import annotations

import asyncio
import faulthandler
import socket

import uvicorn
from fastmcp import FastMCP
from sse_starlette.sse import AppStatus
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from kaos_rawpython import __version__
from kaos_rawpython.answers import JsonWherePossible
from kaos_rawpython.calls import Calls
from kaos_rawpython.guard import Guard
from kaos_rawpython.metrics import CONTENT_TYPE, Metrics
from kaos_rawpython.program import Program
from kaos_rawpython.telemetry import Telemetry
from kaos_rawpython.tools import tools_of

PATH = "/mcp"
DRAIN_S = 20  # for calls in flight after SIGTERM; a pod has 30 s in all
STALLED_S = 30  # without a turn for the event loop


def server_of(program: Program, host: str, telemetry: Telemetry) -> Server:
    """A server that `run(sockets=[...])` until SIGTERM. Raises ProgramError for a function that cannot be a tool."""
    calls = Calls()
    tools = tools_of(program, calls)
    metrics = Metrics(program.tools, telemetry)
    mcp: FastMCP = FastMCP(
        "rawpython",
        program.instructions or None,
        version=__version__,
        tools=tools,
        middleware=[metrics],
        mask_error_details=False,
    )

    # Else the SDK lists all tools at each call, to see whether headers repeat arguments as the schema asks.
    mcp._mcp_server.get_tool_input_schema = {tool.name: tool.parameters for tool in tools}.get

    @mcp.custom_route("/health", methods=["GET"])
    @mcp.custom_route("/ready", methods=["GET"])
    async def alive(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    @mcp.custom_route("/metrics", methods=["GET"])
    async def numbers(request: Request) -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    around = [Middleware(Guard, bound_to=host), Middleware(JsonWherePossible)]
    app = mcp.http_app(path=PATH, stateless_http=True, json_response=False, middleware=around)
    return Server(app, calls)


class Server(uvicorn.Server):
    """Uvicorn, which lets calls in flight end when it is told to stop, and answers for those that do not."""

    def __init__(self, app: ASGIApp, calls: Calls) -> None:
        # Else answers that stream are cut off at once, in the middle of their calls.
        AppStatus.disable_automatic_graceful_drain()
        quiet = {"log_config": None, "access_log": False, "server_header": False}
        super().__init__(uvicorn.Config(app, lifespan="on", timeout_graceful_shutdown=DRAIN_S + 3, **quiet))
        self._calls = calls

    async def main_loop(self) -> None:
        self._watch = asyncio.create_task(_end_when_stalled())
        await super().main_loop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().call_later(DRAIN_S, self._calls.give_up)
        await super().shutdown(sockets)


async def _end_when_stalled() -> None:
    """End the process, its log showing where it was, when no Python runs any more but in one place.

    C code that keeps the interpreter's lock (a runaway regular expression) stops every thread; neither a probe nor
    SIGTERM would be answered. The timer of faulthandler runs without that lock.
    """
    while True:
        faulthandler.dump_traceback_later(STALLED_S, exit=True)
        await asyncio.sleep(STALLED_S / 4)
