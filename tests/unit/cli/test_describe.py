"""`describe` of ModelAPIs and Agents: what matters of each, and no key."""

from __future__ import annotations

from typing import Any

import pytest

from kaos.actions.describe import Description, Use
from kaos.actions.health import Ref
from kaos.actions.kinds import AGENT, MODELAPI, Kind
from kaos.cli.describe import report
from kaos.cli.describe_what import what

SECRET = {"secretKeyRef": {"name": "openai", "key": "token"}}
CANARY = "sk-canary"


def proxy(**more: Any) -> dict[str, Any]:
    return {"type": "proxy", "proxyConfig": {"models": ["a"], **more}}


def agent(**config: Any) -> dict[str, Any]:
    return {"modelAPI": "llm", "model": "gpt", "config": config}


@pytest.mark.parametrize(
    ("kind", "spec", "name", "words"),
    [
        (MODELAPI, {"type": "mock"}, "Type", "mock: no model, deterministic answers"),
        (MODELAPI, {"mode": "Hosted", "hostedConfig": {"model": "q"}}, "Type", "hosted (Ollama)"),
        (MODELAPI, proxy(models=[f"m{n}" for n in range(12)]), "Asked to serve", "m8, m9 and 2 more"),
        (MODELAPI, proxy(), "Provider's key", "none"),
        (MODELAPI, proxy(apiKey={"valueFrom": SECRET}), "Provider's key", "token of Secret openai"),
        (MODELAPI, proxy(apiKey={"value": CANARY}), "Provider's key", "in the spec itself"),
        (MODELAPI, proxy(apiBase="http://x/v1"), "Provider's address", "http://x/v1"),
        (MODELAPI, proxy(configYaml={"fromString": "a: 1\nb: 2\n"}), "Configuration", "its own, 2 lines, 10 bytes"),
        (
            MODELAPI,
            proxy(configYaml={"fromSecretKeyRef": SECRET["secretKeyRef"]}),
            "Configuration",
            "checked in the pod",
        ),
        (MODELAPI, proxy(), "Its own key", "none: whoever reaches it may use it"),
        (
            MODELAPI,
            proxy() | {"container": {"env": [{"name": "LITELLM_MASTER_KEY", "valueFrom": SECRET}]}},
            "Its own key",
            "token of Secret openai",
        ),
        (
            MODELAPI,
            proxy() | {"container": {"env": [{"name": "LITELLM_MASTER_KEY", "value": CANARY}]}},
            "Its own key",
            "in the spec itself",
        ),
        (MODELAPI, {"type": "hosted", "hostedConfig": {"model": "q"}}, "Models kept", "until the pod ends"),
        (
            MODELAPI,
            {"type": "hosted", "hostedConfig": {"model": "q", "storage": {"size": "5Gi", "storageClassName": "fast"}}},
            "Models kept",
            "on a volume of 5Gi of class fast, kept when this is deleted",
        ),
        (MODELAPI, {"type": "mock", "mockConfig": {"responses": ["a", "b"]}}, "Answers", "2 scripted"),
        (AGENT, agent(), "Model", "gpt, of ModelAPI llm"),
        (AGENT, agent(reasoningLoopMaxSteps=3), "Steps", "at most 3 model calls"),
        (AGENT, agent(instructions="Be brief.\nBe kind."), "Instructions", "2 lines, 18 bytes"),
        (AGENT, agent(), "Memory", "the last 6 messages, 1000 sessions of 500 events, lost when the pod ends"),
        (AGENT, agent(memory={"enabled": False}), "Memory", "none"),
        (AGENT, agent(memory={"storage": {"retain": False}}), "Memory", "on a volume of 1Gi, deleted with this"),
        (AGENT, agent() | {"agentNetwork": {"expose": True}}, "Exposed", "to other agents and the Gateway"),
        (AGENT, agent(), "Exposed", "no"),
        (
            AGENT,
            agent() | {"toolFilters": [{"mcpServer": "calc", "allow": ["a", "b"], "deny": ["c"]}]},
            "Tools of calc",
            "allow a, b; deny c",
        ),
    ],
)
def test_what_it_is(kind: Kind, spec: dict[str, Any], name: str, words: str) -> None:
    told = dict(what({"spec": spec}, kind))
    assert words in told[name]
    assert CANARY not in str(told)


def test_what_it_uses_and_who_uses_it_has_a_state() -> None:
    obj = {"metadata": {"name": "helper", "namespace": "demo"}, "spec": agent(), "status": {"phase": "Ready"}}
    uses = (
        Use(Ref("ModelAPI", "demo", "llm"), "thinks with", "ready"),
        Use(Ref("MCPServer", "demo", "calc"), "uses tools of", "failed", "is not ready: CrashLooping"),
    )
    used_by = (Use(Ref("Agent", "demo", "chief"), "delegates to it"),)
    lines = report(Description(obj, uses, used_by, (), ()), AGENT).splitlines()
    at = lines.index("Uses:")
    assert lines[at + 1].split() == ["thinks", "with", "ModelAPI", "llm", "ready"]
    assert lines[at + 2].strip().startswith("uses tools of MCPServer calc")
    assert lines[at + 2].endswith("failed  is not ready: CrashLooping")
    assert lines[lines.index("Used by:") + 1].split() == ["Agent", "chief", "delegates", "to", "it"]


@pytest.mark.parametrize("name", ["LITELLM_MASTER_KEY", "OPENAI_API_KEY", "github_token", "DB_PASSWORD"])
def test_values_of_variables_that_look_secret_are_not_shown(name: str) -> None:
    env = [{"name": name, "value": CANARY}, {"name": "LEVEL", "value": "debug"}]
    obj = {"metadata": {"name": "x", "namespace": "demo"}, "spec": proxy() | {"container": {"env": env}}}
    text = report(Description(obj, (), (), (), ()), MODELAPI)
    assert CANARY not in text
    assert "(not shown)" in text
    assert "debug" in text
