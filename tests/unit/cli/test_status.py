"""`kaos status`, `kaos events`, `kaos apply` and `kaos delete`: a person's overview, and a line an object."""

from __future__ import annotations

import json

import pytest

from kaos.actions.kinds import MCPSERVER
from kaos.kube.resources import EVENTS


def server(client, room, name, **status):
    obj = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": name},
           "spec": {"runtime": "rawpython"}}  # fmt: skip
    client.create(MCPSERVER.resource, obj, room)
    ready = {"type": "Ready", "status": str(status["ready"])}
    client.patch(MCPSERVER.resource, name, {"status": status | {"conditions": [ready]}}, room, subresource="status")


def test_one_glance_tells_where_what_and_what_next(kaos, client, room):
    server(client, room, "good", ready=True, reason="Ready")
    server(client, room, "bad", ready=False, reason="InvalidParams", message="line 1: \x1b[31mSyntaxError")
    shown = kaos("status", "-n", room).ok().stdout
    assert "Context:    kaos-local (https://127.0.0.1:" in shown
    assert f"Namespace:  {room}\n" in shown
    assert "Operator:   not running" in shown
    assert "MCPServers: 1 ready, 1 failed\n" in shown
    assert f"MCPServer   {room}/bad   failed   InvalidParams   line 1: \\e[31mSyntaxError\n" in shown
    assert f"Next:\n  kaos operator run\n  kaos why mcp/bad -n {room}\n" in shown


def test_one_glance_as_data(kaos, client, room):
    server(client, room, "good", ready=True, reason="Ready")
    facts = json.loads(kaos("status", "-n", room, "-o", "json").ok().stdout)
    assert facts["counts"]["MCPServer"] == {"ready": 1}
    assert facts["namespace"] == room


def test_events_are_a_table_of_what_happened(kaos, client, room):
    body = {
        "metadata": {"name": "x"},
        "involvedObject": {"kind": "MCPServer", "name": "calc", "namespace": room},
        "reason": "Ready", "message": "The server\nanswers.", "type": "Normal", "count": 2,
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    client.create(EVENTS, body, room)
    header, row = kaos("events", "-n", room).ok().stdout.splitlines()
    assert header.split() == ["LAST", "TYPE", "REASON", "OBJECT", "COUNT", "MESSAGE"]
    assert row.split()[1:] == ["Normal", "Ready", "MCPServer/calc", "2", "The", "server\\nanswers."]


def test_no_events_are_told_beside_the_result(kaos, room):
    shown = kaos("events", "-n", room).ok()
    assert (shown.stdout, "No events" in shown.stderr) == ("", True)


TEXT = """\
apiVersion: kaos.tools/v1alpha1
kind: MCPServer
metadata: {name: calc, namespace: ordered}
spec: {runtime: rawpython}
---
apiVersion: v1
kind: Secret
metadata: {name: creds, namespace: ordered}
---
apiVersion: v1
kind: Namespace
metadata: {name: ordered}
"""


def test_apply_and_delete_print_a_line_an_object_in_order(kaos):
    applied = kaos("apply", "-f", "-", stdin=TEXT).ok().stderr.splitlines()
    assert applied[1:] == [
        "✓ Namespace ordered created",
        "✓ Secret ordered/creds created",
        "✓ MCPServer ordered/calc created",
    ]
    assert "unchanged" in kaos("apply", "-f", "-", stdin=TEXT).ok().stderr
    deleted = kaos("delete", "-f", "-", "--yes", stdin=TEXT).ok().stderr.splitlines()
    assert deleted[1:3] == ["✓ MCPServer ordered/calc deleted", "✓ Secret ordered/creds deleted"]
    assert "✗" not in kaos("delete", "-f", "-", "--yes", stdin=TEXT).ok().stderr


def test_a_failed_object_is_told_with_its_cure_and_the_others_are_applied(kaos, room):
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n---\n"
        "apiVersion: kaos.tools/v1alpha1\nkind: MCPServer\nmetadata: {name: bad}\nspec: {runtime: custom}\n"
    )
    applied = kaos("apply", "-n", room, "-f", "-", stdin=text)
    assert applied.code == 2
    assert f"✓ ConfigMap {room}/good created" in applied.stderr
    assert f"✗ MCPServer {room}/bad is not valid: runtime custom needs container.image" in applied.stderr
    assert "1 of 2 objects failed" in applied.stderr


@pytest.mark.parametrize("command", ["apply", "delete"])
def test_a_bad_file_changes_nothing_at_all(kaos, room, tmp_path, command):
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n")
    (tmp_path / "b.yaml").write_text("a: [b")
    refused = kaos(command, "-n", room, "-f", str(tmp_path))
    assert refused.code == 2
    assert "b.yaml" in refused.stderr
    assert "✓" not in refused.stderr
