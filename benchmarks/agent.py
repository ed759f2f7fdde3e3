"""What an agent adds to its model: time of a plain chat and of one tool call, time to the first token, memory.

    python benchmarks/agent.py [ROUNDS]

Everything runs on this machine: the mock model, a rawpython tool server and an agent, each a process of its own.

On two cores, with Python 3.11 and at high priority (`nice -n -20`) beside other work, an agent added 0.9 ms to a plain
chat, 6 ms with one tool call (which is a second call of the model, and one of the tool) and 0.9 ms until the first
token, in 44 MB.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx

TOOLS = "def add(a: int, b: int) -> int:\n    return a + b\n"
PLAIN = "hello"
SUM = "what is 2 + 3?"


def start(module: list[str], **env: str) -> tuple[subprocess.Popen[bytes], str, float]:
    """The process, its URL, and the milliseconds until it answered."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "PYTHONPATH") if key in os.environ}
    began = time.perf_counter()
    command = [sys.executable, "-m", *module]
    process = subprocess.Popen(command, env=kept | {"PORT": str(port), "HOST": "127.0.0.1"} | env,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    while True:
        try:
            httpx.get(f"{url}/health")
            return process, url, (time.perf_counter() - began) * 1000
        except httpx.TransportError:
            time.sleep(0.01)


def resident_mb(process: subprocess.Popen[bytes]) -> float:
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return float("nan")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def whole(client: httpx.Client, url: str, model: str, words: str) -> float:
    body = {"model": model, "messages": [{"role": "user", "content": words}]}
    began = time.perf_counter()
    client.post(f"{url}/v1/chat/completions", json=body).raise_for_status()
    return (time.perf_counter() - began) * 1000


def first_token(client: httpx.Client, url: str, model: str, words: str) -> float:
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": words}]}
    began = time.perf_counter()
    with client.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: {") and any(
                choice["delta"].get("content") for choice in json.loads(line[6:])["choices"]
            ):
                return (time.perf_counter() - began) * 1000
    raise AssertionError("no token came")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    model, model_url, _ = start(["kaos.dataplane.model", "mock"])
    tools, tools_url, _ = start(["kaos_rawpython"], MCP_TOOLS_STRING=TOOLS)
    agent, agent_url, agent_ms = start(
        ["kaos.dataplane.agent"],
        AGENT_NAME="bench",
        MODEL_NAME="mock",
        MODEL_API_URL=model_url,
        MCP_SERVERS="tools",
        MCP_SERVER_TOOLS_URL=f"{tools_url}/mcp",
        MEMORY_ENABLED="false",
    )
    try:
        with httpx.Client(timeout=30) as client:
            for url, name in ((model_url, "mock"), (agent_url, "bench")):
                whole(client, url, name, SUM)
            rows = [
                ("plain chat", whole, PLAIN),
                ("one tool call", whole, SUM),
                ("first token", first_token, PLAIN),
            ]
            print(f"{rounds} rounds, medians in ms     model alone    agent    added")
            for title, measure, words in rows:
                bare, through = [], []
                for _ in range(rounds):
                    bare.append(measure(client, model_url, "mock", PLAIN if measure is first_token else words))
                    through.append(measure(client, agent_url, "bench", words))
                alone, agents = statistics.median(bare), statistics.median(through)
                print(f"{title:<28}{alone:>14.1f}{agents:>9.1f}{agents - alone:>9.1f}")
        print(f"agent: start {agent_ms:.0f} ms, {resident_mb(agent):.0f} MB; model: {resident_mb(model):.0f} MB")
    finally:
        for process in (agent, tools, model):
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
