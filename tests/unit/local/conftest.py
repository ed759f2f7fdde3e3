"""What the tests of the local cluster share: a machinery in the process, and a live cluster beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from kaos.kube.resources import CUSTOMRESOURCEDEFINITIONS, NAMESPACES
from kaos.local.machinery import Machinery
from kaos.local.store import Store
from tests.live import LiveCluster
from tests.unit.local.kube import Kube

WIDGETS = Path(__file__).parents[2] / "parity/given/widgets.yaml"


@pytest.fixture
def machinery(tmp_path: Path) -> Iterator[Machinery]:
    """The API without HTTP, controllers and node, on an empty store with the namespace `default`."""
    store = Store(tmp_path / "state.db")
    made = Machinery(store)
    made.create(NAMESPACES, {"metadata": {"name": "default"}})
    yield made
    store.close()


@pytest.fixture
def widgets(machinery: Machinery) -> Machinery:
    """The machinery with the parity suite's Widget."""
    machinery.create(CUSTOMRESOURCEDEFINITIONS, yaml.safe_load(WIDGETS.read_text()))
    return machinery


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """One live cluster for the tests of a file that do not hurt it; each takes a namespace of its own."""
    hidden = {"A_SECRET_OF_THE_TESTER": "x", "DOCKER_HOST": "unix:///no/such/socket"}
    with LiveCluster(tmp_path_factory.mktemp("live") / "local", **hidden) as cluster:
        with cluster.http() as http:
            made = http.post(CUSTOMRESOURCEDEFINITIONS.path(), json=yaml.safe_load(WIDGETS.read_text()))
            made.raise_for_status()
        yield cluster


@pytest.fixture(scope="module")
def http(live: LiveCluster) -> Iterator[httpx.Client]:
    with live.http() as client:
        yield client


@pytest.fixture
def kube(http: httpx.Client, request: pytest.FixtureRequest) -> Iterator[Kube]:
    """A namespace of the test's own on the live cluster."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:50].strip("-")
    http.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()
    yield Kube(http, name)
    http.delete(f"/api/v1/namespaces/{name}")
