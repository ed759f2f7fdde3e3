"""Several agents at work together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.stories import agent, manifests, meets, modelapi

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def test_a_coordinator_delegates_to_its_workers(kaos, namespace):
    kaos("apply", "-f", str(SAMPLES / "coordinator.yaml"), "-n", namespace, "--wait").ok()
    meets(kaos, "coordinator", namespace)
    call = 'call delegate_to_adder {"message": "what is 2 + 3?"}'
    whole = json.loads(kaos("agent", "invoke", "coordinator", "-n", namespace, "-m", call, "-o", "json").ok().stdout)
    (step,) = whole["steps"]
    assert step["kind"] == "delegation"
    assert step["result"] == "mock: the tool answered 5"
    events = json.loads(kaos("agent", "memory", "adder", "-n", namespace, "-o", "json").ok().stdout)
    (session,) = [one["id"] for one in events]
    told = kaos("agent", "memory", "adder", "-n", namespace, "--session", session, "-o", "json").ok().stdout
    assert json.loads(told)[0]["kind"] == "task_delegation_received"


def test_a_circle_of_delegation_ends_with_a_word(kaos, namespace):
    def exposed(name: str, peer: str, script: list[str]) -> str:
        env = [{"name": "DEBUG_MOCK_RESPONSES", "value": json.dumps(script)}]
        return agent(name, agentNetwork={"expose": True, "access": [peer]}, container={"env": env})

    def call(peer: str) -> str:
        return json.dumps({"tool_calls": [{"name": f"delegate_to_{peer}", "arguments": {"message": "go on"}}]})

    text = manifests(
        modelapi(),
        exposed("ping", "pong", [call("pong"), "ping is done"]),
        exposed("pong", "ping", [call("ping"), "pong is done"]),
    )
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=text).ok()
    meets(kaos, "ping", namespace)
    meets(kaos, "pong", namespace)
    said = kaos("agent", "invoke", "ping", "-n", namespace, "--message", "go", "-o", "json", timeout_s=60).ok()
    (step,) = json.loads(said.stdout)["steps"]
    assert step["result"] == "pong is done"
    session = json.loads(kaos("agent", "memory", "pong", "-n", namespace, "-o", "json").ok().stdout)[0]["id"]
    events = json.loads(
        kaos("agent", "memory", "pong", "-n", namespace, "--session", session, "-o", "json").ok().stdout
    )
    (error,) = [event for event in events if event["kind"] == "delegation_error"]
    assert "ping -> pong -> ping" in error["data"]["text"]


@pytest.mark.parametrize("sample", ["agent.yaml", "calculator.yaml", "coordinator.yaml"])
def test_the_sample_applies_and_becomes_ready(kaos, namespace, sample):
    kaos("apply", "-f", str(SAMPLES / sample), "-n", namespace, "--wait").ok()
