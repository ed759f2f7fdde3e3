"""How fast the local API server is: start, creations, reads, a list of a thousand custom objects, watches.

python benchmarks/local_api.py [--objects 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.live import LiveCluster  # noqa: E402

WIDGETS = "/apis/parity.example.com/v1/namespaces/default/widgets"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


def widget(name: str) -> dict:
    identity = {"apiVersion": "parity.example.com/v1", "kind": "Widget"}
    spec = {"size": "small", "tags": ["a", "b"], "parts": [{"name": "p", "count": 2}], "minimum": 1, "maximum": 5}
    return {**identity, "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def config_map(name: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": "value"}}


def timed(work: Callable[[], object], times: int = 1) -> float:
    """The least seconds of so many times."""
    found = []
    for _ in range(times):
        before = time.perf_counter()
        work()
        found.append(time.perf_counter() - before)
    return min(found)


def watch_fan_out(http: httpx.Client, watchers: int, changes: int) -> float:
    """Seconds until every watcher has seen every change."""
    headers, trust, base = http.headers, http._transport._pool._ssl_context, str(http.base_url)

    async def one(client: httpx.AsyncClient, started: asyncio.Event) -> None:
        query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "60"}
        seen = 0
        async with client.stream("GET", WIDGETS, params=query) as events:
            started.set()
            async for _ in events.aiter_lines():
                seen += 1
                if seen == changes:
                    return

    async def all_of_them() -> float:
        limits = httpx.Limits(max_connections=watchers + 5)
        async with httpx.AsyncClient(base_url=base, headers=headers, verify=trust, limits=limits, timeout=60) as client:
            started = [asyncio.Event() for _ in range(watchers)]
            watching = [asyncio.create_task(one(client, event)) for event in started]
            await asyncio.gather(*(event.wait() for event in started))
            before = time.perf_counter()
            for number in range(changes):
                patch = json.dumps({"metadata": {"annotations": {"n": str(number)}}})
                answer = await client.patch(
                    f"{WIDGETS}/w-0", content=patch, headers={"Content-Type": "application/merge-patch+json"}
                )
                answer.raise_for_status()
            await asyncio.gather(*watching)
            return time.perf_counter() - before

    version = http.get(WIDGETS, params={"limit": "1"}).json()["metadata"]["resourceVersion"]
    return asyncio.run(all_of_them())


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--objects", type=int, default=1000)
    count = arguments.parse_args().objects
    directory = Path(tempfile.mkdtemp()) / "local"
    cluster = LiveCluster(directory)
    print(f"start, empty                     {timed(cluster.start) * 1000:8.0f} ms")
    with cluster.http() as http:
        definition = yaml.safe_load((ROOT / "tests/parity/given/widgets.yaml").read_text())
        http.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", json=definition).raise_for_status()

        def create(path: str, make: Callable[[str], dict], prefix: str) -> None:
            for number in range(count):
                http.post(path, json=make(f"{prefix}-{number}")).raise_for_status()

        seconds = timed(lambda: create("/api/v1/namespaces/default/configmaps", config_map, "c"))
        print(f"create ConfigMaps, one client    {count / seconds:8.0f} /s")
        seconds = timed(lambda: create(WIDGETS, widget, "w"))
        print(f"create custom objects            {count / seconds:8.0f} /s")
        seconds = timed(lambda: [http.get(f"{WIDGETS}/w-{n}") for n in range(count)])
        print(f"get one                          {count / seconds:8.0f} /s")
        print(f"list {count:5}                       {timed(lambda: http.get(WIDGETS), 5) * 1000:8.1f} ms")
        print(
            f"list {count:5} as a table            {timed(lambda: http.get(WIDGETS, headers=TABLE), 5) * 1000:8.1f} ms"
        )
        seconds = watch_fan_out(http, 50, 100)
        print(f"100 changes seen by 50 watchers  {seconds * 1000:8.0f} ms")
        if shutil.which("kubectl"):
            command = ["kubectl", "--kubeconfig", str(cluster.kubeconfig), "get", "widgets"]
            shown = timed(lambda: subprocess.run(command, check=True, capture_output=True), 3)
            print(f"kubectl get of {count:5}             {shown * 1000:8.0f} ms")
    cluster.stop()
    print(f"start with {2 * count:5} objects         {timed(cluster.start) * 1000:8.0f} ms")
    cluster.stop()
    shutil.rmtree(directory.parent)


if __name__ == "__main__":
    main()
