"""`spec.tools` and `spec.remote`: what of a server is left, for everybody, and a server that runs elsewhere."""

from __future__ import annotations

import base64
import json
import os

import pytest
import yaml

from tests.stories import CALCULATOR, mcpserver


@pytest.fixture(scope="module")
def namespace(place):
    name = f"filtered-{os.getpid()}"
    manifest = f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n"
    place.run("apply", "-f", "-", stdin=manifest).ok()
    yield name
    place.run("delete", "--yes", "-f", "-", stdin=manifest)


@pytest.fixture(scope="module")
def filtered(place, namespace):
    text = mcpserver("filtered", CALCULATOR, tools={"allow": ["*"], "deny": ["sub*"]})
    place.run("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=text).ok()
    return "filtered"


def five(kaos, namespace, name):
    called = kaos("mcp", "invoke", name, "-n", namespace, "add", "a=2", "b=3").ok()
    return json.loads(called.stdout) == {"result": 5}


def test_a_filtered_tool_is_not_shown_and_cannot_be_called(place, kaos, namespace, filtered):
    status = place.object("mcp", filtered, namespace)["status"]
    assert ([tool["name"] for tool in status["tools"]], status["toolCount"]) == (["add"], 1)
    assert json.loads(kaos("mcp", "invoke", filtered, "-n", namespace, "add", "a=2", "b=3").ok().stdout) == {
        "result": 5
    }
    refused = kaos("mcp", "invoke", filtered, "-n", namespace, "subtract", "--args", '{"a": 2, "b": 3}')
    assert refused.code != 0
    described = kaos("mcp", "describe", filtered, "-n", namespace).ok().stdout
    assert "allow *; deny sub*" in described


def test_a_server_elsewhere_is_one_of_ours(place, kaos, namespace, filtered):
    """Here elsewhere is another Service of the cluster, or its address on this machine."""
    if place.name == "cluster":
        url = f"http://mcpserver-{filtered}.{namespace}.svc:8000/mcp"
    else:
        url = address_of(place, namespace, filtered)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"},
              "data": {"token": base64.b64encode(b"Bearer top-secret").decode()}}  # fmt: skip
    kaos("apply", "-f", "-", "-n", namespace, stdin=yaml.safe_dump(secret)).ok()
    header = {"name": "Authorization", "secretKeyRef": {"name": "keys", "key": "token"}}
    spec = {"remote": {"url": url, "headersFrom": [header]}, "tools": {"allow": ["add"]}}
    manifest = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": "away"}, "spec": spec}
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=yaml.safe_dump(manifest)).ok()
    assert five(kaos, namespace, "away")
    described = kaos("mcp", "describe", "away", "-n", namespace).ok().stdout
    assert f"{url}, with Authorization from token of Secret keys" in described
    everything = kaos("mcp", "get", "away", "-n", namespace, "-o", "yaml").ok().stdout
    everything += described + kaos("mcp", "logs", "away", "-n", namespace).ok().stdout
    assert "top-secret" not in everything


def address_of(place, namespace, name):
    from kaos.cluster import Client, resolve
    from kaos.kube.resources import SERVICES

    service = Client(resolve(kubeconfig=str(place.kubeconfig))).get(SERVICES, f"mcpserver-{name}", namespace)
    return f"http://{service['metadata']['annotations']['local.kaos.tools/address.8000']}/mcp"
