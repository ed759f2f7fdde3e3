"""What the bridge costs before a stdio server: calls a second, their times, a new session, memory.

    python benchmarks/bridge.py [SECONDS]

The same server, made with fastmcp, serves HTTP itself and serves stdio behind the bridge; a server of the standard
library alone behind the bridge shows what the bridge itself can do. One process asks, in the stateless era.

On two cores, with Python 3.11 and at high priority (`nice -n -20`) beside other work, fastmcp's server answered 541
calls/s of one client and 638 of 16 (p99: 4 and 91 ms) over its own HTTP; behind the bridge 454 and 789 (p99: 6 and
45 ms). With the plain server the bridge reached 1,744 and 4,463. A new session of fastmcp's server was answered in
5 ms. The bridge took 41 MB, and each process of the server its own.
"""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import psutil

CLIENTS = (1, 16)
MODERN = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
CALL = {"name": "echo", "arguments": {"text": "hello"}, "_meta": META}
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
STATELESS = JSON | {"mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": "echo"}
SERVER = """
import sys
from fastmcp import FastMCP
server = FastMCP("bench")

@server.tool
def echo(text: str) -> str:
    return text

if len(sys.argv) > 1:
    server.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), log_level="error", show_banner=False)
else:
    server.run(transport="stdio", show_banner=False, log_level="ERROR")
"""
PLAIN = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        result = {"content": [{"type": "text", "text": "hello"}], "tools": [], "capabilities": {"tools": {}},
                  "protocolVersion": "2025-11-25", "serverInfo": {"name": "plain", "version": "1"}}
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


@contextmanager
def running(port: int, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        asyncio.run(until_answers(f"http://127.0.0.1:{port}/mcp"))
        yield process
    finally:
        process.terminate()
        process.wait()


async def until_answers(url: str) -> None:
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                await ask(http, url, 0)
                return
            except (aiohttp.ClientError, KeyError):
                await asyncio.sleep(0.05)


async def ask(http: aiohttp.ClientSession, url: str, number: int) -> None:
    body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": CALL}
    async with http.post(url, data=json.dumps(body), headers=STATELESS) as answer:
        text = await answer.text()
    assert json.loads(text.partition("data: ")[2] or text)["result"]["content"][0]["text"] == "hello"


async def load(url: str, clients: int, seconds: float) -> list[float]:
    """Milliseconds of each call that so many clients could make."""
    times: list[float] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        end = time.perf_counter() + seconds

        async def client() -> None:
            while (began := time.perf_counter()) < end:
                await ask(http, url, len(times))
                times.append((time.perf_counter() - began) * 1000)

        await asyncio.gather(*(client() for _ in range(clients)))
    return times


async def new_session(url: str) -> float:
    """Milliseconds until initialize is answered; the median of five, a second apart."""
    times = []
    info = {"name": "bench", "version": "1"}
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    async with aiohttp.ClientSession() as http:
        for _ in range(5):
            await asyncio.sleep(1.5)
            began = time.perf_counter()
            async with http.post(url, json=body, headers=JSON) as answer:
                assert '"serverInfo"' in await answer.text()
                times.append((time.perf_counter() - began) * 1000)
            await http.delete(url, headers=JSON | {"mcp-session-id": answer.headers["mcp-session-id"]})
    return statistics.median(times)


def megabytes(process: psutil.Process) -> float:
    return process.memory_info().rss / 2**20


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    with tempfile.TemporaryDirectory() as directory:
        server, plain = Path(directory) / "server.py", Path(directory) / "plain.py"
        server.write_text(SERVER)
        plain.write_text(PLAIN)
        bridge = [sys.executable, "-m", "kaos.dataplane.bridge", "--host", "127.0.0.1", "--port"]
        rows = {
            "fastmcp over HTTP": lambda port: [sys.executable, str(server), str(port)],
            "fastmcp, bridge": lambda port: [*bridge, str(port), "--", sys.executable, str(server)],
            "plain, bridge": lambda port: [*bridge, str(port), "--", sys.executable, "-IS", str(plain)],
        }
        heads = [f"{head}, {clients} cl." for clients in CLIENTS for head in ("calls/s", "p50", "p99 ms")]
        print(f"{'':<20}" + "".join(f"{head:>16}" for head in [*heads, "new session ms", "MB", "server MB"]))
        for title, command in rows.items():
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            with running(port, command(port)) as process:
                url, figures = f"http://127.0.0.1:{port}/mcp", []
                for clients in CLIENTS:
                    times = asyncio.run(load(url, clients, seconds))
                    marks = statistics.quantiles(times, n=100)
                    figures += [len(times) / seconds, marks[49], marks[98]]
                figures.append(asyncio.run(new_session(url)))
                own = psutil.Process(process.pid)
                figures += [megabytes(own), max(map(megabytes, own.children()), default=0.0)]
            print(f"{title:<20}" + "".join(f"{figure:>16.1f}" for figure in figures), flush=True)


if __name__ == "__main__":
    main()
