"""What an Agent waits for: its ModelAPI, a model that this serves, its servers; and what it is told in between."""

from __future__ import annotations

from typing import Any

import pytest

from kaos.operator.decide.agent import decide
from kaos.operator.decide.world import Decision
from tests.unit.operator import worlds

Object = dict[str, Any]
READY = {"ready": True}


def agent(model: str = "small", **spec: Any) -> Object:
    meta = {"name": "helper", "namespace": worlds.NAMESPACE, "uid": "uid-of-helper", "generation": 1}
    spec = {"modelAPI": "llm", "model": model, "replicas": 1, **spec}
    return {"apiVersion": "kaos.tools/v1alpha1", "kind": "Agent", "metadata": meta, "spec": spec}


def api(*served: str, hosted: bool = False, **status: Any) -> Object:
    spec = {"hostedConfig": {"model": "small"}} if hosted else {"proxyConfig": {"models": list(served)}}
    return {"metadata": {"name": "llm"}, "spec": spec, "status": {**READY, "models": list(served), **status}}


def server(**status: Any) -> Object:
    return {"metadata": {"name": "calc"}, "spec": {"runtime": "rawpython"}, "status": status}


def told(obj: Object, **known: Any) -> tuple[str, str, bool]:
    """Reason, message, and whether a Deployment is to be made."""
    decision = decide(obj, worlds.world(**known))
    return decision.status["reason"], decision.status["message"], "Deployment" in worlds.made(decision)


@pytest.mark.parametrize(
    ("model", "served", "hosted", "fits"),
    [
        ("small", ["small"], False, True),
        ("small", ["large"], False, False),
        ("openai/new", ["openai/*"], False, True),
        ("openai", ["openai/*"], False, False),
        ("anything", ["*"], False, True),
        ("small:latest", ["small"], False, False),
        ("small", ["small"], True, True),
        ("small:latest", ["small"], True, True),
        ("small", ["small:latest"], True, True),
        ("small:1b", ["small"], True, False),
        ("127.0.0.1:5000/library/tiny", ["127.0.0.1:5000/library/tiny:latest"], True, True),
    ],
)
def test_the_model_must_be_one_that_is_served(model: str, served: list[str], hosted: bool, fits: bool) -> None:
    reason, message, made = told(agent(model), modelapis={"llm": api(*served, hosted=hosted)})
    assert (reason == "RolloutInProgress", made) == (fits, fits)
    if not fits:
        assert reason == "ModelNotServed"
        assert message == f"ModelAPI llm does not serve {model}; it serves: {', '.join(served)}"


@pytest.mark.parametrize(
    ("known", "reason", "words"),
    [
        ({}, "WaitingForModelAPI", "ModelAPI llm does not exist; create it"),
        ({"modelapis": {"llm": api()}}, "WaitingForMCPServer", "MCPServer calc does not exist; create it"),
        (
            {"modelapis": {"llm": api(ready=False, phase="Failed", reason="CrashLooping")}},
            "WaitingForModelAPI",
            "ModelAPI llm is not ready: CrashLooping; see: kaos why modelapi/llm",
        ),
        (
            {"modelapis": {"llm": api()}, "mcpservers": {"calc": server(ready=False, reason="ImagePullError")}},
            "WaitingForMCPServer",
            "MCPServer calc is not ready: ImagePullError",
        ),
    ],
    ids=["no ModelAPI", "no server", "a ModelAPI that fails", "a server that fails"],
)
def test_it_waits_and_says_for_what(known: Object, reason: str, words: str) -> None:
    assert told(agent(mcpServers=["calc"]), **known) == (reason, words, False)
    _, _, made = told(agent(mcpServers=["calc"], waitForDependencies=False), **known)
    assert made, "it starts all the same when it is told not to wait"


def test_its_environment_depends_on_names_and_never_on_what_is_ready() -> None:
    obj = agent(mcpServers=["calc"], waitForDependencies=False, agentNetwork={"access": ["two-b"]})
    seen = [env(decide(obj, worlds.world(**known))) for known in (
        {},
        {"modelapis": {"llm": api("small")}, "mcpservers": {"calc": server(ready=True)}},
        {"modelapis": {"llm": api(ready=False)}, "mcpservers": {"calc": server(ready=False)}},
    )]  # fmt: skip
    assert seen[0] == seen[1] == seen[2]
    assert seen[0]["MODEL_API_URL"] == "http://modelapi-llm.apps.svc.cluster.local:8000"
    assert seen[0]["MCP_SERVER_CALC_URL"] == "http://mcpserver-calc.apps.svc.cluster.local:8000/mcp"
    card = "http://agent-two-b.apps.svc.cluster.local:8000/.well-known/agent-card.json"
    assert seen[0]["PEER_AGENT_TWO_B_CARD_URL"] == card


def env(decision: Decision) -> dict[str, Any]:
    return {one["name"]: one.get("value") for one in worlds.pod_spec(decision)["containers"][0]["env"]}
