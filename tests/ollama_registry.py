"""A registry that Ollama pulls models from, over an Ollama's directory. For images too: it imports nothing of ours.

python ollama_registry.py MODELS PORT BYTES_PER_S
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def server(models: Path, port: int, bytes_per_s: int) -> ThreadingHTTPServer:
    """Blobs are answered with a redirect, as Ollama wants it. `bytes_per_s` slows them down; 0 does not."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            if "/manifests/" in self.path:
                (manifest,) = [path for path in models.glob("manifests/**/latest")]
                told = json.loads(manifest.read_text())
                for layer in told["layers"]:
                    layer.pop("from", None)
                self._send(json.dumps(told).encode(), body)
            elif "/v2/" in self.path:
                self.send_response(307)
                # To another host name: only such a redirect does Ollama take for the blob's own address.
                port, digest = self.server.server_address[1], self.path.rpartition("/")[2]
                self.send_header("Location", f"http://localhost:{port}/raw/{digest}")
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                digest = self.path.rpartition("/")[2].replace(":", "-")
                self._send((models / "blobs" / digest).read_bytes(), body)

        def _send(self, data: bytes, body: bool) -> None:
            asked = self.headers.get("Range")
            first, last = 0, len(data) - 1
            if asked:
                start, _, end = asked.removeprefix("bytes=").partition("-")
                first, last = int(start), int(end or last)
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(last - first + 1))
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
            self.end_headers()
            if not body:
                return
            step = max(bytes_per_s // 10, 1) if bytes_per_s else len(data)
            for position in range(first, last + 1, step):
                self.wfile.write(data[position : min(position + step, last + 1)])
                if bytes_per_s:
                    time.sleep(0.1)  # a slow network is what is being played

    made = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    made.daemon_threads = True
    return made


@contextmanager
def registry(models: Path, bytes_per_s: int = 0) -> Iterator[str]:
    """Serve the models beside the test; yields `127.0.0.1:PORT`."""
    running = server(models, 0, bytes_per_s)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{running.server_address[1]}"
    finally:
        running.shutdown()
        running.server_close()


if __name__ == "__main__":
    server(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])).serve_forever()
