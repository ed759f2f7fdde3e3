"""Whether sessions have processes of their own: the spare that waits for the next, or one process for all."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

import httpx

from tests.unit.dataplane.bridge.running import RawSession, Running, call, request


def test_a_session_gets_the_process_that_was_started_before_it_was_asked_for(start: Callable[..., Running]) -> None:
    bridge = start().until_ready()
    bridge.until(lambda: len(bridge.children()) == 2, "with a spare")
    before = {child.pid for child in bridge.children()}
    session = RawSession(bridge.mcp)
    ended = session.post(call("die")).json()["error"]["message"]
    assert "exit code 7" in ended
    bridge.until(lambda: len(before - {child.pid for child in bridge.children()}) == 1, "without the former spare")


def test_a_spare_that_ends_by_itself_is_replaced(start: Callable[..., Running]) -> None:
    bridge = start().until_ready()
    bridge.until(lambda: len(bridge.children()) == 2, "with a spare")
    spare = max(bridge.children(), key=lambda child: child.create_time())
    os.kill(spare.pid, signal.SIGKILL)
    bridge.until(lambda: bridge.metric("kaos_bridge_process_starts_total") == 3, "with another spare")


def test_sessions_that_share_have_one_process_and_get_their_own_answers(start: Callable[..., Running]) -> None:
    bridge = start("--isolation", "shared").until_ready()
    sessions = [RawSession(bridge.mcp) for _ in range(5)]
    texts = [one.post(call("echo", 1, text=str(n))).json() for n, one in enumerate(sessions)]
    assert [one["result"]["content"][0]["text"] for one in texts] == list("01234")
    assert len(bridge.children()) == 1
    assert sessions[0].delete().status_code == 204
    assert sessions[0].post(call("echo", text="x")).status_code == 404
    assert sessions[1].post(call("echo", text="x")).status_code == 200


def test_what_a_shared_process_cannot_tell_apart_is_not_offered(start: Callable[..., Running]) -> None:
    session = RawSession(start("--isolation", "shared").until_ready().mcp)
    assert session.opened.json()["result"]["capabilities"] == {"tools": {"listChanged": True}, "resources": {}}
    for method in ("resources/subscribe", "logging/setLevel"):
        assert session.post(request(method, {"uri": "x://1"})).json()["error"]["code"] == -32601


def test_all_who_share_hear_of_changes(start: Callable[..., Running]) -> None:
    bridge = start("--isolation", "shared").until_ready()
    one, other = RawSession(bridge.mcp), RawSession(bridge.mcp)
    one.post(call("change"))
    with httpx.stream("GET", bridge.mcp, headers=other.headers, timeout=30) as standing:
        told = next(line for line in standing.iter_lines() if line.startswith("data: "))
    assert json.loads(told[6:])["method"] == "notifications/tools/list_changed"


def test_sessions_that_share_end_with_their_process(start: Callable[..., Running]) -> None:
    bridge = start("--isolation", "shared").until_ready()
    one, other = RawSession(bridge.mcp), RawSession(bridge.mcp)
    assert "out of paper" in one.post(call("die")).json()["error"]["message"]
    gone = other.post(call("echo", text="x"))
    assert (gone.status_code, "exit code 7" in gone.json()["error"]["message"]) == (404, True)
    bridge.until_ready()
    assert "result" in RawSession(bridge.mcp).opened.json()
