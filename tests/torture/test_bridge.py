"""The bridge under load and faults: nobody gets the answer of another, whatever ends meanwhile, and nothing is left."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from tests.unit.dataplane.bridge.running import HEADERS, PLAIN_SERVER, Running, call, modern, request

pytestmark = pytest.mark.full

CALLS, CLIENTS = 10_000, 32
KILL_EVERY_S = 0.5
PATIENCE_S = 240


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[Running]:
    running = Running(PLAIN_SERVER, tmp_path / "log").until_ready()
    yield running
    children = running.children()
    assert running.end() == 0
    assert not psutil.wait_procs(children, 5)[1]
    assert "Traceback" not in running.log.read_text()


class Client:
    """One of many, all with the same ids and tokens: 0, 1, 2, 3, 0, 1, ..."""

    def __init__(self, http: aiohttp.ClientSession, url: str, name: str, stateless: bool) -> None:
        self.http, self.url, self.name, self.stateless = http, url, name, stateless
        self.session: str | None = None
        self.asked = 0
        self.failures: Counter[str] = Counter()

    async def answered(self, number_of_calls: int) -> None:
        """Ask until so many calls have been answered; each answer and each progress must be our own."""
        right = 0
        while right < number_of_calls:
            self.asked += 1
            right += await self.ask(self.asked % 4, f"{self.name} asks {self.asked}", progress=self.asked % 2 == 0)

    async def ask(self, number: int, text: str, progress: bool) -> bool:
        body = call("later", number, text=text)
        if progress:
            body["params"]["_meta"] = {"progressToken": number}
        messages = await self.send(body)
        *before, last = messages
        for message in before:
            assert message["params"] == {"progressToken": number, "message": text}
        if "error" in last:
            self.failures[last["error"]["message"].partition(";")[0]] += 1
            return False
        assert last["id"] == number
        assert last["result"]["content"] == [{"type": "text", "text": text}]
        assert len(before) == progress
        return True

    async def send(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        if self.stateless:
            return (await self.post(*modern(body)))[1]
        if self.session is None:
            params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
            self.session, (opened,) = await self.post(HEADERS, request("initialize", params))
            if "error" in opened:
                self.session = None
                return [opened]
        _, messages = await self.post(HEADERS | {"mcp-session-id": self.session}, body)
        if "error" in messages[-1]:
            self.session = None
        return messages

    async def post(self, headers: dict[str, str], body: dict[str, Any]) -> tuple[str | None, list[dict[str, Any]]]:
        async with self.http.post(self.url, headers=headers, json=body) as answer:
            text = await answer.text()
            assert answer.status in (200, 404), text
        parts = [line[6:] for line in text.splitlines() if line.startswith("data: ")] or [text]
        return answer.headers.get("mcp-session-id"), [json.loads(part) for part in parts]

    async def end(self) -> None:
        if self.session:
            await self.http.delete(self.url, headers=HEADERS | {"mcp-session-id": self.session})


async def kill_some(bridge: Running, killed: list[int]) -> None:
    while True:
        await asyncio.sleep(KILL_EVERY_S)
        victim = random.choice(bridge.children())
        os.kill(victim.pid, signal.SIGKILL)
        killed.append(victim.pid)


@pytest.mark.timeout(PATIENCE_S)
async def test_no_answer_is_crossed_while_servers_are_killed(bridge: Running) -> None:
    killed: list[int] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        clients = [Client(http, bridge.mcp, f"client {n}", stateless=n % 2 == 0) for n in range(CLIENTS)]
        killing = asyncio.create_task(kill_some(bridge, killed))
        await asyncio.gather(*(client.answered(CALLS // CLIENTS + 1) for client in clients))
        killing.cancel()
        for client in clients:
            await client.end()
    failures = sum((client.failures for client in clients), Counter())
    assert len(killed) > 3
    assert {*failures} == {"the server was killed by SIGKILL"}, failures
    bridge.until(lambda: bridge.metric("kaos_bridge_sessions") == 0, "without sessions")


@pytest.mark.timeout(PATIENCE_S)
async def test_a_hundred_clients_at_once_are_all_served(bridge: Running) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        clients = [Client(http, bridge.mcp, f"client {n}", stateless=False) for n in range(100)]
        await asyncio.gather(*(client.answered(20) for client in clients))
        assert not any(client.failures for client in clients)
        for client in clients:
            await client.end()
    bridge.until(lambda: len(bridge.children()) <= 2, "down to the shared process and the spare")


@pytest.mark.timeout(PATIENCE_S)
async def test_floods_and_slow_readers_delay_nobody(bridge: Running) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        slow, loud, quick = (Client(http, bridge.mcp, name, stateless=False) for name in ("slow", "loud", "quick"))
        for client in (slow, loud, quick):
            assert await client.ask(1, "hello", progress=False)
        flood = request("tools/call", {"name": "flood", "arguments": {"times": 40_000}, "_meta": {"progressToken": 1}})
        async with http.post(bridge.mcp, headers=HEADERS | {"mcp-session-id": slow.session}, json=flood) as unread:
            shouting = asyncio.create_task(loud.send(call("shout", lines=100_000)))
            times = []
            while not shouting.done() or len(times) < 50:
                began = time.perf_counter()
                assert await quick.ask(1, f"call {len(times)}", progress=True)
                times.append(time.perf_counter() - began)
            assert sorted(times)[len(times) // 2] < 0.5
            assert "shouted" in json.dumps(await shouting)
            assert b'"flooded"' in (await unread.read())[-200:]
        assert psutil.Process(bridge.process.pid).memory_info().rss < 200 * 2**20


@pytest.mark.timeout(PATIENCE_S)
async def test_memory_is_flat_over_ten_thousand_sessions_of_a_shared_process(tmp_path: Path) -> None:
    bridge = Running(PLAIN_SERVER, tmp_path / "log", "--isolation", "shared").until_ready()
    own = psutil.Process(bridge.process.pid)

    async def sessions(number: int) -> None:
        async with aiohttp.ClientSession() as http:
            for n in range(number):
                client = Client(http, bridge.mcp, f"client {n}", stateless=False)
                assert "result" in (await client.send(request("tools/list")))[-1]
                await client.end()

    try:
        await asyncio.gather(*(sessions(250) for _ in range(4)))
        before = own.memory_info().rss
        await asyncio.gather(*(sessions(2250) for _ in range(4)))
        grown = own.memory_info().rss - before
        print(f"10,000 sessions: {before / 2**20:.1f} MiB after the first 1,000, then {grown / 2**20:+.1f} MiB")
        assert grown < 2 * 2**20
        assert bridge.metric("kaos_bridge_sessions") == 0
    finally:
        assert bridge.end() == 0


@pytest.mark.timeout(PATIENCE_S)
async def test_memory_is_flat_over_many_sessions(bridge: Running) -> None:
    own = psutil.Process(bridge.process.pid)

    async def sessions(number: int) -> None:
        async with aiohttp.ClientSession() as http:
            for n in range(number):
                client = Client(http, bridge.mcp, f"client {n}", stateless=False)
                assert await client.ask(1, "hello", progress=False)
                await client.end()

    await asyncio.gather(*(sessions(100) for _ in range(4)))
    before = own.memory_info().rss
    await asyncio.gather(*(sessions(300) for _ in range(4)))
    assert own.memory_info().rss - before < 0.05 * before
    bridge.until(lambda: len(bridge.children()) <= 2, "down to the shared process and the spare")
