"""Examples that a person can begin with: valid, and complete but for what only the person knows."""

from __future__ import annotations

import pytest

from kaos.actions.examples import facts, manifest, needs
from kaos.actions.kinds import MCPSERVER
from kaos.actions.system import runtimes
from kaos.api.mcpserver import MCPServerSpec
from kaos.api.registry import Runtime

RUNTIMES = [
    Runtime("plain", image="x:1"),
    Runtime("rawpython", image="x:1", paramsEnvVar="MCP_TOOLS_STRING"),
    Runtime("github", package="npm:github@1", requiredEnv=("GITHUB_TOKEN", "HOST"), transport="stdio"),
    Runtime("cluster", image="x:1", requiresServiceAccount=True),
    Runtime("custom", type="-"),
]


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda one: one.name)
def test_every_example_is_a_valid_server(runtime):
    MCPServerSpec.model_validate(manifest(runtime)["spec"])


def test_examples_of_the_registry_are_taken_by_the_api_server(client, room):
    for one in runtimes(client)[0]:
        assert client.create(MCPSERVER.resource, manifest(one), room, dry_run=True)["spec"]["runtime"] == one.name


def test_what_a_runtime_needs_comes_from_a_secret_that_its_command_makes():
    runtime = RUNTIMES[2]
    assert needs(runtime) == ["GITHUB_TOKEN, HOST: kaos secret create github github-token host"]
    first, second = manifest(runtime)["spec"]["container"]["env"]
    assert first["valueFrom"]["secretKeyRef"] == {"name": "github", "key": "github-token"}
    assert second["valueFrom"]["secretKeyRef"] == {"name": "github", "key": "host"}


def test_what_the_entry_does_not_say_is_left_out():
    assert facts(Runtime("plain", image="x:1")) == [
        ("Runtime", "plain"), ("Type", "other"), ("Image", "x:1"), ("Speaks", "HTTP at :8000/mcp"), ("Params", "none")
    ]  # fmt: skip


def test_a_server_that_acts_on_the_cluster_is_given_the_account_that_its_command_makes():
    runtime = RUNTIMES[3]
    assert needs(runtime) == ["a ServiceAccount with rights on the cluster: kaos system create-rbac --name my-cluster"]
    made = manifest(runtime)
    assert (made["metadata"]["name"], made["spec"]["serviceAccountName"]) == ("my-cluster", "mcpserver-my-cluster")
