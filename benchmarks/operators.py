"""What the operator costs with many MCPServers: time and processor time to make them so, memory, requests while idle.

    python benchmarks/operators.py [NUMBER ...]        default: 300 1000

The servers are suspended, so that no pods run: the figures are the operator's and, in brackets, the local API server's.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from kaos.actions.system import install_prerequisites  # noqa: E402
from kaos.api.names import MCPSERVERS  # noqa: E402
from kaos.cluster import Client, resolve  # noqa: E402
from kaos.cluster.aio import AsyncClient  # noqa: E402
from kaos.kube.resources import DEPLOYMENTS, NAMESPACES  # noqa: E402
from tests.live import LiveCluster  # noqa: E402
from tests.torture.faults import Proxy  # noqa: E402
from tests.torture.operators import Operator  # noqa: E402

NAMESPACE = "many"
EDITS = 30
IDLE_S = 30.0


class Meter:
    """Processor time of a process since it was last looked at."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._last = self._seconds()

    def _seconds(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system

    def spent(self) -> float:
        now = self._seconds()
        spent, self._last = now - self._last, now
        return spent

    @property
    def mebibytes(self) -> float:
        return self._process.memory_info().rss / 2**20


async def measure(number: int, directory: Path) -> None:
    with LiveCluster(directory / "cluster") as cluster:
        connection = resolve(kubeconfig=str(cluster.kubeconfig))
        install_prerequisites(Client(connection))
        async with AsyncClient(connection) as client, Proxy(cluster.kubeconfig) as proxy:
            await client.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
            await asyncio.gather(*(client.create(MCPSERVERS, server(n), NAMESPACE) for n in range(number)))
            print(f"\n{number} MCPServers")
            operator = Operator(cluster.kubeconfig, directory / "operator.log")
            await _cold(client, operator, Meter(cluster.pid), number)
            await _edits(client, number)
            await operator.stop()
            restarted = Operator(proxy.kubeconfig_for("restarted", directory), directory / "restarted.log")
            await _restart(client, proxy, restarted)
            await restarted.stop()


def server(number: int) -> dict[str, Any]:
    spec = {"runtime": "rawpython", "suspend": True, "params": "def add(a: int, b: int) -> int:\n    return a + b\n"}
    return {
        "apiVersion": MCPSERVERS.api_version,
        "kind": MCPSERVERS.kind,
        "metadata": {"name": f"server-{number}", "namespace": NAMESPACE},
        "spec": spec,
    }


async def _cold(client: AsyncClient, operator: Operator, api: Meter, number: int) -> None:
    """From nothing to all children and statuses."""
    began, meter = time.monotonic(), Meter(operator.pid)
    while len([one for one in await _statuses(client) if one.get("reason") == "Suspended"]) < number:  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    took = time.monotonic() - began
    line(
        "made so",
        f"{took:.1f} s",
        f"{1000 * meter.spent() / number:.1f} ms of CPU each",
        f"[{api.spent():.1f} s of CPU]",
    )
    line("memory", f"{meter.mebibytes:.0f} MiB")
    await asyncio.sleep(IDLE_S / 3)
    meter.spent()
    await asyncio.sleep(IDLE_S)
    line("idle", f"{100 * meter.spent() / IDLE_S:.1f} % of a core")


async def _statuses(client: AsyncClient) -> list[dict[str, Any]]:
    return [one.get("status") or {} for one in (await client.list(MCPSERVERS, NAMESPACE)).items]


async def _edits(client: AsyncClient, number: int) -> None:
    """From a change of one spec to the change of its child, while all others rest."""
    times = [await _edit(client, f"server-{n * number // EDITS}", f"x = {n}") for n in range(EDITS)]
    line("one edit", f"{1000 * statistics.median(times):.0f} ms", f"the slowest {1000 * max(times):.0f} ms")


async def _edit(client: AsyncClient, name: str, params: str) -> float:
    began = time.monotonic()
    await client.patch(MCPSERVERS, name, {"spec": {"params": params}}, NAMESPACE)
    while params not in json.dumps(await client.get(DEPLOYMENTS, f"mcpserver-{name}", NAMESPACE)):  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    return time.monotonic() - began


async def _restart(client: AsyncClient, proxy: Proxy, operator: Operator) -> None:
    """Until the first edit after a restart is made so, and what is written and asked for after that."""
    began, meter = time.monotonic(), Meter(operator.pid)
    await _edit(client, "server-0", "x = 'restarted'")
    line(
        "restart", f"{time.monotonic() - began:.1f} s until the first edit is made so", f"{meter.spent():.1f} s of CPU"
    )
    await asyncio.sleep(5)
    others = [call for call in proxy.writes() if not call.path.rpartition("-")[2].startswith("0")]
    line("written", f"{len(others)} writes to servers that had not changed", f"memory {meter.mebibytes:.0f} MiB")
    before = len(proxy.calls)
    await asyncio.sleep(IDLE_S)
    line("idle", f"{(len(proxy.calls) - before) / IDLE_S:.2f} requests/s")


def line(what: str, *figures: str) -> None:
    print(f"  {what:<10}{', '.join(figures)}", flush=True)


def main() -> None:
    for number in [int(word) for word in sys.argv[1:]] or [300, 1000]:
        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(measure(number, Path(directory)))


if __name__ == "__main__":
    main()
