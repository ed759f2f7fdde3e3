"""Agents that know each other: peers come and go, circles are no harm."""

from __future__ import annotations

from kaos.api.names import AGENTS
from tests.stories import agent, is_ready, manifests, modelapi


def exposed(name: str, *access: str, **spec) -> str:
    return agent(name, agentNetwork={"expose": True, "access": list(access)}, **spec)


def test_a_peer_is_picked_up_whenever_it_appears(place, kaos, namespace):
    text = manifests(modelapi(), agent("first", agentNetwork={"access": ["second"]}))
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=text).ok()
    assert place.object("agent", "first", namespace)["status"]["peers"] == []
    kaos("agent", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=exposed("second")).ok()
    place.until(AGENTS, "first", namespace, lambda obj: obj["status"].get("peers") == ["second"], 30)


def test_a_circle_of_peers_becomes_ready(place, kaos, namespace):
    text = manifests(modelapi(), exposed("one", "two"), exposed("two", "one"))
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=text).ok()
    for name in ("one", "two"):
        assert is_ready(place.object("agent", name, namespace))


def test_a_peer_that_does_not_expose_itself_is_no_peer(place, kaos, namespace):
    text = manifests(modelapi(), agent("open", agentNetwork={"access": ["shy"]}), agent("shy"))
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=text).ok()
    assert place.object("agent", "open", namespace)["status"]["peers"] == []
