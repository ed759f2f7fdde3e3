"""Who may not call: pages of a browser, foreign names on a laptop, bodies that are too large or are no JSON."""

from __future__ import annotations

import pytest

LEGACY = "2025-11-25"


@pytest.mark.parametrize(
    ("headers", "in_a_pod", "on_a_laptop"),
    [
        ({}, 200, 200),
        ({"host": "localhost:8000"}, 200, 200),
        ({"host": "[::1]:8000"}, 200, 200),
        ({"host": "127.0.0.1"}, 200, 200),
        ({"host": "mcpserver-calculator.default.svc:8000"}, 200, 403),
        ({"host": "cluster.example.org:6443"}, 200, 403),
        ({"host": "127.0.0.1.evil.example"}, 200, 403),
        ({"host": "localhost@evil.example"}, 200, 403),
        ({"origin": "http://localhost:6274"}, 200, 200),
        ({"origin": "http://127.0.0.1:6274"}, 200, 200),
        ({"origin": "https://evil.example"}, 403, 403),
        ({"origin": "http://localhost.evil.example"}, 403, 403),
        ({"origin": "http://localhost:80@evil.example"}, 403, 403),
        ({"origin": "null"}, 403, 403),
        ({"origin": ""}, 403, 403),
        ({"origin": "chrome-extension://localhost"}, 403, 403),
        ({"origin": "http://evil.example", "host": "evil.example"}, 403, 403),
        ({"origin": "http://localhost:6274", "host": "evil.example"}, 403, 403),
        ({"sec-fetch-site": "same-origin", "host": "evil.example"}, 403, 403),
        ({"sec-fetch-site": "none"}, 200, 200),
    ],
)
def test_foreign_origins_and_hosts_are_refused(server, local_server, headers, in_a_pod, on_a_laptop):
    assert server.call("add", LEGACY, headers, a=1, b=1).status == in_a_pod
    assert local_server.call("one", LEGACY, headers).status == on_a_laptop


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/nothing"])
def test_no_path_is_open_to_other_pages(server, path):
    assert server.http("GET", path, {"origin": "https://evil.example"}).status == 403


@pytest.mark.parametrize("version", ["2026-07-28", LEGACY])
def test_a_body_over_4_mib_is_refused(server, version):
    assert server.call("whatever", version, value="x" * (4 << 20)).status == 413
    assert server.call("whatever", version, value="x" * (3 << 20)).status == 200


@pytest.mark.parametrize("version", ["2026-07-28", LEGACY])
@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content-type": "text/plain"}, b"{}", 400),
        ({"accept": "text/html"}, b"{}", 406),
        ({}, b"{not json", 400),
        ({}, b"[]", 400),
        ({}, b"\xff\xfe", 400),
        ({}, b"[" * 100_000, 400),
    ],
    ids=["no JSON type", "wants no JSON", "no JSON", "a batch", "no text", "deep"],
)
def test_a_request_that_is_no_mcp_is_refused(server, version, headers, body, status):
    usual = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    sent = usual | {"mcp-protocol-version": version} | headers
    assert server.http("POST", "/mcp", sent, body).status == status


def test_a_version_that_nobody_speaks_is_refused(server):
    assert server.call("add", "1999-01-01", a=1, b=1).status == 400


def test_there_is_no_session_to_open_a_stream_in_or_to_end(server):
    headers = {"accept": "text/event-stream", "mcp-protocol-version": LEGACY, "mcp-session-id": "x"}
    assert server.http("GET", "/mcp", headers).status == 405
    assert server.http("DELETE", "/mcp", headers).status == 405
