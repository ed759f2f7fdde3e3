"""Circles of peers and peers that are not there: told, and no harm."""

from __future__ import annotations

from typing import Any

import pytest

from kaos.api.names import AGENT_CONTAINER
from kaos.operator.decide import peers
from kaos.operator.decide.agent import decide
from tests.unit.operator import worlds

Object = dict[str, Any]


def agent(name: str, *access: str, expose: bool = True, **spec: Any) -> Object:
    meta = {"name": name, "namespace": worlds.NAMESPACE, "uid": f"uid-of-{name}", "generation": 1}
    spec = {"modelAPI": "mock", "model": "mock", "replicas": 1, **spec}
    spec["agentNetwork"] = {"expose": expose, "access": list(access)}
    return {"apiVersion": "kaos.tools/v1alpha1", "kind": "Agent", "metadata": meta, "spec": spec}


@pytest.mark.parametrize(
    ("access", "way"),
    [
        ({"a": []}, ""),
        ({"a": ["b"], "b": []}, ""),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, ""),
        ({"a": ["absent"]}, ""),
        ({"a": ["a"]}, "a a"),
        ({"a": ["b"], "b": ["a"]}, "a b a"),
        ({"a": ["b"], "b": ["c"], "c": ["d"], "d": ["a"]}, "a b c d a"),
        ({"a": ["b", "c"], "b": ["d"], "c": ["a"], "d": ["a"]}, "a c a"),
        ({"a": ["b"], "b": ["b", "c"], "c": ["b", "a"]}, "a b c a"),
        ({str(n): [str((n + 1) % 5000)] for n in range(5000)} | {"a": ["0"]}, ""),
    ],
)
def test_the_shortest_way_back(access: dict[str, list[str]], way: str) -> None:
    assert peers.circle("a", access) == way.split()


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ([agent("two"), agent("three")], ""),
        ([agent("two")], "peers that do not exist yet: three"),
        (
            [agent("two", expose=False), agent("three")],
            "peers that do not expose themselves (agentNetwork.expose): two",
        ),
        ([agent("two", "one"), agent("three")], "peers lead back to this agent: one -> two -> one"),
        ([agent("two", "three"), agent("three", "one")], "peers lead back to this agent: one -> three -> one"),
        ([agent("two", "four"), agent("three"), agent("four", "one")], "one -> two -> four -> one"),
        ([agent("two", "one", expose=False)], "yet: three; peers that do not expose themselves"),
    ],
    ids=["none", "absent", "shy", "two", "shortest", "over hops", "all at once"],
)
def test_what_is_told_of_them(others: list[Object], words: str) -> None:
    one = agent("one", "two", "three")
    told = peers.note(one, {obj["metadata"]["name"]: obj for obj in [one, *others]})
    assert words in told if words else told == ""


def test_an_agent_in_a_circle_is_ready_and_says_so() -> None:
    one, two = agent("one", "two"), agent("two", "one")
    api = {"mock": {"metadata": {"name": "mock"}, "spec": {}, "status": {"ready": True, "models": ["mock"]}}}
    known = {"modelapis": api, "agents": {"one": one, "two": two}}
    first = decide(one, worlds.world(**known))
    deployment = worlds.made(first)["Deployment"]
    meta = deployment["metadata"] | {"uid": "d", "resourceVersion": "7", "generation": 1}
    live = {("Deployment", "agent-one"): deployment | {"metadata": meta, "status": worlds.rolled()}}
    pod = worlds.pod("one-1", container=AGENT_CONTAINER)
    pod["spec"] = deployment["spec"]["template"]["spec"]
    around = worlds.world(**known, children=live, pods=(pod,), handshakes=(worlds.answered(pod),))
    decision = decide(one, around)
    assert (decision.status["phase"], decision.status["reason"], decision.status["ready"]) == ("Ready", "Ready", True)
    assert decision.status["message"].startswith("peers lead back to this agent: one -> two -> one;")
    ready = worlds.condition(decision, "Ready")
    assert (ready["status"], ready["message"]) == ("True", decision.status["message"])
    assert worlds.conditions(decision)["DependenciesReady"] == "True"
    assert all(not event.warning for event in decision.events)
