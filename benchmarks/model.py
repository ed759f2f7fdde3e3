"""What relay and mock add to a provider that answers at once: latency, first token, requests a second, memory.

    python benchmarks/model.py [ROUNDS]

Everything runs on this machine: the stand-in for a provider, the relay in front of it and the mock, each a process of
its own. Calls are bytes on open connections, so that it is not the client that is measured.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable

from agent import resident_mb, start

CLIENTS = 16
SECONDS = 5.0
WORDS = ("one ", "two ", "three ", "four")
COMPLETION = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "".join(WORDS)}}],
        "usage": {"prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12},
    }
).encode()
CHUNKS = [
    b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": word}}]}).encode() + b"\n\n" for word in WORDS
] + [b"data: [DONE]\n\n"]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: "


def stand_in(port: int) -> None:
    """A provider that thinks about nothing."""
    asyncio.run(_serve(port))


async def _serve(port: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
                if b'"stream": true' in await reader.readexactly(length):
                    writer.write(HEAD + b"text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
                    writer.write(b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in CHUNKS) + b"0\r\n\r\n")
                else:
                    writer.write(
                        HEAD + b"application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(COMPLETION), COMPLETION)
                    )
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port)
    await server.serve_forever()


class Line:
    """One connection that stays open."""

    def __init__(self, url: str, model: str) -> None:
        self._port = int(url.rpartition(":")[2])
        messages = [{"role": "user", "content": "hello, how are you?"}]
        self._requests = {
            stream: self._request({"model": model, "messages": messages, "stream": stream}) for stream in (False, True)
        }

    def _request(self, body: dict[str, object]) -> bytes:
        data = json.dumps(body).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{self._port}\r\ncontent-type: application/json\r\n"
        )
        return f"{head}content-length: {len(data)}\r\n\r\n".encode() + data

    async def open(self) -> Line:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def whole(self) -> None:
        self._writer.write(self._requests[False])
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200"):
            raise AssertionError(head.decode())
        if b"chunked" in head:
            await self._reader.readuntil(b"\r\n0\r\n\r\n")
        else:
            await self._reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))

    async def first_token(self) -> float:
        began = time.perf_counter()
        self._writer.write(self._requests[True])
        await self._reader.readuntil(b'"content": "')
        took = time.perf_counter() - began
        await self._reader.readuntil(b"\r\n0\r\n\r\n")
        return took * 1000

    async def answer(self) -> float:
        began = time.perf_counter()
        await self.whole()
        return (time.perf_counter() - began) * 1000


async def median(rounds: int, measure: Callable[[], Awaitable[float]]) -> float:
    return statistics.median([await measure() for _ in range(rounds)])


async def rate(url: str, model: str) -> float:
    """Answers a second, with all clients at it."""
    lines = [await Line(url, model).open() for _ in range(CLIENTS)]
    end, count = time.perf_counter() + SECONDS, 0

    async def ask(line: Line) -> None:
        nonlocal count
        while time.perf_counter() < end:
            await line.whole()
            count += 1

    await asyncio.gather(*map(ask, lines))
    return count / SECONDS


async def measure(rounds: int, servers: dict[str, tuple[str, str]]) -> None:
    print(f"{rounds} rounds, medians in ms{'':>6}" + "".join(f"{name:>12}" for name in servers))
    lines = {name: await Line(url, model).open() for name, (url, model) in servers.items()}
    for line in lines.values():
        await median(20, line.answer)  # what is done once only is no part of a call
    for title, call in (("an answer", Line.answer), ("first token, streamed", Line.first_token)):
        figures = [await median(rounds, lambda line=line, call=call: call(line)) for line in lines.values()]
        print(f"{title:<30}" + "".join(f"{figure:>12.2f}" for figure in figures))
    rates = [await rate(url, model) for url, model in servers.values()]
    print(f"{f'answers a second, {CLIENTS} clients':<30}" + "".join(f"{figure:>12.0f}" for figure in rates))


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    provider = multiprocessing.get_context("spawn").Process(target=stand_in, args=(port,), daemon=True)
    provider.start()
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(
            f"model_list: [{{model_name: m, litellm_params: {{model: openai/m, api_base: 'http://127.0.0.1:{port}/v1'}}}}]"
        )
        config.flush()
        relay, relay_url, relay_ms = start(["kaos.dataplane.model", "relay", "--config", config.name])
    mock, mock_url, mock_ms = start(["kaos.dataplane.model", "mock"])
    try:
        servers = {"provider": (f"http://127.0.0.1:{port}", "m"), "relay": (relay_url, "m"), "mock": (mock_url, "mock")}
        asyncio.run(measure(rounds, servers))
        for name, process, start_ms in (("relay", relay, relay_ms), ("mock", mock, mock_ms)):
            print(f"{name}: start {start_ms:.0f} ms, {resident_mb(process):.0f} MB")
    finally:
        for process in (relay, mock):
            process.kill()
            process.wait()
        provider.kill()


if __name__ == "__main__":
    main()
