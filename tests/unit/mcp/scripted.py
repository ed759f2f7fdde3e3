"""An HTTP server that answers as it is told, byte by byte: for everything that no real server would say."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

Object = dict[str, Any]


@dataclass
class Heard:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> Object:
        return json.loads(self.body) if self.body else {}

    @property
    def rpc(self) -> str:
        """The JSON-RPC method, or what kind of message or request it is."""
        return self.message.get("method") or (self.method if not self.body else "reply")

    @property
    def id(self) -> Any:
        return self.message.get("id")


Reply = Callable[[Heard], bytes]


def http(
    status: int, body: bytes = b"", media_type: str = "application/json", close: bool = True, **headers: str
) -> bytes:
    """A whole HTTP answer."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    kind = f"content-type: {media_type}\r\n" if media_type else ""
    end = "connection: close\r\n" if close else ""
    return f"HTTP/1.1 {status} X\r\n{kind}{more}{end}content-length: {len(body)}\r\n\r\n".encode() + body


def result(heard: Heard, value: Any, **headers: str) -> bytes:
    return http(200, json.dumps({"jsonrpc": "2.0", "id": heard.id, "result": value}).encode(), **headers)


def error(heard: Heard, status: int, code: int, message: str, data: Any = None) -> bytes:
    told = {"code": code, "message": message} | ({"data": data} if data is not None else {})
    return http(status, json.dumps({"jsonrpc": "2.0", "id": heard.id, "error": told}).encode())


def events(*data: bytes | Object) -> bytes:
    """An event stream that ends with the connection."""
    lines = b"".join(b"data: %s\n\n" % (one if isinstance(one, bytes) else json.dumps(one).encode()) for one in data)
    return b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + lines


@dataclass
class ScriptedServer:
    """Answers every request with what `reply` makes of it, and closes the connection after so many of them."""

    reply: Reply
    per_connection: int = 1
    hold: str = ""  # answers to this method do not end until the client leaves,
    released: threading.Event = field(default_factory=threading.Event)  # which sets this
    heard: list[Heard] = field(default_factory=list)

    def __enter__(self) -> ScriptedServer:
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/mcp"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def asked(self) -> list[str]:
        return [heard.rpc for heard in self.heard]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader:
            try:
                for _ in range(self.per_connection):
                    if (heard := self._hear(reader)) is None:
                        return
                    connection.sendall(self.reply(heard))
                if heard.rpc != self.hold:
                    connection.shutdown(socket.SHUT_WR)
                reader.read()  # until the client has closed too: a reset would take the answer with it
                if heard.rpc == self.hold:
                    self.released.set()
            except OSError:
                return

    def _hear(self, reader: BinaryIO) -> Heard | None:
        """The next request; None when the client has closed."""
        words = reader.readline().decode("latin-1").split(" ")
        if len(words) < 2:
            return None
        headers: dict[str, str] = {}
        while line := reader.readline().strip().decode("latin-1"):
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        self.heard.append(Heard(words[0], words[1], headers, reader.read(int(headers.get("content-length", 0)))))
        return self.heard[-1]


def server_of_sessions(tools: Reply, session: str | None = "s1", version: str = "2025-11-25") -> Reply:
    """A server of the eras with sessions; `tools` answers whatever is not the handshake."""

    def reply(heard: Heard) -> bytes:
        match heard.rpc:
            case "server/discover":
                return error(heard, 400, -32600, "Bad Request: Missing session ID")
            case "initialize":
                headers = {"mcp_session_id": session} if session else {}
                return result(
                    heard, {"protocolVersion": version, "capabilities": {}, "serverInfo": {"name": "old"}}, **headers
                )
            case "notifications/initialized":
                return http(202, media_type="")
            case "DELETE":
                return http(200, media_type="")
        return tools(heard)

    return reply


def modern_server(tools: Reply) -> Reply:
    """A server of 2026-07-28; `tools` answers whatever is not the discovery."""

    def reply(heard: Heard) -> bytes:
        if heard.rpc == "server/discover":
            return result(heard, {"supportedVersions": ["2026-07-28"], "capabilities": {}})
        return tools(heard)

    return reply
