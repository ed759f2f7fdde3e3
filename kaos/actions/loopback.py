"""An address on this machine for something in the cluster: a small HTTP server that forwards through the API server."""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kaos.actions.kinds import Kind
from kaos.api.names import SERVICE_PORT
from kaos.cluster import Client
from kaos.cluster.connection import Connection
from kaos.cluster.requests import service_proxy_path
from kaos.dataplane import guard
from kaos.errors import KaosError, NotFound, UsageError

LOOPBACK = "127.0.0.1"
BODY_LIMIT = 64 * 1024 * 1024
TOKEN_HEADER = "X-KAOS-Token"
# Of this hop, or ours to say; credentials of callers are not for the cluster.
_NOT_FORWARDED = {
    "host", "authorization", "connection", "content-length", "transfer-encoding", "accept-encoding",
    TOKEN_HEADER.lower(),
}  # fmt: skip
_NOT_BACK = {"connection", "transfer-encoding", "content-length", "server", "date"}


@dataclass(frozen=True)
class Answer:
    """What comes back; header names in lower case."""

    status: int
    headers: dict[str, str]
    chunks: Iterator[bytes]
    close: Callable[[], None]


# Method, path, headers and body to the answer. Raises KaosError when there is none.
Forward = Callable[[str, str, dict[str, str], bytes | None], Answer]


def serve(
    connection: Connection, kind: Kind, name: str, namespace: str, port: int, on_ready: Callable[[str], None]
) -> None:
    """Forward to a resource's Service until interrupted. Raises UsageError when the port is taken."""
    base = service_proxy_path(namespace, kind.child(name), SERVICE_PORT, "")

    def forward(method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
        found = Client(connection).request(method, base + path, body, headers, timeout_s=None, check=False)
        return Answer(found.status, found.headers, found.chunks(), found.close)

    listen(port, forward, on_ready)


def listen(port: int, forward: Forward, on_ready: Callable[[str], None], token: str = "") -> None:
    """Answer this machine's requests until interrupted; with a token, only those that bring it. Raises UsageError when
    the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """A line a request would only be in the way."""

        def _forward(self) -> None:
            given = [(key.lower(), value) for key, value in self.headers.items()]
            if guard.refusal(given, LOOPBACK):
                self._refuse(403, "this address answers to this machine only")
                return
            if token and not self._has_token():
                self._refuse(401, "a token is needed")
                return
            length = self.headers.get("Content-Length") or "0"
            if "Transfer-Encoding" in self.headers or not length.isdecimal():
                self._refuse(411, "the length of the body is needed")
                return
            if int(length) > BODY_LIMIT:
                self._refuse(413, f"a body has at most {BODY_LIMIT // 2**20} MiB")
                return
            body = self.rfile.read(int(length)) or None
            headers = {key: value for key, value in self.headers.items() if key.lower() not in _NOT_FORWARDED}
            headers["X-KAOS-Base-URL"] = f"http://{LOOPBACK}:{self.server.server_address[1]}/"
            try:
                answer = forward(self.command, self.path, headers, body)
            except KaosError as error:
                self._refuse(404 if isinstance(error, NotFound) else 502, error.cause)
                return
            try:
                self.send_response(answer.status)
                for key, value in answer.headers.items():
                    if key not in _NOT_BACK:
                        self.send_header(key, value)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in answer.chunks:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")
            except (KaosError, OSError):
                self.close_connection = True  # a cut answer must look cut
            finally:
                answer.close()

        def _has_token(self) -> bool:
            given = self.headers.get(TOKEN_HEADER) or self.headers.get("Authorization", "").removeprefix("Bearer ")
            return hmac.compare_digest(given.encode(errors="surrogateescape"), token.encode())

        def _refuse(self, code: int, why: str) -> None:
            text = f"{why}\n".encode()
            self.close_connection = True  # what has not been read is no next request
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.send_header("Connection", "close")
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _forward

    try:
        server = ThreadingHTTPServer((LOOPBACK, port), Handler)
    except OSError as error:
        raise UsageError(f"Port {port} on {LOOPBACK}: {error.strerror}.", "Take another: --port PORT") from None
    server.daemon_threads = True
    on_ready(f"http://{LOOPBACK}:{server.server_address[1]}")
    try:
        server.serve_forever()
    finally:
        server.server_close()
