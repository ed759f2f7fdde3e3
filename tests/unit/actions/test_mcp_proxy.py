"""A server on standard input and output: what the program that started the proxy is told when things go wrong."""

from __future__ import annotations

import json
import queue
import threading

import pytest

from kaos.actions.kinds import MCPSERVER
from kaos.actions.mcp_proxy import StdioProxy
from kaos.actions.reaching import Reach
from kaos.cluster import wait
from kaos.kube.resources import PODS

INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
ANSWERED_S = 20


class Program:
    """One that has started a proxy."""

    def __init__(self, client, room):
        self.heard, self.told, self._lines = queue.Queue(), [], queue.Queue()
        reach = Reach(client.connection, "old", room)
        self._proxy = StdioProxy(reach, lambda text: self.heard.put(json.loads(text)), self.told.append)
        self._thread = threading.Thread(target=self._proxy.run, args=(iter(self._lines.get, b""),), daemon=True)
        self._thread.start()

    def say(self, method, params=None, **more):
        line = {"jsonrpc": "2.0", "method": method, "params": params or {}} | more
        self._lines.put(json.dumps(line).encode() + b"\n")

    def hear(self):
        return self.heard.get(timeout=ANSWERED_S)

    def call(self, number, tool, **arguments):
        self.say("tools/call", {"name": tool, "arguments": arguments}, id=number)

    def begin(self):
        self.say("initialize", INITIALIZE, id="first")
        assert self.hear()["result"]["serverInfo"] == {"name": "old"}
        self.say("notifications/initialized")

    def end(self):
        self._lines.put(b"")
        self._thread.join(ANSWERED_S)
        assert not self._thread.is_alive()


@pytest.fixture
def program(client, room, old):
    old()
    return Program(client, room)


def killed(client, room):
    """Once its pod is gone and the next one is ready."""
    before = client.list(PODS, room, labels=MCPSERVER.selector("old")).items[0]["metadata"]["name"]
    client.delete(PODS, before, room)
    wait.until(client, PODS, before, room, lambda pod: pod is None, 30)


def test_it_passes_what_is_said_and_ends_the_session(program, client, room):
    program.begin()
    program.call(1, "add", a=2, b=3)
    assert program.hear() == {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "5"}]}}
    program.call("x", "nothing")
    assert program.hear()["error"] == {"code": -32602, "message": "Unknown tool or arguments: nothing"}
    program.end()
    following = Program(client, room)
    following.begin()
    following.call(1, "whoami")
    assert following.hear()["result"]["structuredContent"] == {"sessions": 1}
    following.end()


def test_a_restarted_server_gets_a_new_session_and_what_was_under_way_an_error(program, client, room):
    program.begin()
    program.call(1, "drip")
    program.call(2, "whoami")
    assert program.hear()["id"] == 2
    killed(client, room)
    lost = program.hear()
    assert lost["id"] == 1
    assert lost["error"]["code"] == -32603
    program.call(3, "whoami")  # while the next pod may still be starting
    assert program.hear() == {
        "jsonrpc": "2.0", "id": 3, "result": {"content": [], "structuredContent": {"sessions": 1}},
    }  # fmt: skip
    assert program.told == ["the server has forgotten the session; a new one has begun"]
    program.end()


def test_who_has_cancelled_is_told_nothing_more(program):
    program.begin()
    program.call(1, "drip")
    program.say("notifications/cancelled", {"requestId": 1})
    program.call(2, "whoami")
    assert program.hear()["id"] == 2
    program.end()  # nothing is waited for
    assert program.heard.empty()


def test_a_cut_or_senseless_answer_is_an_error(program):
    program.begin()
    program.call(1, "cut")
    assert program.hear()["error"]["message"].startswith("The connection")
    program.call(2, "nonsense")
    assert "HTTP 200: <html>not MCP</html>" in program.hear()["error"]["message"]
    program._lines.put(b"hello\n")
    assert program.hear()["error"]["code"] == -32700


def test_the_stateless_era_passes_too(program):
    """This server refuses it, and its program learns that."""
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    program.say("server/discover", {"_meta": meta}, id=1)
    refused = program.hear()
    assert refused["id"] == 1
    assert "HTTP 400" in refused["error"]["message"]
