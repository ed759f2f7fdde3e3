"""A live local cluster without an operator, for what talks to an API server: nothing changes behind a test's back.

Each file has one of its own (it is up in half a second), so that no file depends on what another made or removed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kaos.actions.system import install_prerequisites
from kaos.api.names import SYSTEM_NAMESPACE
from kaos.cluster import Client, resolve
from kaos.kube.resources import LEASES, NAMESPACES
from tests.live import LiveCluster

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
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


@pytest.fixture
def hold_lease(client: Client) -> Iterator[Callable[..., None]]:
    """Makes a Lease in the system namespace, as an operator would; whatever was there before is gone."""
    made = set()

    def hold(name: str = "kaos-operator", annotations: dict[str, str] | None = None, **spec: Any) -> None:
        if client.find(LEASES, name, SYSTEM_NAMESPACE):
            client.delete(LEASES, name, SYSTEM_NAMESPACE)
        body = {"metadata": {"name": name, "annotations": annotations or {}},
                "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15} | spec}  # fmt: skip
        client.create(LEASES, body, SYSTEM_NAMESPACE)
        made.add(name)

    yield hold
    for name in made:
        client.delete(LEASES, name, SYSTEM_NAMESPACE)
