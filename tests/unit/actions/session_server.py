"""An MCP server of the eras with sessions, whose sessions live in this process alone; each tool misbehaves its own way.

Run as a program: listens on 127.0.0.1:$PORT, path /mcp.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SESSIONS: set[str] = set()
TOOLS = [
    {"name": "whoami", "inputSchema": {"type": "object", "properties": {}}},
    {
        "name": "add",
        "inputSchema": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
    {"name": "hang", "inputSchema": {"type": "object", "properties": {}}},
    {"name": "drip", "inputSchema": {"type": "object", "properties": {}}},
    {"name": "cut", "inputSchema": {"type": "object", "properties": {}}},
    {"name": "fail", "inputSchema": {"type": "object", "properties": {}}},
    {"name": "nonsense", "inputSchema": {"type": "object", "properties": {}}},
]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        session = self.headers.get("mcp-session-id")
        method = request["method"]
        if method == "server/discover":
            self.refuse_and_hang_up()
        elif method == "initialize":
            session = uuid.uuid4().hex
            SESSIONS.add(session)
            result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "old"}}
            self.answer(request, result=result, session=session)
        elif session not in SESSIONS:
            self.answer(request, error={"code": -32600, "message": "no session"}, status=404 if session else 400)
        elif "id" not in request:
            self.empty(202)
        elif method == "tools/list":
            self.answer(request, result={"tools": TOOLS})
        elif method == "tools/call":
            self.call(request, request["params"]["name"], request["params"].get("arguments", {}))
        else:
            self.answer(request, error={"code": -32601, "message": "Method not found"})

    def do_DELETE(self):
        SESSIONS.discard(self.headers.get("mcp-session-id"))
        self.empty(200)

    def call(self, request, tool, arguments):
        match tool:
            case "whoami":
                self.answer(request, result={"content": [], "structuredContent": {"sessions": len(SESSIONS)}})
            case "add" if {"a", "b"} <= set(arguments):
                total = arguments["a"] + arguments["b"]
                self.answer(request, result={"content": [{"type": "text", "text": str(total)}]})
            case "hang":
                time.sleep(600)
            case "drip":
                self.stream()
                while True:
                    self.wfile.write(b"4\r\n: .\n\r\n")
                    time.sleep(0.05)
            case "cut":
                self.stream()
                self.wfile.write(b'8\r\ndata: {"\r\n')
                self.connection.close()
            case "fail":
                self.answer(request, error={"code": -32000, "message": "the disk is full"})
            case "nonsense":
                self.answer(request, result=None, body=b"<html>not MCP</html>", media="text/html")
            case _:
                self.answer(request, error={"code": -32602, "message": f"Unknown tool or arguments: {tool}"})

    def stream(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def answer(self, request, result=None, error=None, session=None, status=200, body=None, media="application/json"):
        message = {"jsonrpc": "2.0", "id": request.get("id")} | ({"error": error} if error else {"result": result})
        body = body or json.dumps(message).encode()
        self.send_response(status)
        self.send_header("content-type", media)
        self.send_header("content-length", str(len(body)))
        if session:
            self.send_header("mcp-session-id", session)
        self.end_headers()
        self.wfile.write(body)

    def refuse_and_hang_up(self):
        """As one does that refuses before it has read: its answer is cut by the end of the connection."""
        self.send_response(400)
        self.send_header("content-type", "text/plain")
        self.send_header("content-length", "1000")
        self.end_headers()
        self.wfile.write(b"Bad Req")
        self.close_connection = True

    def empty(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
