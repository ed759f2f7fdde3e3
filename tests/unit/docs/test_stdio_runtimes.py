"""Every stdio runtime of the registry has an example in its page that the CRD takes and the operator runs."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from kaos.api import registry
from kaos.api.mcpserver import MCPServer
from kaos.operator.decide.mcpserver import decide
from tests.conftest import ROOT
from tests.unit.operator.worlds import registry_of, world

Object = dict[str, Any]

RUNTIMES = registry.parse(registry.builtin_text())[0]
STDIO = [name for name, one in RUNTIMES.items() if one.transport == "stdio"]
PAGE = (ROOT / "docs/operator/mcpserver/stdio-runtimes.md").read_text()
EXAMPLES = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def example_of(runtime: str) -> Object:
    (found,) = [one for one in EXAMPLES if one["spec"]["runtime"] == runtime]
    return found


@pytest.mark.parametrize("runtime", [*STDIO, "package"])
def test_its_example_runs_behind_the_bridge(runtime: str) -> None:
    manifest = example_of(runtime)
    MCPServer.model_validate(manifest)
    manifest["metadata"] |= {"namespace": "apps", "uid": "u", "generation": 1}
    manifest["spec"].setdefault("replicas", 1)
    decision = decide(manifest, world(registry=registry_of(registry.builtin_text())))
    assert decision.status["reason"] == "RolloutInProgress", decision.status["message"]
    pod = decision.children[0].object["spec"]["template"]["spec"]
    assert [one["name"] for one in pod["containers"]] == ["mcp-server", "bridge"]


@pytest.mark.parametrize("runtime", STDIO)
def test_its_version_is_pinned_and_the_same_on_a_laptop(runtime: str) -> None:
    entry = RUNTIMES[runtime]
    where, _, what = entry.package.partition(":")
    assert re.fullmatch(r"(@[a-z]+/)?[a-z-]+(==|@)\d+(\.\d+)+", what)
    assert entry.local_command[0] == {"pypi": "uvx", "npm": "npx"}[where]
    assert entry.local_command[-1] == what
    assert entry.docs.endswith("/docs/operator/mcpserver/stdio-runtimes.md")


@pytest.mark.parametrize("runtime", [name for name in STDIO if RUNTIMES[name].requiredEnv])
def test_what_it_needs_is_said_before_anything_starts(runtime: str) -> None:
    manifest = example_of(runtime)
    manifest["metadata"] |= {"namespace": "apps", "uid": "u", "generation": 1}
    del manifest["spec"]["container"]
    decision = decide(manifest, world(registry=registry_of(registry.builtin_text())))
    assert decision.status["reason"] == "RequiredEnvMissing"
    assert decision.children is None
    for name in RUNTIMES[runtime].requiredEnv:
        assert f"--secret {name}=SECRET/KEY" in decision.status["message"]
