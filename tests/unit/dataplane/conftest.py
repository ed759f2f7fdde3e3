"""An agent in a process of its own, a model that fails as it is told to, and real tool servers."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from aiohttp import web

from tests.collector import Collector
from tests.conftest import free_port

STARTED_S = 60


USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}}\n\n'


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    body = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return f"data: {json.dumps(body)}\n\n".encode()


@dataclass
class Backend:
    """An OpenAI-compatible model whose behaviour is the last user message; notes every request."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        words = body["messages"][-1]["content"]
        if body["messages"][-1]["role"] == "tool" and not words.startswith("then "):
            return await _sse(request, [chunk({"content": words}, "stop")])
        words = words.removeprefix("then ")
        tries = sum(1 for one in self.requests if one["messages"][-1].get("content") == words)
        return await getattr(self, "_" + words.split()[0].replace("-", "_"))(request, words, tries)

    async def _say(self, request: web.Request, words: str, tries: int) -> web.StreamResponse:
        pieces = [chunk({"content": piece + " "}) for piece in words.split()[1:]]
        return await _sse(request, [*pieces, chunk({}, "stop"), USAGE])

    async def _call(self, request: web.Request, words: str, tries: int) -> web.StreamResponse:
        """call NAME ARGUMENTS [and NAME ARGUMENTS]..."""
        calls = [part.split(" ", 1) for part in words.removeprefix("call ").split(" and ")]
        deltas = [
            {"tool_calls": [{"index": n, "id": f"call-{n}", "function": {"name": name, "arguments": arguments}}]}
            for n, (name, arguments) in enumerate(calls)
        ]
        return await _sse(request, [chunk(delta) for delta in deltas] + [chunk({}, "tool_calls")])

    async def _always(self, request: web.Request, words: str, tries: int) -> web.StreamResponse:
        return await self._call(request, "call echo {}", tries)

    async def _status(self, request: web.Request, words: str, tries: int) -> web.StreamResponse:
        """status CODE [RETRY-AFTER]"""
        _, code, *after = words.split()
        headers = {"retry-after": after[0]} if after else {}
        error = {"error": {"message": "the provider's own words", "type": "provider_error"}}
        return web.json_response(error, status=int(code), headers=headers)

    async def _once(self, request: web.Request, words: str, tries: int) -> web.StreamResponse:
        """Fails at the first try only."""
        if tries == 1:
            return web.json_response({}, status=503, headers={"retry-after": "0"})
        return await _sse(request, [chunk({"content": "better now"}, "stop")])

    async def _html(self, request: web.Request, words: str, tries: int) -> web.StreamResponse:
        return web.Response(text="<html>hello</html>", content_type="text/html", status=int(words.split()[1]))

    async def _garbage(self, request: web.Request, words: str, tries: int) -> web.StreamResponse:
        return await _sse(request, [b"data: {not json\n\n"])

    async def _cut(self, request: web.Request, words: str, tries: int) -> web.StreamResponse:
        return await _sse(request, [chunk({"content": "half a"})])

    async def _empty(self, request: web.Request, words: str, tries: int) -> web.StreamResponse:
        return web.json_response({"choices": []})

    async def _error_inside(self, request: web.Request, words: str, tries: int) -> web.StreamResponse:
        return await _sse(request, [chunk({"content": "half"}), b'data: {"error": {"message": "overloaded"}}\n\n'])

    async def _endless(self, request: web.Request, words: str, tries: int) -> web.StreamResponse:
        return await _sse(request, [chunk({"content": "x" * 65536})] * 64)

    async def _silent(self, request: web.Request, words: str, tries: int) -> web.StreamResponse:
        await asyncio.sleep(3600)

    async def _slowly(self, request: web.Request, words: str, tries: int) -> web.StreamResponse:
        response = await _sse(request, [], end=False)
        for word in words.split()[1:]:
            await asyncio.sleep(0.1)
            await response.write(chunk({"content": word + " "}))
        await response.write(chunk({}, "stop"))
        return response

    async def _stall(self, request: web.Request, words: str, tries: int) -> web.StreamResponse:
        try:
            response = await _sse(request, [chunk({"content": "one"})], end=False)
            while True:
                await asyncio.sleep(0.05)
                await response.write(b": still here\n\n")
        except (asyncio.CancelledError, ConnectionError):
            self.cancelled.set()
            raise


async def _sse(request: web.Request, pieces: list[bytes], end: bool = True) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for piece in pieces:
        await response.write(piece)
    if end:
        await response.write_eof()
    return response


@pytest.fixture(scope="session")
def backend() -> Iterator[Backend]:
    made, loop, ready = Backend(), asyncio.new_event_loop(), threading.Event()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/chat/completions", made.complete)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)

    async def serve() -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()

    threading.Thread(target=run, daemon=True).start()
    assert ready.wait(STARTED_S)
    yield made
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(STARTED_S)
    loop.call_soon_threadsafe(loop.stop)


TOOLS = '''
import os, time
def echo(text: str = "nothing") -> str:
    """Say it again."""
    return text
def slow(seconds: float) -> str:
    time.sleep(seconds)
    return "slow"
def fail() -> str:
    raise ValueError("no such luck")
def big(size: int) -> str:
    return "x" * size
def die() -> None:
    os._exit(3)
'''


@pytest.fixture(scope="session")
def start() -> Iterator[Callable[..., str]]:
    """Start a program that serves HTTP on $PORT; its URL once it answers."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(module: str, path: str, **env: str) -> str:
        port = int(env.get("PORT") or free_port())
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "PYTHONPATH") if key in os.environ}
        own = {"PORT": str(port), "HOST": "127.0.0.1", **env}
        process = subprocess.Popen([sys.executable, "-m", module], env=kept | own)
        running.append(process)
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + STARTED_S
        while time.monotonic() < deadline:
            assert process.poll() is None, f"{module} ended with code {process.returncode}"
            try:
                httpx.get(url + path, timeout=1)
                return url
            except httpx.TransportError:
                time.sleep(0.02)  # a port announces nothing when it opens
        raise AssertionError(f"{module} does not answer")

    begin.running = running
    yield begin
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Where telemetry goes."""
    made = Collector()
    yield made
    made.close()


@pytest.fixture(scope="session")
def tool_server(start) -> str:
    return start("kaos_rawpython", "/health", MCP_TOOLS_STRING=TOOLS) + "/mcp"


@pytest.fixture(scope="session")
def agent(start, backend, tool_server) -> str:
    """An agent with that model and those tools; its URL."""
    return start(
        "kaos.dataplane.agent",
        "/health",
        AGENT_NAME="tested",
        MODEL_API_URL=backend.url,
        MODEL_NAME="scripted",
        MODEL_API_KEY="sk-of-the-agent",
        MCP_SERVERS="tools",
        MCP_SERVER_TOOLS_URL=tool_server,
        AGENTIC_LOOP_MAX_STEPS="4",
    )


@pytest.fixture
def ask(agent) -> Callable[..., httpx.Response]:
    """One question; the whole HTTP answer."""

    def post(words: str, stream: bool = False, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        body = {"messages": [{"role": "user", "content": words}], "stream": stream, **more}
        return httpx.post(f"{agent}/v1/chat/completions", json=body, headers=headers, timeout=60)

    return post
