"""The model servers as processes, and a provider that notes every byte it gets and fails as it is told to."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

STARTED_S = 60
WAIT_S = 10
COMPLETION = (
    b'{ "id" : "chatcmpl-1","choices":[{"index":0,"message":{"role":"assistant","content":"caf\\u00e9 \xc3\xa9"},'
    b'"finish_reason":"stop"}] ,"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}\n'
)


def chunk(text: str) -> bytes:
    body = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}
    return f"data: {json.dumps(body)}\n\n".encode()


@dataclass
class Heard:
    """One request as the provider got it."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes
    gone: threading.Event = field(default_factory=threading.Event)  # the relay has closed the connection

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class Provider:
    """Behaves as the field `behave` of a body says: the method of that name."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.arrived = threading.Condition()
        self.go_on = threading.Event()
        self.held = threading.Event()  # a flood has been held back
        self.flooded = 0
        self.port = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def last(self) -> Heard:
        return self.heard[-1]

    def until_heard(self, number: int) -> Heard:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.heard) >= number, WAIT_S)
        return self.heard[number - 1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard = None
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *rest = head.decode().rstrip().split("\r\n")
                headers = [(name.lower(), value) for name, _, value in (one.partition(": ") for one in rest)]
                body = await reader.readexactly(int(dict(headers).get("content-length", 0)))
                heard = Heard(line, headers, body)
                with self.arrived:
                    self.heard.append(heard)
                    self.arrived.notify_all()
                behave = json.loads(body).get("behave", "answer") if body else "answer"
                await getattr(self, behave)(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            if heard:
                heard.gone.set()
            writer.close()

    async def answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        send(
            writer,
            b"200 OK",
            COMPLETION,
            b"X-Request-Id: r-1",
            b"X-Ratelimit-Remaining-Requests: 9",
            b"Set-Cookie: a=b",
        )

    async def stream(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One event, and the others when the test says so."""
        begin_stream(writer)
        write_chunk(writer, chunk("one "))
        await writer.drain()
        await asyncio.to_thread(self.go_on.wait, WAIT_S)
        write_chunk(writer, chunk("two"))
        write_chunk(
            writer, b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\ndata: [DONE]\n\n'
        )
        writer.write(b"0\r\n\r\n")

    async def endless(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begin_stream(writer)
        write_chunk(writer, chunk("one "))
        await reader.read()

    async def flood(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Events without end, until the reader has held them back and the test says that it is enough."""
        begin_stream(writer)
        self.flooded = 0
        while not self.go_on.is_set():
            write_chunk(writer, chunk("x" * 65536))
            self.flooded += len(chunk("x" * 65536))
            try:
                await asyncio.wait_for(writer.drain(), 1)
            except TimeoutError:
                self.held.set()
                await asyncio.to_thread(self.go_on.wait, WAIT_S)
        writer.write(b"0\r\n\r\n")

    async def silent(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def hang_up(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def cut_stream(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begin_stream(writer)
        write_chunk(writer, chunk("half")[:-1])
        await writer.drain()
        writer.close()

    async def cut_json(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
        await writer.drain()
        writer.close()

    async def limited(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = b'{"error":{"message":"slow down","type":"rate_limit_error"}}'
        send(writer, b"429 Too Many Requests", body, b"Retry-After: 7", b"retry-after-ms: 6500")

    async def broken(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        send(writer, b"500 Oh No", b'{"error":{"message":"our own words","type":"server_error"}}')

    async def page(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        send(writer, b"503 Service Unavailable", b"<html>maintenance</html>", b"Retry-After: 30", kind=b"text/html")

    async def login_page(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        send(writer, b"200 OK", b"<html>log in</html>", kind=b"text/html; charset=utf-8")

    async def plain_404(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        send(writer, b"404 Not Found", b"404 page\nnot found", kind=b"text/plain")

    async def moved(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        send(writer, b"308 Permanent Redirect", b"", b"Location: https://elsewhere.example/v1")

    async def no_http(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        await writer.drain()
        writer.close()

    async def squeezed(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        import gzip

        send(writer, b"200 OK", gzip.compress(COMPLETION), b"Content-Encoding: gzip")


def send(
    writer: asyncio.StreamWriter, status: bytes, body: bytes, *more: bytes, kind: bytes = b"application/json"
) -> None:
    head = [b"HTTP/1.1 " + status, b"Content-Type: " + kind, b"Content-Length: %d" % len(body), *more]
    writer.write(b"\r\n".join(head) + b"\r\n\r\n" + body)


def begin_stream(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")


def write_chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))


@pytest.fixture(scope="session")
def provider_server() -> Provider:
    made, loop, ready = Provider(), asyncio.new_event_loop(), threading.Event()

    async def serve() -> None:
        server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
        made.port = server.sockets[0].getsockname()[1]
        ready.set()
        await server.serve_forever()

    threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True).start()
    assert ready.wait(STARTED_S)
    return made


@pytest.fixture
def provider(provider_server: Provider) -> Iterator[Provider]:
    provider_server.heard.clear()
    provider_server.go_on.clear()
    yield provider_server
    provider_server.go_on.set()


@dataclass
class Running:
    """A server of ours."""

    url: str
    process: subprocess.Popen[str]

    @property
    def v1(self) -> str:
        return f"{self.url}/v1"

    def ask(self, body: dict[str, Any] | bytes, path: str = "/v1/chat/completions", **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(self.url + path, content=content, headers=sent, timeout=WAIT_S)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=headers, timeout=WAIT_S)

    def resident_mb(self) -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(**env: str) -> dict[str, str]:
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "PYTHONPATH") if key in os.environ}
    return kept | {"HOST": "127.0.0.1"} | env


@pytest.fixture(scope="session")
def start() -> Iterator[Callable[..., Running]]:
    """Start `python -m kaos.dataplane.model ...`; returns when it answers."""
    running: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, **env: str) -> Running:
        port = free_port()
        command = [sys.executable, "-m", "kaos.dataplane.model", *arguments, "--port", str(port)]
        process = subprocess.Popen(
            command, env=environment(**env), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        running.append(process)
        deadline = time.monotonic() + STARTED_S
        while time.monotonic() < deadline:
            assert process.poll() is None, f"it ended with {process.returncode}: {process.stdout.read()}"
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return Running(f"http://127.0.0.1:{port}", process)
            except OSError:
                time.sleep(0.01)  # a port announces nothing when it opens
        raise AssertionError("it does not answer")

    yield begin
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def start_relay(start: Callable[..., Running], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Running]:
    """A relay with this `model_list`, a name and its litellm_params each."""

    def begin(models: list[tuple[str, dict[str, Any]]], more: dict[str, Any] | None = None, **env: str) -> Running:
        listed = [{"model_name": name, "litellm_params": params} for name, params in models]
        path = tmp_path_factory.mktemp("relay") / "config.yaml"
        path.write_text(yaml.safe_dump({"model_list": listed, **(more or {})}))
        return start("relay", "--config", str(path), **env)

    return begin


@pytest.fixture(scope="session")
def mock_model(start: Callable[..., Running]) -> Running:
    return start("mock", MOCK_MODELS="mock,family/*")
