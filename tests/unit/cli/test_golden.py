"""Outputs that the design proposal shows (sections 6.2 and 6.3), character for character."""

from __future__ import annotations

import pytest
import yaml

from kaos.api.names import REGISTRY_CONFIGMAP, SYSTEM_NAMESPACE
from kaos.kube import times
from kaos.kube.resources import CONFIGMAPS, CUSTOMRESOURCEDEFINITIONS, DEPLOYMENTS, NAMESPACES, Resource

RUNTIMES = {
    "rawpython": ("python", "Execute Python code strings as MCP tools", "Built-in"),
    "kubernetes": ("go", "Kubernetes API operations", "containers/kubernetes-mcp-server"),
    "slack": ("nodejs", "Slack messaging integration", "zencoderai/slack-mcp-server"),
    "discord": ("python", "Discord messaging integration", "hanweg/mcp-discord"),
    "fetch": ("python", "Web content fetching", "modelcontextprotocol/servers"),
}

RUNTIMES_TABLE = """\
NAME         TYPE      DESCRIPTION                                              SOURCE
rawpython    python    Execute Python code strings as MCP tools                 Built-in
kubernetes   go        Kubernetes API operations                                containers/kubernetes-mcp-server
slack        nodejs    Slack messaging integration                              zencoderai/slack-mcp-server
discord      python    Discord messaging integration                            hanweg/mcp-discord
fetch        python    Web content fetching                                     modelcontextprotocol/servers
custom       -         User-provided container image                            -
"""

SYSTEM_STATUS = """\
KAOS Operator Status:
  Namespace:  kaos-system
  Version:    v0.2.0
  Ready:      True
  Pods:       1/1

Available Runtimes:
  rawpython   - Execute Python code strings as MCP tools
  kubernetes  - Kubernetes API operations
  slack       - Slack messaging integration
  discord     - Discord messaging integration
  fetch       - Web content fetching

Gateway API: Enabled
  Gateway: kaos-gateway (kaos-system)
"""


@pytest.fixture
def proposed_registry(client):
    """The registry that the proposal's outputs show."""
    before = client.get(CONFIGMAPS, REGISTRY_CONFIGMAP, SYSTEM_NAMESPACE)["data"]
    entries = {
        name: {"type": kind, "image": f"example.org/{name}:1", "description": description, "source": source}
        for name, (kind, description, source) in RUNTIMES.items()
    }
    text = yaml.safe_dump({"runtimes": entries}, sort_keys=False)
    client.patch(CONFIGMAPS, REGISTRY_CONFIGMAP, {"data": {"runtimes.yaml": text}}, SYSTEM_NAMESPACE)
    yield
    client.patch(CONFIGMAPS, REGISTRY_CONFIGMAP, {"data": before}, SYSTEM_NAMESPACE)


@pytest.fixture
def operator_in_the_cluster(client, hold_lease):
    """An operator as its chart would run it: Deployment, Lease and Gateway."""
    labels = {"app": "operator"}
    client.create(
        DEPLOYMENTS,
        {
            "metadata": {"name": "kaos-operator", "labels": {"app.kubernetes.io/version": "v0.2.0"}},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {
                        "labels": labels,
                        "annotations": {"local.kaos.tools/command.a": '["/bin/sleep", "600"]'},
                    },
                    "spec": {
                        "terminationGracePeriodSeconds": 1,
                        "containers": [{"name": "a", "image": "example.org/a:1"}],
                    },
                },
            },
        },
        SYSTEM_NAMESPACE,
    )
    hold_lease(holderIdentity="kaos-operator-1", leaseDurationSeconds=60, renewTime=times.micro_now())
    gateways = Resource("gateway.networking.k8s.io", "v1", "gateways", "Gateway")
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    crd = "gateways.gateway.networking.k8s.io"
    client.create(
        CUSTOMRESOURCEDEFINITIONS,
        {
            "metadata": {"name": crd, "annotations": {"api-approved.kubernetes.io": "https://example.org"}},
            "spec": {
                "group": gateways.group,
                "scope": "Namespaced",
                "names": {"plural": "gateways", "singular": "gateway", "kind": "Gateway", "listKind": "GatewayList"},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
            },
        },
    )
    from kaos.actions.system import await_established
    from kaos.cluster import wait

    await_established(client, crd)
    gateway = {"apiVersion": gateways.api_version, "kind": "Gateway", "metadata": {"name": "kaos-gateway"}}
    client.create(gateways, gateway, SYSTEM_NAMESPACE)
    wait.until(
        client, DEPLOYMENTS, "kaos-operator", SYSTEM_NAMESPACE,
        lambda obj: (obj.get("status") or {}).get("readyReplicas") == 1, 20,
    )  # fmt: skip
    yield
    client.delete(DEPLOYMENTS, "kaos-operator", SYSTEM_NAMESPACE)
    client.delete(CUSTOMRESOURCEDEFINITIONS, crd)


def test_the_list_of_runtimes(kaos, proposed_registry):
    shown = kaos("system", "runtimes").ok()
    assert shown.stdout == RUNTIMES_TABLE
    assert shown.stderr == ""


def test_the_status_of_the_system(kaos, proposed_registry, operator_in_the_cluster):
    shown = kaos("system", "status").ok()
    assert shown.stdout == SYSTEM_STATUS
    assert shown.stderr == ""


def test_the_status_without_an_operator_says_how_to_run_one(kaos):
    shown = kaos("system", "status").ok()
    assert "  Ready:      False\n" in shown.stdout
    assert "Gateway API: Disabled\n" in shown.stdout
    assert "kaos operator run" in shown.stderr


@pytest.mark.parametrize(
    "flags", [["--image", "docker.io/myuser/my-tools:v1.0.0"], ["--runtime", "kubernetes"]], ids=["image", "runtime"]
)
def test_a_deployment(kaos, client, flags):
    client.create(NAMESPACES, {"metadata": {"name": f"agents-{flags[0][2:]}"}})
    namespace = f"agents-{flags[0][2:]}"
    deployed = kaos("mcp", "deploy", "--name", "my-tools", "--namespace", namespace, *flags).ok()
    assert f"Deploying MCPServer {namespace}/my-tools...\n✓ MCPServer created\n" in deployed.stderr
    assert deployed.stdout == ""


def test_installing_without_the_operator(kaos):
    installed = kaos("system", "install", "--no-operator").ok()
    assert "✓ CRDs installed\n✓ Runtime registry created\n" in installed.stderr
