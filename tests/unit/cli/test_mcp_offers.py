"""`kaos mcp resources` and `kaos mcp prompts`, on a server that has both."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from kaos.actions.kinds import MCPSERVER
from kaos.cluster import wait
from kaos.kube.resources import PODS, SERVICES

SERVER = Path(__file__).parents[2] / "workshop_server.py"


@pytest.fixture
def workshop(client, room):
    """The server, as an operator would have made it."""
    obj = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": "workshop"},
           "spec": {"runtime": "rawpython"}}  # fmt: skip
    client.create(MCPSERVER.resource, obj, room)
    status = {"ready": True, "phase": "Ready", "replicas": 1, "path": "/mcp", "protocolVersion": "2026-07-28"}
    client.patch(MCPSERVER.resource, "workshop", {"status": status}, room, subresource="status")
    container = {
        "name": "mcp-server", "image": "example.org/workshop:1", "env": [{"name": "PORT", "value": "8000"}],
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1},
    }  # fmt: skip
    command = {"local.kaos.tools/command.mcp-server": json.dumps([sys.executable, str(SERVER)])}
    metadata = {"name": "workshop", "labels": {"mcpserver": "workshop"}, "annotations": command}
    client.create(PODS, {"metadata": metadata, "spec": {"containers": [container]}}, room)
    spec = {"selector": {"mcpserver": "workshop"}, "ports": [{"port": 8000, "targetPort": "http"}]}
    client.create(SERVICES, {"metadata": {"name": "mcpserver-workshop"}, "spec": spec}, room)

    def is_ready(pod):
        return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))

    wait.until(client, PODS, "workshop", room, is_ready, 30)


def test_resources_are_listed_and_printed(kaos, workshop, room):
    listed = kaos("mcp", "resources", "workshop", "-n", room).ok().stdout.splitlines()
    assert listed[0].split() == ["URI", "NAME", "TYPE", "DESCRIPTION"]
    assert listed[1].split(maxsplit=3) == ["workshop://rules", "rules", "text/plain", "The rules of the house"]
    assert listed[3].startswith("workshop://pieces/{name}")
    rules = kaos("mcp", "resources", "workshop", "workshop://rules", "-n", room).ok().stdout
    assert rules == "Wear goggles.\nSweep the floor.\n"
    names = kaos("mcp", "resources", "workshop", "-n", room, "-o", "name").ok().stdout.split()
    assert names == ["workshop://rules", "workshop://logo", "workshop://pieces/{name}"]
    (content,) = json.loads(
        kaos("mcp", "resources", "workshop", "workshop://pieces/stool", "-n", room, "-o", "json").ok().stdout
    )
    assert json.loads(content["text"])["name"] == "stool"


def test_a_resource_that_is_no_text_reaches_a_file_byte_for_byte(kaos, workshop, room):
    printed = kaos("mcp", "resources", "workshop", "workshop://logo", "-n", room).ok().stdout
    assert printed == "\\x89PNG not really"  # as pytest shows the byte 0x89


def test_prompts_are_listed_and_filled(kaos, workshop, room):
    header, row = kaos("mcp", "prompts", "workshop", "-n", room).ok().stdout.splitlines()
    assert header.split() == ["NAME", "ARGUMENTS", "DESCRIPTION"]
    assert row.split(maxsplit=3) == ["offer", "customer,", "tone?", "Write an offer."]
    filled = kaos("mcp", "prompts", "workshop", "offer", "customer=Ada Lovelace", "-n", room).ok().stdout
    assert filled == "Write a friendly offer to Ada Lovelace.\n"


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["offer"], "Prompt offer needs the argument customer."),
        (["ofer"], "MCPServer workshop has no prompt ofer."),
        (["offer", "Ada"], "A prompt's argument needs the form KEY=VALUE."),
        (["offer", "customer=A", "customer=B"], "Argument customer is given twice."),
    ],
)
def test_a_prompt_asked_wrongly_is_told_in_a_line(kaos, workshop, room, words, cause):
    refused = kaos("mcp", "prompts", "workshop", *words, "-n", room)
    assert refused.code == 2
    assert cause in refused.stderr
