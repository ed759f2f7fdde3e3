"""A person asks what an agent did to come to its answer."""

from __future__ import annotations

import json
import re

from tests.stories import agent, manifests, mcpserver, meets, modelapi

NETWORK = {"expose": True}
ADD = 'call add {"a": 2, "b": 3}'


def test_a_delegation_is_followed_down_to_the_tool(kaos, namespace):
    text = manifests(
        modelapi(),
        mcpserver("calc"),
        agent("adder", mcpServers=["calc"], agentNetwork=NETWORK),
        agent("boss", agentNetwork={"access": ["adder"]}),
    )
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=text).ok()
    meets(kaos, "boss", namespace)
    words = f"call delegate_to_adder {json.dumps({'message': ADD})}"
    kaos("agent", "invoke", "boss", "-n", namespace, "--session", "s1", "-m", words).ok()
    shown = re.sub(r"\d+(\.\d)? (ms|s)\b", "T", kaos("trace", "boss", "-n", namespace, COLUMNS="200").ok().stdout)
    assert re.sub(r"\d\d:\d\d:\d\dZ", "NOW", shown).splitlines() == [
        f"NOW boss (T, session s1) {words}",
        "├─ +T model (T)",
        f"├─ +T delegate_to_adder {json.dumps({'message': ADD})} (T) → mock: the tool answered 5",
        f"│  └─ +T adder (T, session boss-s1) boss: {ADD}",
        "│     ├─ +T model (T)",
        '│     ├─ +T add {"a": 2, "b": 3} (T) → 5',
        "│     ├─ +T model (T)",
        "│     └─ +T answer: mock: the tool answered 5",
        "├─ +T model (T)",
        "└─ +T answer: mock: the tool answered mock: the tool answered 5",
    ]


def test_the_last_turn_is_shown_or_a_whole_session(kaos, namespace):
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=manifests(modelapi(), agent("helper"))).ok()
    nothing = kaos("trace", "helper", "-n", namespace).ok()
    assert (nothing.stdout, "remembers nothing" in nothing.stderr) == ("", True)
    for words in ("one", "error 500"):
        kaos("agent", "invoke", "helper", "-n", namespace, "--session", "s", "-m", words)
    last = kaos("trace", "helper", "-n", namespace).ok().stdout
    assert "✖ error: model: mock: asked to fail with 500" in last
    assert "mock: one" not in last
    turns = json.loads(kaos("trace", "helper", "-n", namespace, "--session", "s", "-o", "json").ok().stdout)
    assert [(turn["question"], turn["steps"][-1]["kind"]) for turn in turns] == [
        ("one", "answer"),
        ("error 500", "error"),
    ]
    unknown = kaos("trace", "helper", "-n", namespace, "--session", "other")
    assert (unknown.code, unknown.stdout) == (3, "")
