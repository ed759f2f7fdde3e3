"""The async client of the live local cluster, for what the operator does with one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from kaos.cluster import resolve
from kaos.cluster.aio import AsyncClient
from tests.live import LiveCluster


@pytest.fixture
async def client(live: LiveCluster) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(resolve(kubeconfig=str(live.kubeconfig))) as made:
        yield made
