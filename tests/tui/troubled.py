"""A namespace in which something is broken, always in the same way: what the screens of map and diagnosis show."""

from __future__ import annotations

from kaos.api.names import AGENTS, MCPSERVERS, MODELAPIS
from tests.conftest import Place
from tests.stories import agent, is_ready, manifests, mcpserver, modelapi, reason

NAME = "troubled"
KEYED = {"env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "tok", "key": "token"}}}]}


def make(place: Place) -> str:
    """boss is ready, but knows helper, which waits for keyed, which lacks a Secret, and ghost, which is not there."""
    text = manifests(
        modelapi(),
        mcpserver("keyed", container=KEYED),
        agent("helper", mcpServers=["keyed"], agentNetwork={"expose": True, "access": ["boss"]}),
        agent("boss", agentNetwork={"expose": True, "access": ["helper", "ghost"]}),
    )
    place.run("apply", "-f", "-", "-n", NAME, "--create-namespace", stdin=text).ok()
    place.until(MODELAPIS, "mock", NAME, is_ready, 60)
    place.until(AGENTS, "boss", NAME, is_ready, 60)
    place.until(MCPSERVERS, "keyed", NAME, lambda obj: reason(obj) == "SecretNotFound", 60)
    place.until(AGENTS, "helper", NAME, lambda obj: reason(obj) == "WaitingForMCPServer", 60)
    return NAME
