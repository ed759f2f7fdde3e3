"""An MCP server of the standard library alone, up in a tenth of a second; $BEHAVIOUR tells how it behaves."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BEHAVIOUR = os.environ.get("BEHAVIOUR", "good")
TOOLS = [{"name": name, "description": f"Does {name}.", "inputSchema": {"type": "object"}} for name in ("add", "sub")]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if BEHAVIOUR == "hang":
            time.sleep(3600)
        match message.get("method"):
            case "initialize":
                info = {"name": "tiny", "version": "1"}
                result = {"protocolVersion": "2025-11-25", "serverInfo": info, "capabilities": {"tools": {}}}
                self._answer(200, {"jsonrpc": "2.0", "id": message["id"], "result": result})
            case "tools/list":
                self._answer(200, {"jsonrpc": "2.0", "id": message["id"], "result": {"tools": TOOLS}})
            case "notifications/initialized":
                self._answer(202, None)
            case _:
                error = {"code": -32601, "message": "Method not found"}
                self._answer(404, {"jsonrpc": "2.0", "id": message.get("id"), "error": error})

    def do_DELETE(self) -> None:
        self._answer(204, None)

    def _answer(self, status: int, message: dict | None) -> None:
        body = json.dumps(message).encode() if message else b""
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # as the first process of a container nobody else would
if BEHAVIOUR == "crash":
    sys.exit("told to crash")
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
