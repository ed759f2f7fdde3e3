"""A tiny stdio MCP server, as somebody's program: one tool, one line on stderr, and a way to end."""

import json
import os
import sys

TOOL = {
    "name": "count",
    "description": "Count the calls of this process.",
    "inputSchema": {"type": "object", "properties": {"step": {"type": "integer"}}},
}


def main():
    if os.environ.get("CLOCK_KEY") is None:
        sys.exit("clock: CLOCK_KEY is not set")
    print("clock: at your service", file=sys.stderr, flush=True)
    total = 0
    for line in sys.stdin:
        message = json.loads(line)
        match message.get("method"):
            case "initialize":
                result = {
                    "protocolVersion": message["params"]["protocolVersion"],
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "clock", "version": "1"},
                }
            case "tools/list":
                result = {"tools": [TOOL]}
            case "tools/call":
                total += message["params"].get("arguments", {}).get("step", 1)
                result = {"content": [{"type": "text", "text": str(total)}], "structuredContent": {"result": total}}
            case _ if "id" not in message:
                continue
            case _:
                fault = {"code": -32601, "message": "there is no such method"}
                print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": fault}), flush=True)
                continue
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)


if __name__ == "__main__":
    main()
