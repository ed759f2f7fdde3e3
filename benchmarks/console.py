"""How quick the console is: first frame, rows, memory, idle, and keys while everything changes.

    python benchmarks/console.py [--servers 1000]

In a real pseudo-terminal of 120x36 against a local API server with that many MCPServers and no operator. Beside the
budgets stand the figures of k9s 0.50, measured the same way on 2 shared cores (30 pods; 5,000 for memory and idle).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kaos.actions.system import install_prerequisites
from kaos.api.names import MCPSERVERS
from kaos.cluster import Client, resolve
from tests.live import LiveCluster
from tests.tui.terminal import Terminal

KAOS = str(Path(sys.executable).with_name("kaos"))
IDLE_S = 10.0
KEYS = 60


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--servers", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, LiveCluster(Path(home) / "cluster") as cluster:
        env = {key: value for key, value in os.environ.items() if not key.startswith(("KAOS_", "KUBE", "XDG_"))}
        env |= {"HOME": home, "KUBECONFIG": str(cluster.kubeconfig)}
        client = Client(resolve(kubeconfig=str(cluster.kubeconfig)))
        install_prerequisites(client)
        print(f"{'':<44}{'THIS':>10}   {'BUDGET':<12}k9s")
        frames = [first_frame(env) for _ in range(5)]
        show("first frame, wall", f"{statistics.median(f[0] for f in frames) * 1000:.0f} ms", "300 ms", "240-300 ms")
        show("first frame, processor time", f"{statistics.median(f[1] for f in frames) * 1000:.0f} ms", "300 ms", "")
        for number in range(options.servers):
            client.create(MCPSERVERS, server(number), "default")
        with Terminal([KAOS, "tui", "mcp"], env) as terminal:
            rows = terminal.until("server-00000")
            show(f"rows of {options.servers}, wall", f"{rows * 1000:.0f} ms", "", "550 ms (30)")
            process = psutil.Process(terminal.process.pid)
            drained(terminal, 3)
            before = sum(process.cpu_times()[:2])
            drained(terminal, IDLE_S)
            idle = (sum(process.cpu_times()[:2]) - before) / IDLE_S
            show("idle, processor", f"{idle * 100:.1f} %", "1 %", "9 % (5,000)")
            show("memory", f"{process.memory_info().rss / 2**20:.0f} MB", "60 MB", "111-183 MB")
            stop = threading.Event()
            changer = threading.Thread(target=change, args=(client, stop))
            changer.start()
            drained(terminal, 1)
            before, began = sum(process.cpu_times()[:2]), time.monotonic()
            waits = sorted(key_latency(terminal) for _ in range(KEYS))
            busy = (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began)
            stop.set()
            changer.join()
            show("key to paint at 50 updates/s, p50", f"{waits[len(waits) // 2] * 1000:.0f} ms", "", "")
            show("key to paint at 50 updates/s, p95", f"{waits[int(len(waits) * 0.95)] * 1000:.0f} ms", "50 ms", "")
            show("processor at 50 updates/s and keys", f"{busy * 100:.1f} %", "", "")
            terminal.send("\x11")
            terminal.ended()
    return 0


def show(what: str, value: str, budget: str, peer: str) -> None:
    print(f"{what:<44}{value:>10}   {budget:<12}{peer}".rstrip(), flush=True)


def server(number: int) -> dict:
    return {
        "apiVersion": MCPSERVERS.api_version,
        "kind": MCPSERVERS.kind,
        "metadata": {"name": f"server-{number:05}", "namespace": "default"},
        "spec": {"runtime": "rawpython"},
    }


def first_frame(env: dict[str, str]) -> tuple[float, float]:
    with Terminal([KAOS, "tui"], env) as terminal:
        wall = terminal.until("MCPServers")
        cpu = sum(psutil.Process(terminal.process.pid).cpu_times()[:2])
        terminal.send("\x11")
        terminal.ended()
    return wall, cpu


def drained(terminal: Terminal, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        terminal.read(0.1)


def key_latency(terminal: Terminal) -> float:
    """From pressing `down` to the cursor on the next line; a pause between, so that updates are waiting as well."""
    drained(terminal, 0.05)
    began = time.monotonic()
    seen = len(terminal.output)
    terminal.send("\x1b[B")
    terminal.until("▸", since=seen)
    return time.monotonic() - began


def change(client: Client, stop: threading.Event) -> None:
    number = 0
    while not stop.wait(0.02):
        status = {"status": {"phase": "Ready" if number % 2 else "Pending", "toolCount": number}}
        client.patch(MCPSERVERS, f"server-{number % 30:05}", status, "default", subresource="status")
        number += 1


if __name__ == "__main__":
    sys.exit(main())
