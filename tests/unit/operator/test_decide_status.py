"""Status: when conditions change their time, which changes are events, and limits that hold for hostile tools."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kaos.api.names import Reason
from kaos.operator.decide import spoken
from kaos.operator.decide.mcpserver import decide
from kaos.operator.decide.world import Decision, Problem
from tests.unit.operator.worlds import (
    answered,
    condition,
    pod,
    running,
    server,
    was,
    world,
)

LATER = "2026-11-24T12:00:00Z"


def bad(message: str = "no answer") -> Any:
    one = pod()
    said = {"reason": Reason.HANDSHAKE_FAILED, "message": message}
    return running(server(), pods=(one,), handshakes=(answered(one, False, **said),))


def test_the_first_conditions_have_the_time_of_the_decision() -> None:
    decision = decide(server(), world())
    assert {one["lastTransitionTime"] for one in decision.status["conditions"]} == {"2026-11-24T10:00:00Z"}
    assert {one["observedGeneration"] for one in decision.status["conditions"]} == {3}


def test_the_time_of_a_condition_is_when_its_status_changed_not_its_message() -> None:
    first = decide(server(), bad("one")).status
    second = decide(server(first), running(server(), now=LATER, handshakes=bad("two").handshakes)).status
    by_type = {one["type"]: one for one in second["conditions"]}
    assert by_type["Ready"]["message"] == "two"
    assert by_type["Ready"]["lastTransitionTime"] == "2026-11-24T10:00:00Z"
    third = Decision(decide(server(second), running(server(), now=LATER)).status)
    assert condition(third, "Ready")["lastTransitionTime"] == LATER
    assert condition(third, "Accepted")["lastTransitionTime"] == "2026-11-24T10:00:00Z"


@pytest.mark.parametrize(
    "damaged", [{"conditions": None}, {"conditions": []}, {"conditions": [{"type": "Ready", "status": "True"}]}]
)
def test_a_damaged_status_is_mended(damaged: Any) -> None:
    whole = decide(server(damaged), world()).status
    assert len(whole["conditions"]) == 4
    assert all(one["lastTransitionTime"] for one in whole["conditions"])


def told(before: Any, around: Any) -> list[tuple[str, bool]]:
    return [(event.reason, event.warning) for event in decide(server(before), around).events]


PENDING = {"phase": "Pending", "reason": "RolloutInProgress", "ready": False, "observedGeneration": 3}


@pytest.mark.parametrize(
    ("before", "around", "events"),
    [
        (None, world(), []),
        (PENDING, world(), []),
        (PENDING, running(server()), [("Ready", False)]),
        (was(), running(server()), []),
        (was(), bad(), [("HandshakeFailed", True)]),
        (was(phase="Failed", reason="HandshakeFailed", ready=False), bad("else"), []),
        (was(phase="Failed", reason="HandshakeFailed", ready=False), running(server()), [("Ready", False)]),
        (was(), running(server(), pods=(), handshakes=()), [("RolloutInProgress", False)]),
        (None, world(registry=None), [("RuntimeRegistryInvalid", True)]),
        (was(), running(server(), refused=Problem(Reason.QUOTA_EXCEEDED, "q")), [("QuotaExceeded", True)]),
    ],
    ids=lambda value: None,
)
def test_a_change_of_phase_or_reason_is_an_event_and_nothing_else_is(before: Any, around: Any, events: Any) -> None:
    assert told(before, around) == events


def test_an_event_always_has_words() -> None:
    assert decide(server(PENDING), running(server())).events[0].message == "It answers in its own protocol."


def test_messages_are_bounded() -> None:
    decision = decide(server(), running(server(), handshakes=bad("x" * 10_000).handshakes))
    assert len(decision.status["message"]) <= 1024
    assert all(len(one["message"]) <= 1024 for one in decision.status["conditions"])
    assert all(len(event.message) <= 1024 for event in decision.events)


def test_counts_selector_and_endpoint() -> None:
    status = decide(server(), running(server())).status
    assert (status["replicas"], status["readyReplicas"]) == (1, 1)
    assert status["selector"] == "kaos.tools/kind=MCPServer,mcpserver=calc"
    assert status["endpoint"] == "http://mcpserver-calc.apps.svc.cluster.local:8000"


HOSTILE = [
    ([{"name": "a"}], [{"name": "a"}]),
    ([{"name": "a", "description": None}, {"name": "b", "description": ""}], [{"name": "a"}, {"name": "b"}]),
    ([{"name": "a", "description": {"x": 1}}, {"name": "b", "description": 7}], [{"name": "a"}, {"name": "b"}]),
    ([{"name": 5}, {"name": None}, {"name": ""}, {}, {"name": ["x"]}, {"name": "x" * 257}], []),
    ([{"name": "x" * 256}], [{"name": "x" * 256}]),
    ([{"name": "a", "description": "d" * 200}], [{"name": "a", "description": "d" * 200}]),
    ([{"name": "a", "description": "d" * 201}], [{"name": "a", "description": "d" * 199 + "…"}]),
    ([{"name": "a", "inputSchema": {"huge": "x" * 1000}, "extra": 1}], [{"name": "a"}]),
    (["text", None, 5, ["name"]], []),
    ([{"name": "a\ud800b", "description": "c\udfff"}], [{"name": "a\ufffdb", "description": "c\ufffd"}]),
]


@pytest.mark.parametrize(("tools", "shown"), HOSTILE, ids=lambda value: None)
def test_what_the_status_takes_of_tools(tools: Any, shown: Any) -> None:
    assert spoken.described_tools(tools) == shown


def test_ten_thousand_tools_with_long_descriptions_make_a_status_that_an_api_server_takes() -> None:
    long = "d" * 100_000
    shown = spoken.described_tools([{"name": f"tool{n}", "description": long} for n in range(10_000)])
    one = pod()
    spoke = answered(one, tools=tuple(shown), tool_count=10_000)
    status = decide(server(), running(server(), pods=(one,), handshakes=(spoke,))).status
    assert len(status["tools"]) == 256
    assert status["toolCount"] == 10_000
    assert len(json.dumps(status)) < 100_000


@pytest.mark.parametrize(
    ("info", "shown"),
    [
        ({"name": "n", "version": "1", "title": "t"}, {"name": "n", "version": "1"}),
        ({"name": "n" * 1000, "version": 5}, {"name": "n" * 256, "version": "5"}),
        ({"name": {"a": 1}, "version": None}, {"name": "{'a': 1}"}),
        ({"name": "\ud800"}, {"name": "\ufffd"}),
        ({}, {}),
    ],
)
def test_what_the_status_takes_of_the_servers_own_words(info: Any, shown: Any) -> None:
    assert spoken.server_info(info) == shown
