"""A stdio server of the standard library alone, up in a hundredth of a second, one request after the other.

Its tool `echo` gives back what it is given; others misbehave. $BEHAVIOUR tells what it does instead of starting.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
import urllib.request

ONE_AT_A_TIME = threading.Lock()
WATCHED: set[str] = set()


def say(message: dict) -> None:
    with ONE_AT_A_TIME:
        sys.stdout.write(json.dumps(message, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def answer(number: object, text: str) -> None:
    say({"jsonrpc": "2.0", "id": number, "result": {"content": [{"type": "text", "text": text}]}})


def echo_later(text: str, number: object, token: object) -> None:
    """With progress, and out of order."""
    time.sleep(random.random() / 100)
    if token is not None:
        say({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "message": text}})
        time.sleep(random.random() / 100)
    answer(number, text)


def use(tool: str, arguments: dict, number: object, token: object) -> None:
    match tool:
        case "echo":
            answer(number, arguments["text"])
        case "later":
            threading.Thread(target=echo_later, args=(arguments["text"], number, token), daemon=True).start()
        case "shout":
            for _ in range(arguments["lines"]):
                sys.stderr.write("x" * 999 + "\n")
            answer(number, "shouted")
        case "raw":  # the request as it arrived, and an answer in an odd shape of its own
            line = json.dumps(LINE)
            sys.stdout.write(
                f' {{ "result" : {{"content":[], "line": {line}, "big":12345678901234567890123, "e":1.50e+3,'
                f'"odd":"\\u00e9\\ud800"}} ,"id":{json.dumps(number)}, "jsonrpc":"2.0"}} \r\n'
            )
            sys.stdout.flush()
        case "flood":
            for done in range(arguments["times"]):
                params = {"progressToken": token, "progress": done, "message": "x" * 1000}
                say({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
            answer(number, "flooded")
        case "die":
            sys.stderr.write("out of paper\n")
            sys.stderr.flush()
            os._exit(7)
        case "daemon":  # ends, and leaves one that holds its pipes and is out of its group
            if os.fork() == 0:
                os.setsid()
                time.sleep(5)
            os._exit(9)
        case "silent":  # lives on, and can answer nobody any more
            os.close(1)
            time.sleep(60)
        case "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            answer(number, "yes")
            while True:
                time.sleep(1)
        case "noise":
            print("debug: not a message")
            print('{"level":"info","msg":"nor is this"}')
            print("\ufeff{}")
            answer(number, "noisy")
        case "touch":
            if (uri := arguments["uri"]) in WATCHED:
                say({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}})
            answer(number, "touched")
        case "fetch":  # as any program does with the standard library
            try:
                with urllib.request.urlopen(arguments["url"], timeout=5) as page:
                    answer(number, page.read().decode())
            except OSError as error:
                answer(number, str(error))
        case "watched":
            answer(number, " ".join(sorted(WATCHED)))
        case "change":
            say({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
            answer(number, "changed")


match os.environ.get("BEHAVIOUR"):
    case "crash":
        sys.exit("no config file")
    case "slow":
        time.sleep(1)
    case "mute":
        time.sleep(3600)

for LINE in sys.stdin:
    message = json.loads(LINE)
    number, params = message.get("id"), message.get("params") or {}
    match message.get("method"):
        case "initialize":
            result = {
                "protocolVersion": params["protocolVersion"],
                "serverInfo": {"name": "plain", "version": "1"},
                "capabilities": {"tools": {"listChanged": True}, "resources": {"subscribe": True}},
            }
            say({"jsonrpc": "2.0", "id": number, "result": result})
        case "resources/subscribe":
            WATCHED.add(params["uri"])
            say({"jsonrpc": "2.0", "id": number, "result": {}})
        case "resources/unsubscribe":
            WATCHED.discard(params["uri"])
            say({"jsonrpc": "2.0", "id": number, "result": {}})
        case "tools/list":
            tools = [{"name": name, "inputSchema": {"type": "object"}} for name in ("echo", "die")]
            say({"jsonrpc": "2.0", "id": number, "result": {"tools": tools}})
        case "tools/call":
            use(params["name"], params.get("arguments", {}), number, params.get("_meta", {}).get("progressToken"))
