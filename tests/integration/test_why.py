"""A person asks why something does not work, does what is said, and it works."""

from __future__ import annotations

import json

from kaos.api.names import AGENTS, MCPSERVERS
from tests.stories import agent, is_ready, manifests, mcpserver, modelapi, reason

KEYED = {"env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "tok", "key": "token"}}}]}


def causes(kaos, namespace, *words):
    shown = kaos("why", *words, "-n", namespace, "-o", "json")
    return shown.code, json.loads(shown.stdout)["causes"]


def test_a_missing_secret_is_found_behind_the_agent_and_its_command_cures_all(place, kaos, namespace):
    text = manifests(modelapi(), mcpserver("keyed", container=KEYED), agent("helper", mcpServers=["keyed"]))
    kaos("apply", "-f", "-", "-n", namespace, stdin=text).ok()
    place.until(MCPSERVERS, "keyed", namespace, lambda obj: reason(obj) == "SecretNotFound", 60)
    place.until(AGENTS, "helper", namespace, lambda obj: reason(obj) == "WaitingForMCPServer", 60)
    code, [cause] = causes(kaos, namespace, "agent/helper")
    assert (code, cause["sentence"]) == (1, f"Secret {namespace}/tok does not exist.")
    assert cause["command"] == f"kaos secret create tok token -n {namespace}"
    kaos("secret", "create", "tok", "--from-stdin", "token", "-n", namespace, stdin="s3cret").ok()
    place.until(AGENTS, "helper", namespace, is_ready, 60)
    assert causes(kaos, namespace) == (0, [])


def test_a_program_with_an_error_is_followed_down_to_its_container(place, kaos, namespace):
    kaos("apply", "-f", "-", "-n", namespace, stdin=mcpserver("broken", params="def broken(:\n")).ok()
    place.until(MCPSERVERS, "broken", namespace, lambda obj: reason(obj) == "InvalidParams", 60)
    shown = kaos("why", "mcp/broken", "-n", namespace)
    assert shown.code == 1
    first, *rest = shown.stdout.splitlines()
    assert first.startswith(f"✖ MCPServer {namespace}/broken: params, line 1: SyntaxError")
    assert any("container mcp-server: " in line and "ended with code 78" in line for line in rest)


def test_the_map_follows_what_is_deployed(place, kaos, namespace):
    text = manifests(modelapi(), mcpserver("calc"), agent("helper", mcpServers=["calc"]))
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=text).ok()
    assert kaos("map", "-n", namespace).ok().stdout.splitlines() == [
        "Agent helper           ● ready, mock",
        "├─ thinks with mock    ● ready, mock",
        "└─ uses tools of calc  ● ready, rawpython",
    ]
