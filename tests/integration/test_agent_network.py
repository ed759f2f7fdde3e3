"""Agents that know each other: peers come and go, circles are no harm."""

from __future__ import annotations

from kaos.api.names import AGENTS
from tests.stories import agent, is_ready, manifests, message, modelapi


def exposed(name: str, *access: str, **spec) -> str:
    return agent(name, agentNetwork={"expose": True, "access": list(access)}, **spec)


def test_a_peer_is_picked_up_whenever_it_appears(place, kaos, namespace):
    text = manifests(modelapi(), agent("first", agentNetwork={"access": ["second"]}))
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=text).ok()
    first = place.object("agent", "first", namespace)
    assert first["status"]["peers"] == []
    assert "second" in message(first)
    kaos("agent", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=exposed("second")).ok()
    place.until(AGENTS, "first", namespace, lambda obj: obj["status"].get("peers") == ["second"], 30)


def test_a_circle_of_peers_becomes_ready(place, kaos, namespace):
    text = manifests(modelapi(), exposed("one", "two"), exposed("two", "one"))
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=text).ok()
    for name, way in (("one", "one -> two -> one"), ("two", "two -> one -> two")):
        told = place.until(AGENTS, name, namespace, lambda obj, way=way: way in message(obj), 30)
        assert is_ready(told)
        assert (told["status"]["phase"], told["status"]["reason"]) == ("Ready", "Ready")


def test_a_circle_over_several_agents_is_told_as_it_closes_and_opens(place, kaos, namespace):
    ring = {"one": "two", "two": "three", "three": "four"}
    text = manifests(modelapi(), *(exposed(name, peer) for name, peer in ring.items()), exposed("four"))
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=text).ok()
    assert message(place.object("agent", "one", namespace)) == ""
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=exposed("four", "one")).ok()
    for way in ("one -> two -> three -> four -> one", "three -> four -> one -> two -> three"):
        told = place.until(AGENTS, way.split()[0], namespace, lambda obj, way=way: way in message(obj), 30)
        assert is_ready(told)
    assert "one -> two -> three -> four -> one" in kaos("agent", "describe", "one", "-n", namespace).ok().stdout
    kaos("apply", "-f", "-", "-n", namespace, stdin=exposed("four")).ok()
    for name in ring:
        place.until(AGENTS, name, namespace, lambda obj: "lead back" not in message(obj), 30)


def test_a_peer_that_does_not_expose_itself_is_no_peer(place, kaos, namespace):
    text = manifests(modelapi(), agent("open", agentNetwork={"access": ["shy"]}), agent("shy"))
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=text).ok()
    told = place.object("agent", "open", namespace)
    assert told["status"]["peers"] == []
    assert "do not expose themselves (agentNetwork.expose): shy" in message(told)
