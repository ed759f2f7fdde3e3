"""A real server process for the tests, and the two ways to talk to it: the official client and plain HTTP."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

MODERN, LEGACY = "2026-07-28", "2025-11-25"
_request_ids = itertools.count(1)


class Log:
    """What a process prints, as it comes."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.text = ""
        self._ended = False
        self._news = threading.Condition()
        threading.Thread(target=self._read, args=(pipe,), daemon=True).start()

    def _read(self, pipe: IO[bytes]) -> None:
        piece = b"..."
        while piece:
            piece = os.read(pipe.fileno(), 1 << 16)
            with self._news:
                self.text += piece.decode()
                self._ended = not piece
                self._news.notify_all()

    def wait_for(self, words: str, timeout_s: float = 10) -> None:
        """Until these words are there; fails with all of the log when they do not come."""
        with self._news:
            self._news.wait_for(lambda: words in self.text or self._ended, timeout_s)
            assert words in self.text

    def whole(self) -> str:
        """All of it, once the process has ended."""
        with self._news:
            assert self._news.wait_for(lambda: self._ended, 10)
            return self.text.rstrip("\n")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int
    log: Log = field(repr=False)  # stdout and stderr, as `kubectl logs` shows them

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def http(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float = 30,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.putrequest(method, path, skip_host="host" in (headers or {}))
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def call(self, tool: str, version: str = MODERN, headers: dict[str, str] | None = None, **arguments: Any) -> Answer:
        """One tools/call, as a client of that revision sends it."""
        sent, body = tool_call(tool, version, **arguments)
        return self.http("POST", "/mcp", sent | (headers or {}), body)

    def begin(self, tool: str, version: str = MODERN, **arguments: Any) -> Pending:
        """The same, without waiting for the answer."""
        headers, body = tool_call(tool, version, **arguments)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", "/mcp", body, headers)
        return Pending(connection)


@dataclass(frozen=True)
class Pending:
    """A call whose answer has not been read."""

    connection: http.client.HTTPConnection

    def answer(self) -> Answer:
        answer = self.connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    def hang_up(self) -> None:
        self.connection.close()


def tool_call(tool: str, version: str, progress: str | None = None, **arguments: Any) -> tuple[dict[str, str], bytes]:
    headers = {
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": version,
    }
    params: dict[str, Any] = {"name": tool, "arguments": arguments}
    if version == MODERN:
        headers |= {"mcp-method": "tools/call", "mcp-name": tool}
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    if progress:
        params.setdefault("_meta", {})["progressToken"] = progress
    request = {"jsonrpc": "2.0", "id": next(_request_ids), "method": "tools/call", "params": params}
    return headers, json.dumps(request).encode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(program: str, *python: str, **env: str) -> Served:
    """A server process, not waited for. `python` replaces `-m kaos_rawpython`."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, *(python or ("-m", "kaos_rawpython"))],
        env=os.environ | {"MCP_TOOLS_STRING": textwrap.dedent(program), "PORT": str(port)} | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return Served(process, port, Log(process.stdout))


def end(server: Served) -> None:
    server.process.kill()
    server.process.wait()


@pytest.fixture
def started() -> Iterator[Callable[..., Served]]:
    """Start servers that end with the test; returns when one serves."""
    servers: list[Served] = []

    def begin(program: str, *python: str, **env: str) -> Served:
        servers.append(start(program, *python, **env))
        servers[-1].log.wait_for("serving")
        return servers[-1]

    yield begin
    for server in servers:
        end(server)


@pytest.fixture(scope="session")
def server() -> Iterator[Served]:
    """The tools of showcase.py, served as in a pod."""
    server = start(Path(__file__).with_name("showcase.py").read_text())
    server.log.wait_for("serving")
    yield server
    end(server)


@pytest.fixture(scope="session")
def local_server() -> Iterator[Served]:
    """A server that is bound to loopback, as on a laptop."""
    server = start("def one() -> int: return 1\n", HOST="127.0.0.1")
    server.log.wait_for("serving")
    yield server
    end(server)


@pytest.fixture
def run_to_its_end() -> Callable[..., Served]:
    """Start a server and wait until its process has ended."""

    def run(program: str, **env: str) -> Served:
        server = start(program, **env)
        server.process.wait(timeout=20)
        return server

    return run
