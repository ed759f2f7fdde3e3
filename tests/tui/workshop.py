"""A server with something of everything (tests/workshop_server.py), deployed as a runtime of a registry of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest
import yaml

from kaos.api.names import MCPSERVERS
from kaos.cluster import Client, resolve
from kaos.kube.resources import CONFIGMAPS
from tests.conftest import ROOT, Place
from tests.stories import is_ready, mcpserver

NAMESPACE = "workshop"


@pytest.fixture(scope="module")
def workshop(place: Place) -> Iterator[str]:
    """The namespace that holds it."""
    entry = {
        "type": "python", "image": "example.org/workshop:1",
        "local": {"command": [sys.executable, str(ROOT / "tests/workshop_server.py")]},
    }  # fmt: skip
    registry = {
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "workshop", "namespace": "kaos-system", "labels": {"kaos.tools/mcp-runtimes": "true"}},
        "data": {"runtimes.yaml": json.dumps({"runtimes": {"workshop": entry}})},
    }  # fmt: skip
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    client = Client(resolve(kubeconfig=str(place.kubeconfig)))
    place.run("apply", "-f", "-", stdin=yaml.safe_dump_all([namespace, registry])).ok()
    try:
        place.run("apply", "-n", NAMESPACE, "-f", "-", stdin=mcpserver("workshop", None, runtime="workshop")).ok()
        place.until(MCPSERVERS, "workshop", NAMESPACE, is_ready, 60)
        yield NAMESPACE
    finally:  # whatever went wrong here, other files see the registry as it was
        place.run("mcp", "delete", "workshop", "-n", NAMESPACE, "--yes")
        client.delete(CONFIGMAPS, "workshop", "kaos-system")
