"""Waiting for Ready: as long as there is hope, no longer, and with the reason in the end."""

from __future__ import annotations

import threading

import pytest

from kaos.actions import waiting
from kaos.actions.kinds import MCPSERVER
from kaos.errors import NotFound, NotReady
from kaos.kube import times


def server(phase, reason="", ready=False, progressing="False", observed=2, message="the message"):
    return {
        "metadata": {"name": "calculator", "namespace": "team", "generation": 2},
        "status": {
            "phase": phase, "reason": reason, "ready": ready, "message": message, "observedGeneration": observed,
            "conditions": [{"type": "Progressing", "status": progressing}],
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("obj", "settled"),
    [
        (server("Ready", "Ready", ready=True), True),
        (server("Degraded", "CrashLooping", ready=True), True),
        (server("Suspended", "Suspended"), True),
        (server("Ready", "Ready", ready=True, progressing="True"), False),  # the old pods serve, the new ones start
        (server("Ready", "Ready", ready=True, observed=1), False),
        (server("Pending", "RolloutInProgress"), False),
        (server("Waiting", "SecretNotFound"), False),
        (server("Failed", "ImagePullError"), False),
        (server("Failed", "CrashLooping"), False),
        (server("Failed", "InvalidParams", observed=1), False),
        ({"metadata": {"name": "new", "namespace": "team", "generation": 1}}, False),
    ],
)
def test_it_is_settled_when_what_was_asked_for_last_serves(obj, settled):
    assert waiting.is_settled(obj, MCPSERVER) is settled


@pytest.mark.parametrize(
    ("obj", "words"),
    [
        (server("Failed", "RuntimeNotFound"), "MCPServer team/calculator failed: RuntimeNotFound, the message."),
        (server("Failed", "InvalidParams"), "InvalidParams"),
        (server("Degraded", "InvalidParams", ready=True, progressing="True"), "InvalidParams"),
    ],
)
def test_what_never_heals_ends_the_wait_at_once(obj, words):
    with pytest.raises(waiting.Failed) as failed:
        waiting.is_settled(obj, MCPSERVER)
    assert words in failed.value.cause
    assert failed.value.cure
    assert failed.value.exit_code == 1


# Against a live API server; the test plays the operator.


@pytest.fixture
def calculator(client, room):
    obj = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": "calculator"},
           "spec": {"runtime": "rawpython"}}  # fmt: skip
    client.create(MCPSERVER.resource, obj, room)


def say(client, room, **status):
    client.patch(MCPSERVER.resource, "calculator", {"status": status}, room, subresource="status")


@pytest.fixture
def operator(hold_lease):
    """The Lease of an operator that works."""
    hold_lease(renewTime=times.micro_now())


def test_ready_is_seen_as_soon_as_it_is_said(client, room, calculator):
    seen = []

    def on_change(obj):
        seen.append((obj.get("status") or {}).get("reason"))
        if len(seen) == 1:
            threading.Thread(target=make_ready).start()

    def make_ready():
        from kaos.cluster import Client

        say(Client(client.connection), room, observedGeneration=1, phase="Ready", ready=True, reason="Ready")

    found = waiting.until_ready(client, MCPSERVER, "calculator", room, 20, on_change)
    assert found["status"]["ready"] is True
    assert (seen[0], seen[-1]) == (None, "Ready")


def test_without_an_operator_the_wait_ends_early_and_says_so(client, room, calculator, monkeypatch):
    monkeypatch.setattr(waiting, "OPERATOR_ANSWERS_S", 0.2)
    with pytest.raises(NotReady) as refused:
        waiting.until_ready(client, MCPSERVER, "calculator", room, 60)
    assert "No operator answers in context kaos-local" in refused.value.cause
    assert "kaos operator run" in refused.value.cure


def test_a_slow_operator_is_waited_for(client, room, calculator, operator, monkeypatch):
    monkeypatch.setattr(waiting, "OPERATOR_ANSWERS_S", 0.2)
    with pytest.raises(NotReady) as late:
        waiting.until_ready(client, MCPSERVER, "calculator", room, 1)
    assert "was not ready within 1 s" in late.value.cause
    assert "No operator" not in late.value.cause


def test_the_reason_is_told_when_time_is_up(client, room, calculator):
    say(client, room, observedGeneration=1, phase="Waiting", ready=False, reason="SecretNotFound", message="Secret x")
    with pytest.raises(NotReady) as late:
        waiting.until_ready(client, MCPSERVER, "calculator", room, 1)
    assert late.value.cause == f"MCPServer {room}/calculator was not ready within 1 s: SecretNotFound, Secret x."


def test_a_deleted_server_is_not_waited_for(client, room, calculator):
    def on_change(obj):
        client.delete(MCPSERVER.resource, "calculator", room)

    with pytest.raises(waiting.Failed, match="was deleted while waiting"):
        waiting.until_ready(client, MCPSERVER, "calculator", room, 20, on_change)
    with pytest.raises((NotFound, waiting.Failed)):
        waiting.until_ready(client, MCPSERVER, "calculator", room, 1)
