"""A live local cluster without an operator, for what talks to an API server: nothing changes behind a test's back."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from kaos.actions.system import install_prerequisites
from kaos.cluster import Client, resolve
from kaos.kube.resources import NAMESPACES
from tests.live import LiveCluster

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """The cluster, with what KAOS's operator would need."""
    with LiveCluster(tmp_path_factory.mktemp("live")) as cluster:
        install_prerequisites(Client(resolve(kubeconfig=str(cluster.kubeconfig))))
        yield cluster


@pytest.fixture
def client(live: LiveCluster, room: str) -> Client:
    """The blocking client, whose default namespace is the test's own."""
    return Client(resolve(kubeconfig=str(live.kubeconfig), namespace=room))


@pytest.fixture
def room(live: LiveCluster) -> str:
    """A namespace of the test's own."""
    name = f"room-{next(_numbers)}"
    Client(resolve(kubeconfig=str(live.kubeconfig))).create(NAMESPACES, {"metadata": {"name": name}})
    return name
