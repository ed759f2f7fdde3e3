"""An address on this machine for something in the cluster: a small HTTP server that forwards through the API server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from kaos.actions.kinds import Kind
from kaos.api.names import SERVICE_PORT
from kaos.cluster import Client
from kaos.cluster.connection import Connection
from kaos.cluster.requests import service_proxy_path
from kaos.errors import KaosError, UsageError

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# Of this hop, or ours to say; credentials of callers are not for the cluster.
_NOT_FORWARDED = {"host", "authorization", "connection", "content-length", "transfer-encoding", "accept-encoding"}
_NOT_BACK = {"connection", "transfer-encoding", "content-length", "server", "date"}


def serve(
    connection: Connection, kind: Kind, name: str, namespace: str, port: int, on_ready: Callable[[str], None]
) -> None:
    """Forward until interrupted. Raises UsageError when the port is taken."""
    base = service_proxy_path(namespace, kind.child(name), SERVICE_PORT, "")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """A line a request would only be in the way."""

        def _forward(self) -> None:
            if not _is_local(self.headers.get("Host", ""), self.headers.get("Origin")):
                self._refuse(403, "this address answers to this machine only")
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
            headers = {key: value for key, value in self.headers.items() if key.lower() not in _NOT_FORWARDED}
            headers["X-KAOS-Base-URL"] = f"http://127.0.0.1:{self.server.server_address[1]}/"
            try:
                answer = Client(connection).request(
                    self.command, base + self.path, body, headers, timeout_s=None, check=False
                )
            except KaosError as error:
                self._refuse(502, error.cause)
                return
            try:
                self.send_response(answer.status)
                for key, value in answer.headers.items():
                    if key not in _NOT_BACK:
                        self.send_header(key, value)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in answer.chunks():
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")
            except (KaosError, OSError):
                self.close_connection = True  # a cut answer must look cut
            finally:
                answer.close()

        def _refuse(self, code: int, why: str) -> None:
            text = f"{why}\n".encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _forward

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        raise UsageError(f"Port {port} on 127.0.0.1: {error.strerror}.", "Take another: --port PORT") from None
    server.daemon_threads = True
    on_ready(f"http://127.0.0.1:{server.server_address[1]}")
    try:
        server.serve_forever()
    finally:
        server.server_close()


def _is_local(host: str, origin: str | None) -> bool:
    names = [urlsplit(f"//{host}").hostname, *([urlsplit(origin).hostname] if origin else [])]
    return all(name in _LOOPBACK for name in names)
