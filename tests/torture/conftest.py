"""The bench of each test, on a local cluster of the module's own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from kaos.actions.system import install_prerequisites
from kaos.cluster import Client, resolve
from kaos.cluster.aio import AsyncClient
from tests.live import LiveCluster
from tests.torture.bench import Bench
from tests.torture.faults import Proxy

TINY = Path(__file__).with_name("tiny_mcp.py")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    commands = {"example.org/tiny-mcp": ["python", "-S", "-c", TINY.read_text()]}
    with LiveCluster(tmp_path_factory.mktemp("cluster"), TEST_IMAGE_COMMANDS=json.dumps(commands)) as live:
        install_prerequisites(Client(resolve(kubeconfig=str(live.kubeconfig))))
        yield live


@pytest.fixture
async def bench(cluster: LiveCluster, tmp_path: Path) -> AsyncIterator[Bench]:
    async with (
        AsyncClient(resolve(kubeconfig=str(cluster.kubeconfig))) as client,
        Proxy(cluster.kubeconfig) as proxy,
    ):
        made = Bench(client, proxy, tmp_path)
        yield made
        await made.clear()
        await made.forget_lead()
        assert not made.tracebacks()
