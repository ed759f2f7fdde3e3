"""The bridge as HTTP: what goes over the wire, who may call, and what happens when things end."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable

import httpx
import psutil
import pytest

from tests.unit.dataplane.bridge.running import HEADERS, RawSession, Running, call, modern, request


def ask_modern(bridge: Running, body: dict, **changed: str | None) -> httpx.Response:
    headers, body = modern(body)
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    headers = {name: value for name, value in headers.items() if value is not None}
    return httpx.post(bridge.mcp, headers=headers, json=body, timeout=30)


# What passes.


def test_a_request_and_its_answer_keep_their_bytes(plain: Running) -> None:
    session = RawSession(plain.mcp)
    sent = (
        '{"method":"tools/call", "id": "\\u00e9" ,"params":{"name":"raw","big":98765432109876543210987,'
        '"half":"\\udc00","arguments":{"e":1.50e+3}},"jsonrpc":"2.0"}'
    )
    got = session.post(sent.encode())
    assert got.headers["content-type"] == "application/json"
    heard = json.loads(got.text)["result"]["line"].rstrip("\n")
    number = json.loads(heard)["id"]
    assert heard == sent.replace(' "\\u00e9" ', f" {number} ")
    assert '"big":12345678901234567890123, "e":1.50e+3,"odd":"\\u00e9\\ud800"' in got.text
    assert '"id":"\\u00e9",' in got.text


@pytest.mark.parametrize("number", [0, -1, 1, "1", "ü", 2**60])
def test_an_id_comes_back_as_it_was(plain: Running, number: int | str) -> None:
    assert RawSession(plain.mcp).post(call("echo", number, text="x")).json()["id"] == number
    assert ask_modern(plain, call("echo", number, text="x")).json()["id"] == number


def test_the_envelope_of_the_stateless_era_stays_before_the_bridge(plain: Running) -> None:
    body = request(
        "tools/call", {"name": "raw", "arguments": {}, "_meta": {"traceparent": "00-1", "progressToken": "t"}}
    )
    answer = ask_modern(plain, body).json()["result"]
    meta = json.loads(answer["line"])["params"]["_meta"]
    assert meta == {"traceparent": "00-1", "progressToken": meta["progressToken"]}
    assert isinstance(meta["progressToken"], int)
    assert answer["resultType"] == "complete"


def test_noise_on_stdout_is_skipped_and_counted(plain: Running) -> None:
    before = plain.metric("kaos_bridge_noise_lines_total")
    assert "noisy" in RawSession(plain.mcp).post(call("noise")).text
    assert plain.metric("kaos_bridge_noise_lines_total") == before + 3


def test_a_message_outside_of_requests_waits_for_the_standing_stream(plain: Running) -> None:
    session = RawSession(plain.mcp)
    session.headers["accept"] = "application/json"
    session.post(call("change"))
    session.headers["accept"] = "text/event-stream"
    with httpx.stream("GET", plain.mcp, headers=session.headers, timeout=30) as standing:
        lines = standing.iter_lines()
        assert next(lines) == "event: message"
        assert "tools/list_changed" in next(lines)
        assert httpx.get(plain.mcp, headers=session.headers).status_code == 409


def test_a_reader_who_is_slow_holds_up_nobody_and_fills_no_memory(plain: Running) -> None:
    body = request("tools/call", {"name": "flood", "arguments": {"times": 50_000}, "_meta": {"progressToken": 1}})
    session = RawSession(plain.mcp)
    flooded = 'kaos_bridge_calls_total{tool="_OTHER"}'
    before, floods = psutil.Process(plain.process.pid).memory_info().rss, plain.metric(flooded)
    with httpx.stream("POST", plain.mcp, headers=session.headers, json=body, timeout=60) as slow:
        reading = slow.iter_raw()
        next(reading)
        assert ask_modern(plain, call("echo", text="meanwhile")).json()["result"]["content"][0]["text"] == "meanwhile"
        plain.until(lambda: plain.metric(flooded) > floods, "at the end of the flood")
        assert psutil.Process(plain.process.pid).memory_info().rss - before < 60 * 2**20
        told = b"".join(reading)
    assert b'"flooded"' in told[-200:]
    plain.until(lambda: plain.metric("kaos_bridge_dropped_messages_total") > 0, "counting what it dropped")


# Sessions.


def test_a_session_ends_with_delete_and_its_process_too(plain: Running) -> None:
    session = RawSession(plain.mcp)
    assert session.post(call("echo", text="x")).status_code == 200
    running = len(plain.children())
    assert session.delete().status_code == 204
    plain.until(lambda: len(plain.children()) < running, "without the session's process")
    gone = session.post(call("echo", text="x"))
    assert (gone.status_code, gone.json()["error"]["message"]) == (404, "the client has ended the session")


def test_a_server_that_does_not_want_to_end_is_made_to(plain: Running) -> None:
    session = RawSession(plain.mcp)
    session.post(call("stubborn"))
    before = {child.pid for child in plain.children()}
    assert session.delete().status_code == 204
    plain.until(lambda: not before <= {child.pid for child in plain.children()}, "rid of it")


def test_whoever_waits_is_told_even_where_a_descendant_holds_the_pipes(plain: Running) -> None:
    answer = RawSession(plain.mcp).post(call("daemon"))
    assert "ended with exit code 9" in answer.json()["error"]["message"]
    assert answer.elapsed.total_seconds() < 3


def test_a_server_that_closes_its_output_but_lives_on_has_ended(plain: Running) -> None:
    session = RawSession(plain.mcp)
    before = len(plain.children())
    answer = session.post(call("silent"))
    assert "closed its output" in answer.json()["error"]["message"]
    assert answer.elapsed.total_seconds() < 4
    plain.until(lambda: len(plain.children()) < before, "without the process that is silent")


def test_a_session_that_nobody_uses_ends(start: Callable[..., Running]) -> None:
    bridge = start("--idle", "0.5").until_ready()
    session = RawSession(bridge.mcp)
    bridge.until(lambda: bridge.metric("kaos_bridge_sessions") == 0, "free of idle sessions")
    assert "idle" in session.post(call("echo", text="x")).json()["error"]["message"]


def test_there_are_no_more_sessions_than_allowed(start: Callable[..., Running]) -> None:
    bridge = start("--sessions", "1").until_ready()
    first = RawSession(bridge.mcp)
    refused = RawSession(bridge.mcp).opened
    assert "there are 1 sessions already" in refused.json()["error"]["message"]
    first.delete()
    assert "result" in RawSession(bridge.mcp).opened.json()


def test_a_new_session_need_not_wait_until_a_server_has_started(start: Callable[..., Running]) -> None:
    bridge = start(BEHAVIOUR="slow").until_ready()
    for _ in range(2):
        bridge.until(lambda: bridge.metric("kaos_bridge_processes") == 2, "with a spare")
        time.sleep(1.5)  # the spare tells nobody that it could answer
        session = RawSession(bridge.mcp)
        assert session.opened.elapsed.total_seconds() < 0.5
        session.delete()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"mcp-session-id": "guess"}, 404),
        ({"mcp-protocol-version": "1999-01-01"}, 400),
        ({"mcp-session-id": None}, 400),
    ],
)
def test_what_is_no_session_is_told_apart(plain: Running, change: dict, status: int) -> None:
    session = RawSession(plain.mcp)
    session.headers = {name: value for name, value in (session.headers | change).items() if value is not None}
    assert session.post(call("echo", text="x")).status_code == status


def test_batches_and_what_is_no_json_are_refused(plain: Running) -> None:
    session = RawSession(plain.mcp)
    for body in (b"[]", b"{", b"", json.dumps([call("echo", text="x")]).encode()):
        assert session.post(body).status_code == 400
    assert session.post(b'{"a":"' + b"x" * (17 * 2**20) + b'"}').status_code == 413


# The stateless era.


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"mcp_method": "tools/list"}, -32020),
        ({"mcp_method": None}, -32020),
        ({"mcp_name": "die"}, -32020),
        ({"mcp_name": "=?base64?!?="}, -32020),
        ({"mcp_protocol_version": "2025-11-25"}, -32020),
    ],
)
def test_headers_that_do_not_say_what_the_body_says_are_refused(plain: Running, changed: dict, code: int) -> None:
    refused = ask_modern(plain, call("echo", text="x"), **changed)
    assert (refused.status_code, refused.json()["error"]["code"], refused.json()["id"]) == (400, code, 1)


def test_a_version_that_is_not_spoken_is_refused_with_those_that_are(plain: Running) -> None:
    headers, body = modern(call("echo", text="x"))
    body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2030-01-01"
    refused = httpx.post(plain.mcp, headers=headers | {"mcp-protocol-version": "2030-01-01"}, json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32022)
    assert refused.json()["error"]["data"]["supported"] == ["2026-07-28"]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_the_stateless_era_has_post_only(plain: Running, method: str) -> None:
    refused = httpx.request(method, plain.mcp, headers=HEADERS | {"mcp-protocol-version": "2026-07-28"})
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


def test_a_notification_of_the_stateless_era_is_taken_and_goes_nowhere(plain: Running) -> None:
    headers, body = modern(request("notifications/cancelled", {"requestId": 1}))
    del body["id"]
    assert httpx.post(plain.mcp, headers=headers, json=body).status_code == 202


def test_what_the_stateless_era_has_given_up_is_not_found(plain: Running) -> None:
    assert ask_modern(plain, request("ping")).status_code == 404


# Who may call.


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"host": "evil.example"}])
def test_pages_of_others_are_kept_out(plain: Running, headers: dict[str, str]) -> None:
    assert httpx.post(plain.mcp, headers=HEADERS | headers, json=request("initialize")).status_code == 403


def test_a_token_is_asked_for_and_kept_from_the_server(start: Callable[..., Running]) -> None:
    bridge = start(KAOS_BRIDGE_TOKEN="s3cret").until_ready()
    assert RawSession(bridge.mcp).opened.status_code == 401
    assert RawSession(bridge.mcp, authorization="Bearer wrong").opened.status_code == 401
    assert RawSession(bridge.mcp, authorization=b"Bearer \xff").opened.status_code == 401
    assert RawSession(bridge.mcp, authorization="Bearer s3cret").opened.status_code == 200
    assert RawSession(bridge.mcp, **{"x-kaos-token": "s3cret"}).opened.status_code == 200
    for child in bridge.children():
        assert "KAOS_BRIDGE_TOKEN" not in child.environ()


# Readiness, and ends.


def test_a_server_that_cannot_start_is_not_ready_and_says_why(start: Callable[..., Running]) -> None:
    bridge = start(BEHAVIOUR="crash")
    bridge.until(lambda: "exit code" in httpx.get(f"{bridge.url}/ready").text, "telling the reason")
    told = httpx.get(f"{bridge.url}/ready")
    assert told.status_code == 503
    assert told.json()["message"] == "the server ended with exit code 1; its last words: no config file"
    assert httpx.get(f"{bridge.url}/health").status_code == 200
    opened = RawSession(bridge.mcp).opened.json()
    assert "no config file" in opened["error"]["message"]


def test_a_server_that_says_nothing_is_not_ready(start: Callable[..., Running]) -> None:
    bridge = start(BEHAVIOUR="mute")
    bridge.until(lambda: len(bridge.children()) == 1, "started")
    assert httpx.get(f"{bridge.url}/ready").json() == {"status": "not ready", "message": "the server is starting"}


def test_a_server_that_was_killed_is_started_again(start: Callable[..., Running]) -> None:
    bridge = start().until_ready()
    bridge.until(lambda: len(bridge.children()) == 2, "with a spare")
    for child in bridge.children():
        os.kill(child.pid, signal.SIGKILL)
    bridge.until(lambda: bridge.metric("kaos_bridge_process_crashes_total") == 1, "noticing")
    bridge.until_ready()
    assert ask_modern(bridge, call("echo", text="again")).json()["result"]["content"][0]["text"] == "again"
    assert "result" in RawSession(bridge.mcp).opened.json()


def test_sigterm_finishes_what_is_under_way_and_leaves_nothing(start: Callable[..., Running]) -> None:
    bridge = start().until_ready()
    session = RawSession(bridge.mcp)
    answers: list[bytes] = []
    body = request("tools/call", {"name": "flood", "arguments": {"times": 20_000}, "_meta": {"progressToken": 1}})

    def read() -> None:
        with httpx.stream("POST", bridge.mcp, headers=session.headers, json=body, timeout=60) as stream:
            began.set()
            answers.append(stream.read())

    began = threading.Event()
    reading = threading.Thread(target=read)
    reading.start()
    assert began.wait(20)
    children = bridge.children()
    assert bridge.end() == 0
    reading.join(20)
    assert b'"flooded"' in answers[0][-200:]
    assert not psutil.wait_procs(children, 5)[1]


# Where the server goes.


def test_a_server_that_fetches_is_kept_from_private_addresses_unless_allowed(start: Callable[..., Running]) -> None:
    guarded = start("--egress-port", "0").until_ready()
    open_to_us = start("--egress-port", "0", "--egress-allow", "127.0.0.1").until_ready()
    for bridge, expected in ((guarded, "127.0.0.1 is no public address"), (open_to_us, '"status": "ok"')):
        answer = RawSession(bridge.mcp).post(call("fetch", url=f"{open_to_us.url}/health"))
        assert expected in answer.json()["result"]["content"][0]["text"]
