"""Calling tools of a server that keeps sessions and misbehaves, through the API server's proxy; no operator runs."""

from __future__ import annotations

import time

import pytest

from kaos.actions import mcp, offers
from kaos.actions.kinds import MCPSERVER
from kaos.cluster import wait
from kaos.errors import KaosError, NotFound, NotReady, UsageError
from kaos.kube.resources import DEPLOYMENTS


def call(client, room, tool, given=None, timeout_s=20.0, **more):
    return mcp.invoke(client, "old", room, tool, {} if given is None else given, timeout_s, **more)


def test_a_session_is_opened_used_and_ended(client, room, old):
    old()
    assert call(client, room, "whoami").structured["sessions"] == 1
    assert call(client, room, "whoami").structured["sessions"] == 1
    assert call(client, room, "add", ["a=2", "b=3"]).text == "5"
    assert [tool["name"] for tool in mcp.tools(client, "old", room, 20)][:2] == ["whoami", "add"]


def test_a_server_without_resources_and_prompts_has_none(client, room, old):
    old()
    assert offers.list_resources(client, "old", room, 20) == offers.Resources([], [])
    assert offers.list_prompts(client, "old", room, 20) == []


def test_with_many_pods_a_session_stays_with_one(client, room, old):
    old(pods=3)
    for _ in range(5):
        assert call(client, room, "add", ["a=2", "b=3"]).text == "5"


def test_a_tool_that_hangs_is_left_at_the_timeout(client, room, old):
    old()
    started = time.monotonic()
    with pytest.raises(NotReady) as late:
        call(client, room, "hang", timeout_s=1)
    assert time.monotonic() - started < 5
    assert late.value.cause == f"MCPServer {room}/old did not answer within 1 s while running tool hang."
    assert "--timeout" in late.value.cure
    assert call(client, room, "whoami").structured["sessions"] == 1


def test_a_tool_that_drips_without_end_is_left_at_the_timeout_too(client, room, old):
    old()
    started = time.monotonic()
    with pytest.raises(NotReady, match="within 1 s while running tool drip"):
        call(client, room, "drip", timeout_s=1)
    assert time.monotonic() - started < 5


def test_an_answer_that_is_cut_off_is_told(client, room, old):
    old()
    with pytest.raises(KaosError) as cut:
        call(client, room, "cut")
    assert "while running tool cut" in cut.value.cause
    assert "Read its log" in cut.value.cure
    assert cut.value.exit_code == 1


def test_a_json_rpc_error_is_told_with_its_code(client, room, old):
    old()
    with pytest.raises(KaosError) as failed:
        call(client, room, "fail")
    assert failed.value.cause == f"MCPServer {room}/old: the disk is full (code -32000)"
    assert failed.value.exit_code == 1


def test_an_answer_that_is_no_mcp_is_told(client, room, old):
    old()
    with pytest.raises(KaosError, match="no MCP answer"):
        call(client, room, "nonsense")


@pytest.mark.parametrize("given", [{}, []], ids=["sent at once", "typed by the schema"])
def test_an_unknown_tool_suggests_the_nearest(client, room, old, given):
    old()
    with pytest.raises(UsageError) as unknown:
        call(client, room, "ad", given)
    assert (unknown.value.cause, unknown.value.cure) == ("MCPServer old has no tool ad.", "Did you mean add?")


@pytest.mark.parametrize("given", [{"a": 1}, ["a=1"]], ids=["sent at once", "typed by the schema"])
def test_a_missing_argument_is_named(client, room, old, given):
    old()
    with pytest.raises(UsageError, match="Tool add needs the argument b"):
        call(client, room, "add", given)


def test_a_server_that_is_not_ready_says_why(client, room, old):
    old(pods=0, ready=False, phase="Failed", reason="InvalidParams", message="line 1: SyntaxError")
    with pytest.raises(NotReady) as refused:
        call(client, room, "add")
    assert refused.value.cause == f"MCPServer {room}/old is not ready: InvalidParams, line 1: SyntaxError."


def test_one_that_has_just_come_up_is_called_though_its_status_lags_behind(client, room, old):
    old(ready=False, phase="Pending", reason="RolloutInProgress")
    assert call(client, room, "add", {"a": 1, "b": 1}).text == "2"


def test_one_that_has_just_gone_is_told_as_gone(client, room, old):
    old()
    client.patch(DEPLOYMENTS, "mcpserver-old", {"spec": {"replicas": 0}}, room)
    wait.until(client, DEPLOYMENTS, "mcpserver-old", room, lambda obj: not obj["status"].get("replicas"), 20)
    with pytest.raises(NotReady, match="was ready a moment ago, but is gone while running tool add"):
        call(client, room, "add", {"a": 1, "b": 1})


def test_one_that_no_operator_has_seen_says_so(client, room):
    obj = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": "old"},
           "spec": {"runtime": "rawpython"}}  # fmt: skip
    client.create(MCPSERVER.resource, obj, room)
    with pytest.raises(NotReady, match="no operator has looked at it yet"):
        call(client, room, "add")


def test_one_that_does_not_exist_suggests_the_nearest(client, room, old):
    old(pods=0)
    with pytest.raises(NotFound) as missing:
        mcp.invoke(client, "odl", room, "add", {}, 5)
    assert missing.value.cure == "Did you mean old?"


@pytest.mark.parametrize(
    ("blocks", "text"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb"),
        ([{"type": "image", "mimeType": "image/png", "data": "QUJD"}], "[image image/png, 3 bytes]"),
        ([{"type": "resource_link", "uri": "file:///x"}], "file:///x"),
        ([{"type": "resource", "resource": {"uri": "file:///x", "text": "inside"}}], "inside"),
        ([{"type": "resource", "resource": {"uri": "file:///x", "blob": "QUJD"}}], "file:///x"),
        ([], ""),
        (["not a block"], ""),
    ],
)
def test_content_becomes_text_and_what_is_none_is_named(blocks, text):
    assert mcp.Answer({"content": blocks}).text == text
