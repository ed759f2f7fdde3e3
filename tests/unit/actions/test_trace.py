"""Events of a memory become turns with steps: who did what, for how long, and what is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kaos.actions.trace import Step, Turn, peer_of, peer_session, turns


def events(*told):
    return [{"number": n, "session_id": "s", "at": at, "kind": kind, "data": data}
            for n, (at, kind, data) in enumerate(told)]  # fmt: skip


def test_a_turn_with_a_tool_is_told_step_by_step():
    [turn] = turns("helper", "s", events(
        (10.0, "user_message", {"text": "2+3?"}),
        (10.5, "tool_call", {"name": "add", "arguments": {"a": 2}}),
        (10.7, "tool_result", {"name": "add", "text": "5", "failed": False}),
        (11.7, "agent_response", {"text": "It is 5"}),
    ))  # fmt: skip
    assert turn.question == "2+3?"
    assert turn.seconds == pytest.approx(1.7)
    assert [(step.kind, step.name, step.text, round(step.seconds, 3)) for step in turn.steps] == [
        ("model", "", "", 0.5),
        ("tool", "add", "5", 0.2),
        ("model", "", "", 1.0),
        ("answer", "", "It is 5", 0.0),
    ]


def test_calls_side_by_side_end_each_by_itself():
    [turn] = turns("helper", "s", events(
        (0.0, "user_message", {"text": "both"}),
        (1.0, "tool_call", {"name": "add", "arguments": {"a": 1}}),
        (1.0, "tool_call", {"name": "add", "arguments": {"a": 2}}),
        (2.0, "tool_result", {"name": "add", "text": "1"}),
        (3.0, "tool_result", {"name": "add", "text": "Error: no", "failed": True}),
    ))  # fmt: skip
    assert [(step.kind, step.text, step.seconds, step.failed) for step in turn.steps] == [
        ("model", "", 1.0, False),
        ("tool", "1", 1.0, False),
        ("tool", "Error: no", 2.0, True),
    ]
    assert turn.seconds is None, "it has not answered yet"


def test_each_question_is_a_turn_and_errors_end_one():
    first, second = turns("helper", "s", events(
        (0.0, "user_message", {"text": "one"}), (1.0, "error", {"message": "model: 500", "status": 502}),
        (5.0, "task_delegation_received", {"text": "two", "from": "boss"}), (6.0, "agent_response", {"text": "2"}),
    ))  # fmt: skip
    assert [(step.kind, step.text, step.failed) for step in first.steps] == [("error", "model: 500", True)]
    assert (first.seconds, second.question, second.asked_by) == (1.0, "two", "boss")


def test_what_was_forgotten_of_a_long_session_does_not_hide_the_rest():
    [turn] = turns("helper", "s", events((3.0, "tool_result", {"name": "add", "text": "5"}),
                                         (4.0, "agent_response", {"text": "5"})))  # fmt: skip
    assert (turn.question, [step.kind for step in turn.steps]) == ("", ["model", "answer"])


def test_a_delegation_is_followed_once_it_is_complete():
    def follow(step: Step) -> Step:
        return replace(step, below=(Turn("adder", f"{step.text}/{step.seconds}", 0, ""),))

    [turn] = turns("boss", "s", events(
        (0.0, "user_message", {"text": "go"}),
        (1.0, "delegation_request", {"name": "delegate_to_adder", "arguments": {"message": "add"}}),
        (2.0, "delegation_error", {"name": "delegate_to_adder", "text": "away", "failed": True}),
    ), follow)  # fmt: skip
    assert turn.steps[1].below == (Turn("adder", "away/1.0", 0, ""),)


PEERS = [
    ("delegate_to_adder", ["adder"], "adder"),
    ("delegate_to_adder", ["writer"], ""),
    ("delegate_to_" + "x" * 43 + "_1a2b3c4d", ["x" * 53], "x" * 53),
]


@pytest.mark.parametrize(("tool", "peers", "peer"), PEERS)
def test_the_tool_of_a_delegation_leads_to_its_peer(tool, peers, peer):
    assert peer_of(tool, peers) == peer


@pytest.mark.parametrize("session", ["s1", "x" * 128])
def test_the_peers_session_is_the_one_that_the_runtime_uses(session):
    from kaos.dataplane.agent.peers import _context

    assert peer_session("boss", session) == _context("boss", session)
