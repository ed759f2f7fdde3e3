"""The commands around the servers: apply, secret, status, events, system, completion, on any place."""

from __future__ import annotations

import json

import pytest
import yaml

from kaos.api.names import MCPSERVERS
from tests.stories import is_ready, mcpserver, reason


@pytest.fixture
def calculator(kaos, namespace):
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=mcpserver("calculator")).ok()
    return "calculator"


def test_a_directory_of_manifests_becomes_a_working_server(kaos, namespace, tmp_path):
    code = "import os\ndef token() -> str:\n    return os.environ['TOKEN']\n"
    env = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "creds", "key": "token"}}}]
    (tmp_path / "a-server.yaml").write_text(mcpserver("needy", code, container={"env": env}))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "creds"}, "stringData": {"token": "s3cr3t"}}
    (tmp_path / "b-secret.yaml").write_text(yaml.safe_dump(secret))
    applied = kaos("apply", "-n", namespace, "-f", str(tmp_path), "--wait", "60").ok().stderr
    assert applied.index(f"Secret {namespace}/creds created") < applied.index(f"MCPServer {namespace}/needy created")
    assert "✓ MCPServer ready (1 tool)" in applied
    called = kaos("mcp", "invoke", "needy", "-n", namespace, "token").ok()
    assert called.stdout == '{"result": "s3cr3t"}\n'
    kaos("delete", "-n", namespace, "-f", str(tmp_path), "--yes").ok()
    assert kaos("mcp", "get", "needy", "-n", namespace).code == 3


def test_a_secret_is_used_by_reference(kaos, namespace):
    code = "import os\ndef token() -> str:\n    return os.environ['TOKEN']\n"
    kaos("secret", "create", "creds", "-n", namespace, "--from-stdin", "token", stdin="s3cr3t\n").ok()
    deploy = ["mcp", "deploy", "--name", "needy", "-n", namespace, "--runtime", "rawpython", "--params", code]
    kaos(*deploy, "--secret", "TOKEN=creds/token", "--wait", "60").ok()
    assert kaos("mcp", "invoke", "needy", "-n", namespace, "token").ok().stdout == '{"result": "s3cr3t"}\n'
    assert "creds" in kaos("secret", "list", "-n", namespace, "-o", "name").ok().stdout


def test_status_tells_what_is_broken_and_what_to_do(place, kaos, calculator, namespace):
    kaos("mcp", "deploy", "-n", namespace, "-f", "-", stdin=mcpserver("lost", runtime="nonsense")).ok()
    place.until(MCPSERVERS, "lost", namespace, lambda obj: reason(obj) == "RuntimeNotFound", 20)
    shown = kaos("status", "-n", namespace).ok().stdout
    assert "Operator:   running" in shown
    assert "1 ready, 1 failed" in shown
    assert f"{namespace}/lost" in shown
    assert "RuntimeNotFound" in shown
    assert f"kaos why mcp/lost -n {namespace}" in shown
    facts = json.loads(kaos("status", "-n", namespace, "-o", "json").ok().stdout)
    assert facts["counts"]["MCPServer"] == {"ready": 1, "failed": 1}


def test_events_show_what_led_to_ready(kaos, calculator, namespace):
    shown = kaos("events", "-n", namespace).ok().stdout
    assert "MCPServer/calculator" in shown
    assert "Ready" in shown


def test_the_system_is_ready_and_knows_its_runtimes(kaos):
    status = kaos("system", "status").ok().stdout
    assert "KAOS Operator Status:\n  Namespace:  kaos-system\n" in status
    assert "  Ready:      True\n" in status
    assert "  rawpython" in status
    runtimes = kaos("system", "runtimes").ok().stdout.splitlines()
    assert runtimes[0].split() == ["NAME", "TYPE", "DESCRIPTION", "SOURCE"]
    assert runtimes[1].split()[0] == "rawpython"
    assert runtimes[-1].split()[0] == "custom"
    assert "To begin with:" in kaos("system", "runtimes", "rawpython").ok().stdout
    one = yaml.safe_load(kaos("system", "runtimes", "rawpython", "-o", "yaml").ok().stdout)
    assert one["paramsEnvVar"] == "MCP_TOOLS_STRING"
    unknown = kaos("system", "runtimes", "rawpyton")
    assert unknown.code == 3
    assert "Did you mean rawpython?" in unknown.stderr


