"""Bridges as processes, and ways to talk to them that are not ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

HERE = Path(__file__).parent
STDIO_SERVER = [sys.executable, str(HERE / "stdio_server.py")]
PLAIN_SERVER = [sys.executable, "-I", "-S", str(HERE / "plain_server.py")]
MODERN = "2026-07-28"
STARTED_S = 60.0
HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


class Running:
    """`python -m kaos.dataplane.bridge` on a free port of loopback."""

    def __init__(self, server: Sequence[str], log: Path, *options: str, **env: str) -> None:
        self.log = log
        self._out = log.open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kaos.dataplane.bridge", "--port", "0", *options, "--", *server],
            stdout=subprocess.PIPE, stderr=self._out, text=True,
            env=os.environ | {"HOST": "127.0.0.1"} | env,
        )  # fmt: skip
        self.mcp = self.process.stdout.readline().split()[-1]
        self.url = self.mcp.removesuffix("/mcp")

    def until_ready(self) -> Running:
        self.until(lambda: httpx.get(f"{self.url}/ready").status_code == 200, "ready")
        return self

    def until(self, holds: Any, what: str) -> None:
        deadline = time.monotonic() + STARTED_S
        while not holds():
            assert time.monotonic() < deadline, f"not {what}: {self.log.read_text()}"
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def metric(self, name: str) -> float:
        """The value of one line of /metrics; 0 when it is not there."""
        lines = httpx.get(f"{self.url}/metrics").text.splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")), 0.0)

    def end(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(40)
        self.process.stdout.close()
        self._out.close()
        return code


def request(method: str, params: dict[str, Any] | None = None, number: Any = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}}


def call(tool: str, number: Any = 1, **arguments: Any) -> dict[str, Any]:
    return request("tools/call", {"name": tool, "arguments": arguments}, number)


def modern(body: dict[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """Headers and body of a request of the stateless era."""
    meta = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
    params = body["params"] | {"_meta": body["params"].get("_meta", {}) | meta}
    headers = HEADERS | {"mcp-protocol-version": MODERN, "mcp-method": body["method"]}
    if name := params.get("name") or params.get("uri"):
        headers["mcp-name"] = name
    return headers, body | {"params": params}


class RawSession:
    """The sessions era by hand: what goes over the wire is what the test says."""

    def __init__(self, mcp: str, **headers: str | bytes) -> None:
        self.http = httpx.Client(timeout=30)
        self.mcp = mcp
        self.headers = HEADERS | headers
        client = {"name": "raw", "version": "1"}
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        self.opened = self.post(request("initialize", params))
        self.headers["mcp-session-id"] = self.opened.headers.get("mcp-session-id", "none")
        if self.opened.status_code == 200:
            self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def post(self, body: dict[str, Any] | bytes) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.post(self.mcp, content=content, headers=self.headers)

    def delete(self) -> httpx.Response:
        return self.http.delete(self.mcp, headers=self.headers)
