"""The bench of each test, on a local cluster of the module's own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from kaos.actions.system import install_prerequisites
from kaos.cluster import Client, resolve
from kaos.cluster.aio import AsyncClient
from tests.conftest import KAOS_IMAGE
from tests.live import LiveCluster
from tests.torture.bench import TINY, Bench
from tests.torture.faults import Proxy


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster | None]:
    """The local cluster of the module; None where the tests run on the one that KUBECONFIG names."""
    if request.config.getoption("--place") == "cluster":
        install_prerequisites(Client(resolve(kubeconfig=os.environ["KUBECONFIG"])))
        yield None
        return
    commands = {"example.org/tiny-mcp": [sys.executable, "-S", str(TINY)]}
    with LiveCluster(tmp_path_factory.mktemp("cluster"), TEST_IMAGE_COMMANDS=json.dumps(commands)) as live:
        install_prerequisites(Client(resolve(kubeconfig=str(live.kubeconfig))))
        yield live


@pytest.fixture
async def bench(cluster: LiveCluster | None, tmp_path: Path) -> AsyncIterator[Bench]:
    kubeconfig = cluster.kubeconfig if cluster else Path(os.environ["KUBECONFIG"])
    async with AsyncClient(resolve(kubeconfig=str(kubeconfig))) as client, Proxy(kubeconfig) as proxy:
        made = Bench(client, proxy, tmp_path, image=None if cluster else KAOS_IMAGE)
        yield made
        await made.clear()
        assert not made.tracebacks()