def test_names_of_servers_and_tools_are_completed(kaos, calculator, namespace):
    def complete(line):
        env = {"_KAOS_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
        return kaos(**env).ok().stdout.split()

    assert complete(f"kaos mcp get -n {namespace} calc") == ["plain,calculator"]
    assert complete(f"kaos mcp invoke -n {namespace} calculator ") == ["plain,add", "plain,subtract"]


def test_logs_of_an_earlier_life_are_kept(place, kaos, namespace):
    code = "import os, uuid\nLIFE = uuid.uuid4().hex\nprint('life', LIFE, flush=True)\n"
    code += "def life() -> str:\n    return LIFE\ndef die() -> None:\n    os._exit(3)\n"
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=mcpserver("mortal", code)).ok()
    first = json.loads(kaos("mcp", "invoke", "mortal", "-n", namespace, "life").ok().stdout)["result"]
    kaos("mcp", "invoke", "mortal", "-n", namespace, "die")
    place.until(MCPSERVERS, "mortal", namespace, lambda obj: not obj["status"]["ready"], 10)
    place.until(MCPSERVERS, "mortal", namespace, is_ready, 60)
    second = json.loads(kaos("mcp", "invoke", "mortal", "-n", namespace, "life").ok().stdout)["result"]
    now, before = (
        kaos("mcp", "logs", "mortal", "-n", namespace),
        kaos("mcp", "logs", "mortal", "-n", namespace, "--previous"),
    )
    assert f"life {second}" in now.ok().stdout
    assert f"life {first}" not in now.stdout
    assert f"life {first}" in before.ok().stdout
    assert f"life {second}" not in before.stdout


@pytest.fixture
def eve(place, namespace, tmp_path):
    """A kubeconfig of someone who may look at MCPServers here, and nothing else."""
    from kubernetes import client

    api = place.kubernetes()
    core, rbac = client.CoreV1Api(api), client.RbacAuthorizationV1Api(api)
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "eve"}})
    rule = {"apiGroups": ["kaos.tools"], "resources": ["mcpservers"], "verbs": ["get", "list", "watch"]}
    rbac.create_namespaced_role(namespace, {"metadata": {"name": "look"}, "rules": [rule]})
    rbac.create_namespaced_role_binding(
        namespace,
        {
            "metadata": {"name": "eve"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "look"},
            "subjects": [{"kind": "ServiceAccount", "name": "eve", "namespace": namespace}],
        },
    )
    token = core.create_namespaced_service_account_token("eve", namespace, {"spec": {}}).status.token
    config = yaml.safe_load(place.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    (tmp_path / "eve").write_text(yaml.safe_dump(config))
    return str(tmp_path / "eve")


@pytest.mark.only("cluster")
@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        (["suspend", "calculator"], 'cannot patch resource "mcpservers"'),
        (["delete", "calculator"], 'cannot delete resource "mcpservers"'),
        (["logs", "calculator"], 'cannot list resource "pods"'),
        (["restart", "calculator"], 'cannot get resource "deployments"'),
        (["invoke", "calculator", "add", "a=1", "b=2"], 'cannot create resource "services/proxy"'),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_missing_right_is_named(kaos, calculator, namespace, eve, arguments, right):
    refused = kaos("mcp", *arguments, "-n", namespace, "--kubeconfig", eve)
    assert refused.code == 4
    assert right in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.only("cluster")
def test_what_one_may_see_is_shown_though_the_rest_is_not(kaos, calculator, namespace, eve):
    described = kaos("mcp", "describe", "calculator", "-n", namespace, "--kubeconfig", eve).ok().stdout
    assert "subtract" in described
    assert "no right to list them" in described
    status = kaos("status", "-n", namespace, "--kubeconfig", eve).ok().stdout
    assert "MCPServers: 1 ready" in status
    assert "Agents:     no right to list them" in status
