"""Routes that an operator with a Gateway has made are gone once one without it has taken over."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import pytest

from kaos.actions.system import await_established, await_gone
from kaos.api.names import MCPSERVERS
from kaos.cluster import Client, resolve
from kaos.cluster.wait import until
from kaos.kube.resources import CUSTOMRESOURCEDEFINITIONS, HTTPROUTES, SERVICES
from kaos.operator.decide.world import Gateway, Settings
from kaos.operator.run import run
from tests.live import LiveCluster

SOON_S = 30


@pytest.fixture
def client(live: LiveCluster) -> Iterator[Client]:
    """Of a cluster that knows HTTPRoutes."""
    made = Client(resolve(kubeconfig=str(live.kubeconfig)))
    name = f"{HTTPROUTES.plural}.{HTTPROUTES.group}"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    spec = {
        "group": HTTPROUTES.group,
        "scope": "Namespaced",
        "names": {"plural": "httproutes", "singular": "httproute", "kind": "HTTPRoute", "listKind": "HTTPRouteList"},
        "versions": [{"name": HTTPROUTES.version, "served": True, "storage": True, "schema": schema}],
    }
    meta = {"name": name, "annotations": {"api-approved.kubernetes.io": "https://example.org"}}
    made.create(CUSTOMRESOURCEDEFINITIONS, {"metadata": meta, "spec": spec})
    await_established(made, name)
    yield made
    made.delete(CUSTOMRESOURCEDEFINITIONS, name)
    await_gone(made, CUSTOMRESOURCEDEFINITIONS, name, None, SOON_S)


@contextlib.contextmanager
def operator(client: Client, room: str, settings: Settings) -> Iterator[None]:
    stop, ready = threading.Event(), threading.Event()
    how = {"stop": stop, "ready": ready, "namespaces": (room,), "settings": settings}
    thread = threading.Thread(target=run, args=(client.connection,), kwargs=how, daemon=True)
    thread.start()
    try:
        assert ready.wait(SOON_S)
        yield
    finally:
        stop.set()
        thread.join(SOON_S)


def test_a_gateway_that_is_switched_off_takes_its_routes_along(client: Client, room: str) -> None:
    server = {"apiVersion": MCPSERVERS.api_version, "kind": "MCPServer", "metadata": {"name": "calc"}}
    client.create(MCPSERVERS, server | {"spec": {"runtime": "rawpython", "suspend": True}}, room)
    foreign = {"apiVersion": HTTPROUTES.api_version, "kind": "HTTPRoute", "metadata": {"name": "mcpserver-mine"}}
    client.create(HTTPROUTES, foreign, room)
    with operator(client, room, Settings(gateway=Gateway("front", "infra"))):
        until(client, HTTPROUTES, "mcpserver-calc", room, lambda route: route is not None, SOON_S)
    with operator(client, room, Settings()):
        await_gone(client, HTTPROUTES, "mcpserver-calc", room, SOON_S)
        assert client.find(SERVICES, "mcpserver-calc", room)
    assert client.find(HTTPROUTES, "mcpserver-mine", room)
