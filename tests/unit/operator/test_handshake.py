"""The handshake: whatever a pod does when it is asked, it is told in words, in time, and at no other's cost."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kaos.api.names import MCP_CONTAINER, Reason
from kaos.cluster.aio import AsyncClient
from kaos.cluster.connection import IN_CLUSTER, Connection
from kaos.operator import conversations, handshake
from kaos.operator.conversations import converse
from kaos.operator.decide.world import Ask, Handshake
from kaos.operator.handshake import Handshakes
from tests.unit.operator.conditions import until
from tests.unit.operator.scripted_pod import Exchange, Handler, Server
from tests.unit.operator.worlds import pod

Object = dict[str, Any]
SESSION = "session-1"


def tools(*names: str) -> Object:
    return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in names]}


def sessions(**changed: Handler) -> Handler:
    """A good server of the eras with sessions; `changed` answers some methods (`tools_list`) in another way."""

    async def handle(exchange: Exchange) -> None:
        method = exchange.message.get("method") or exchange.method
        if other := changed.get(method.replace("/", "_")):
            return await other(exchange)
        match method:
            case "initialize":
                info = {
                    "protocolVersion": "2025-11-25",
                    "serverInfo": {"name": "S", "version": "1"},
                    "capabilities": {},
                }
                await exchange.result(info, mcp_session_id=SESSION)
            case "tools/list":
                await exchange.result(tools("add", "sub"))
            case "notifications/initialized" | "DELETE":
                await exchange.answer(b"", 202)
            case _:
                await exchange.error(-32601, "Method not found", 404)

    return handle


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    connection = Connection(IN_CLUSTER, "default", "http://127.0.0.1:1", "a test")
    async with AsyncClient(connection) as inside:
        yield inside


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever means to answer has time enough, however busy the machine is."""
    monkeypatch.setattr(conversations, "TIMEOUT_S", 20)
    monkeypatch.setattr(conversations, "END_S", 0.2)


async def test_a_good_server_of_the_eras_with_sessions(client: AsyncClient) -> None:
    async with Server(sessions()) as server:
        answer = await converse(client, server.ask())
    assert answer == Handshake(
        "uid-of-calc-1/containerd://calc-1-0/0",
        good=True,
        server_info={"name": "S", "version": "1"},
        protocol_version="2025-11-25",
        tools=({"name": "add"}, {"name": "sub"}),
        tool_count=2,
    )
    assert server.seen[-1] == ("DELETE", ""), "the session is ended"


async def test_a_good_server_without_sessions(client: AsyncClient) -> None:
    async def handle(exchange: Exchange) -> None:
        if exchange.message["method"] == "server/discover":
            meta = {"io.modelcontextprotocol/serverInfo": {"name": "Modern"}}
            return await exchange.result({"supportedVersions": ["2026-07-28"], "capabilities": {}, "_meta": meta})
        return await exchange.result(tools("add"))

    async with Server(handle) as server:
        answer = await converse(client, server.ask())
    assert answer.good
    assert (answer.protocol_version, answer.server_info) == ("2026-07-28", {"name": "Modern"})
    assert "DELETE" not in {method for method, _ in server.seen}


# What servers do wrong: (handler, reason, words).


async def hang(_: Exchange) -> None:
    await asyncio.sleep(30)


async def close(_: Exchange) -> None:
    return


async def drip(exchange: Exchange) -> None:
    await exchange.raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n")
    while True:
        await exchange.raw(b"{")
        await asyncio.sleep(0.1)


async def drip_head(exchange: Exchange) -> None:
    await exchange.raw(b"HTTP/1.1 200 OK\r\nx: ")
    while True:
        await exchange.raw(b"H")
        await asyncio.sleep(0.1)


async def endless(exchange: Exchange) -> None:
    await exchange.raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
    while True:
        await exchange.raw(b": nothing\n\n" * 10_000)


async def cut(exchange: Exchange) -> None:
    await exchange.raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")


def says(body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> Handler:
    async def handle(exchange: Exchange) -> None:
        await exchange.answer(body, status, kind, **headers)

    return handle


def results(result: Any) -> Handler:
    async def handle(exchange: Exchange) -> None:
        await exchange.result(result)

    return handle


async def another_id(exchange: Exchange) -> None:
    await exchange.answer(b'{"jsonrpc": "2.0", "id": 999, "result": {"tools": []}}')


async def pages_without_end(exchange: Exchange) -> None:
    await exchange.result(tools("a") | {"nextCursor": f"after {exchange.message['id']}"})


async def long_error(exchange: Exchange) -> None:
    await exchange.error(-32000, "line one\nline two\x1b[2J \ud800" + "x" * 100_000)


async def server_behind_is_away(exchange: Exchange) -> None:
    await exchange.error(-32603, "the server at example.org gives no answer", 502)


NOT_MCP = Reason.NOT_AN_MCP_SERVER
FAILED = Reason.HANDSHAKE_FAILED
DEEP = b'{"jsonrpc": "2.0", "id": 2, "result": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001
BOMB = gzip.compress(b"x" * 50_000_000)

BAD = {
    "hangs before anything": (hang, FAILED, "no answer in MCP within"),
    "one byte at a time": (drip, FAILED, "no answer in MCP within"),
    "one byte of the head at a time": (drip_head, FAILED, "no answer in MCP within"),
    "closes at once": (close, FAILED, "no connection"),
    "cuts the body": (cut, FAILED, "the connection was cut"),
    "speaks no HTTP": (lambda exchange: exchange.raw(b"220 smtp.example.org ESMTP\r\n"), FAILED, "speaks no HTTP"),
    "a web page": (says(b"<html>Hello</html>", kind="text/html"), NOT_MCP, "HTTP 200 text/html is no MCP answer"),
    "an empty answer": (says(b""), NOT_MCP, "not JSON"),
    "a web page with 404": (says(b"<html>", 404, "text/html"), NOT_MCP, "HTTP 404 text/html"),
    "401": (says(b"{}", 401), NOT_MCP, "refuses access (HTTP 401)"),
    "403": (says(b"{}", 403), NOT_MCP, "refuses access (HTTP 403)"),
    "500": (says(b"oops", 500, "text/plain"), NOT_MCP, "HTTP 500"),
    "JSON that is no JSON-RPC": (says(b'{"hello": "world"}'), NOT_MCP, "not JSON-RPC"),
    "a JSON list of numbers": (says(b"[1, 2]"), NOT_MCP, "not JSON-RPC"),
    "half of JSON": (says(b'{"jsonrpc": '), NOT_MCP, "not JSON"),
    "bytes": (says(bytes(range(256))), NOT_MCP, "not JSON"),
    "nesting without end": (says(DEEP), NOT_MCP, ""),
    "a redirect": (says(b"", 302, location="http://169.254.169.254/"), NOT_MCP, "HTTP 302"),
    "an unknown version": (sessions(initialize=results({"protocolVersion": "1999-01-01"})), NOT_MCP, "1999-01-01"),
    "a version that is a number": (sessions(initialize=results({"protocolVersion": 7})), NOT_MCP, "protocol version"),
    "a result that is a list": (sessions(initialize=results([])), NOT_MCP, "result"),
    "tools that are a text": (sessions(tools_list=results({"tools": "add"})), NOT_MCP, "holds no tools"),
    "no tools at all": (sessions(tools_list=results({})), NOT_MCP, "holds no tools"),
    "tools of another request": (sessions(tools_list=another_id), NOT_MCP, ""),
    "pages without end": (sessions(tools_list=pages_without_end), NOT_MCP, "has no end"),
    "hangs at tools/list": (sessions(tools_list=hang), FAILED, "no answer in MCP within"),
    "a relay whose server is away": (server_behind_is_away, FAILED, "example.org gives no answer"),
    "an error without end": (sessions(tools_list=long_error), NOT_MCP, "line one line two"),
    "ten megabytes": (sessions(tools_list=says(b" " * 10_000_000)), NOT_MCP, "larger than 8 MiB"),
    "an endless stream": (sessions(tools_list=endless), NOT_MCP, "larger than 8 MiB"),
    "a bomb": (sessions(tools_list=says(BOMB, content_encoding="gzip")), NOT_MCP, "larger than 8 MiB"),
    "rubbish that says it is packed": (sessions(tools_list=says(b"rubbish", content_encoding="gzip")), FAILED, ""),
}


@pytest.mark.parametrize("script", BAD)
async def test_a_bad_server_is_told_in_words(client: AsyncClient, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    handler, reason, words = BAD[script]
    if words == "no answer in MCP within":
        monkeypatch.setattr(conversations, "TIMEOUT_S", 0.6)
    began = time.monotonic()
    async with Server(handler) as server:
        answer = await converse(client, server.ask())
    assert not answer.good
    assert answer.reason is reason, answer.message
    assert words in answer.message
    assert f"port {server.port}, path /mcp" in answer.message or len(answer.message) > 900
    assert len(answer.message) <= 1024
    assert "\n" not in answer.message
    assert "\ud800" not in answer.message
    assert time.monotonic() - began < 18, "it is told before its time is over"


@pytest.mark.parametrize(
    "script", ["tools that are a text", "hangs at tools/list", "an error without end", "ten megabytes"]
)
async def test_a_session_is_ended_even_when_the_conversation_fails(
    client: AsyncClient, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = BAD[script][0]
    if handler is BAD["hangs at tools/list"][0]:
        monkeypatch.setattr(conversations, "TIMEOUT_S", 2)

    async def with_session(exchange: Exchange) -> None:
        if exchange.message.get("method") == "initialize":
            return await sessions()(exchange)
        return await handler(exchange)

    async with Server(with_session) as server:
        await converse(client, server.ask())
        assert server.seen[-1][0] == "DELETE"


@pytest.mark.parametrize(
    "ending", [hang, close, cut, says(b"no", 500), says(b"", 405)], ids=lambda value: value.__name__
)
async def test_a_server_that_cannot_end_a_session_serves_all_the_same(client: AsyncClient, ending: Handler) -> None:
    async with Server(sessions(DELETE=ending)) as server:
        answer = await converse(client, server.ask())
    assert answer.good
    assert answer.tool_count == 2


async def test_nobody_listens(client: AsyncClient) -> None:
    async with Server(sessions()) as server:
        asked = server.ask()
    answer = await converse(client, asked)
    assert (answer.good, answer.reason) == (False, FAILED)
    assert "no connection" in answer.message


async def test_the_refusal_of_the_proxy_is_not_taken_for_an_answer_of_the_pod() -> None:
    status = {"kind": "Status", "apiVersion": "v1", "message": "error trying to reach service: dial tcp: refused"}
    async with Server(says(json.dumps(status).encode(), 503)) as api:
        connection = Connection("a cluster", "default", f"http://127.0.0.1:{api.port}", "a test")
        async with AsyncClient(connection) as outside:
            answer = await converse(outside, Ask(pod(), MCP_CONTAINER, 8000, "/mcp", "mcp"))
    assert (answer.good, answer.reason) == (False, FAILED)
    assert "the API server says: error trying to reach service: dial tcp: refused" in answer.message


async def test_outside_the_cluster_the_pod_is_asked_through_the_api_servers_proxy() -> None:
    paths: list[str] = []

    async def proxied(exchange: Exchange) -> None:
        paths.append(exchange.path)
        await sessions()(exchange)

    async with Server(proxied) as api:
        connection = Connection("a cluster", "default", f"http://127.0.0.1:{api.port}", "a test")
        async with AsyncClient(connection) as outside:
            answer = await converse(outside, Ask(pod(), MCP_CONTAINER, 8000, "/mcp", "mcp"))
    assert answer.good
    assert set(paths) == {"/api/v1/namespaces/apps/pods/calc-1:8000/proxy/mcp"}


# When they are asked.


class Times:
    """Handshakes, and which keys were told of an answer."""

    def __init__(self, client: AsyncClient) -> None:
        self.answered: list[object] = []
        self.handshakes = Handshakes(client, self.answered.append)


@pytest.fixture
async def times(client: AsyncClient) -> AsyncIterator[Times]:
    made = Times(client)
    yield made
    await made.handshakes.stop()


async def test_an_answer_is_kept_and_not_asked_for_again_until_it_is_due(times: Times) -> None:
    async with Server(sessions()) as server:
        assert times.handshakes.ask("key", server.ask()) == handshake.RENEW_S
        times.handshakes.ask("key", server.ask())
        await until(lambda: times.answered)
        due_s = times.handshakes.ask("key", server.ask())
        assert handshake.RENEW_S - 5 < due_s <= handshake.RENEW_S
        assert times.answered == ["key"]
        assert [answer.tool_count for answer in times.handshakes.answers("key")] == [2]
        assert [method for _, method in server.seen].count("tools/list") == 1


async def test_an_answer_is_renewed_when_it_is_due(times: Times, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "RENEW_S", 0.05)
    async with Server(sessions()) as server:
        times.handshakes.ask("key", server.ask())
        await until(lambda: times.answered)
        await asyncio.sleep(0.06)
        times.handshakes.ask("key", server.ask())
        await until(lambda: len(times.answered) == 2)


async def test_a_pod_that_answers_badly_is_asked_again_later_and_later(times: Times) -> None:
    async with Server(close) as server:
        pauses = []
        for number in range(1, 4):
            times.handshakes._pods.get("key", {}).get("uid-of-calc-1/containerd://calc-1-0/0", None) and _make_due(
                times
            )
            times.handshakes.ask("key", server.ask())
            await until(lambda number=number: len(times.answered) == number)
            pauses.append(round(times.handshakes.ask("key", server.ask())))
    assert pauses == [1, 2, 4]


async def test_an_agent_whose_tools_are_not_all_there_is_asked_again_soon(times: Times) -> None:
    servers = [{"name": "calc", "ready": False, "message": "away"}]

    async def agent(exchange: Exchange) -> None:
        await exchange.answer(json.dumps({"tools": [], "servers": servers}).encode())

    async with Server(agent) as server:
        pauses = []
        for number in range(1, 7):
            times.handshakes.ask("key", server.ask(protocol="agent"))
            await until(lambda number=number: len(times.answered) == number)
            pauses.append(round(times.handshakes.ask("key", server.ask(protocol="agent"))))
            _make_due(times)
        assert pauses == [1, 2, 4, 8, 8, 8]
        assert [answer.good for answer in times.handshakes.answers("key")] == [True]
        servers[0]["ready"] = True
        times.handshakes.ask("key", server.ask(protocol="agent"))
        await until(lambda: len(times.answered) == 7)
        assert round(times.handshakes.ask("key", server.ask(protocol="agent"))) == handshake.RENEW_S


def _make_due(times: Times) -> None:
    for one in times.handshakes._pods["key"].values():
        one.answered -= 1000


async def test_another_life_or_another_place_is_asked_at_once(times: Times) -> None:
    async with Server(sessions()) as server:
        times.handshakes.ask("key", server.ask())
        await until(lambda: len(times.answered) == 1)
        times.handshakes.ask("key", server.ask(path="/other"))
        await until(lambda: len(times.answered) == 2)
        times.handshakes.ask("key", server.ask(name="calc-2"))
        await until(lambda: len(times.answered) == 3)


async def test_what_is_forgotten_is_gone_even_when_an_answer_is_under_way(times: Times) -> None:
    async with Server(sessions()) as server, Server(hang) as hanging:
        times.handshakes.ask("key", server.ask())
        await until(lambda: times.answered)
        times.handshakes.ask("key", hanging.ask(name="calc-2"))
        await until(lambda: hanging.open)
        times.handshakes.forget("key", {"uid-of-calc-2/containerd://calc-2-0/0"})
        assert times.handshakes.answers("key") == ()
        times.handshakes.forget("key")
        await until(lambda: not times.handshakes._tasks)
        assert times.answered == ["key"]
        assert times.handshakes._pods == {}


async def test_a_hundred_servers_that_hang_delay_no_other(times: Times) -> None:
    async with Server(hang) as hanging, Server(sessions()) as server:
        for number in range(100):
            times.handshakes.ask(number, hanging.ask(name=f"hangs-{number}"))
        await until(lambda: hanging.open == 100)
        times.handshakes.ask("good", server.ask(name="good"))
        await until(lambda: times.answered == ["good"], timeout_s=15)  # less than one that hangs is waited for


async def test_those_that_hang_give_up_their_places(times: Times, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "PROMPT_S", 0.05)
    monkeypatch.setattr(conversations, "TIMEOUT_S", 20)
    times.handshakes._room = asyncio.Semaphore(4)
    async with Server(hang) as hanging, Server(sessions()) as server:
        for number in range(40):
            times.handshakes.ask(number, hanging.ask(name=f"hangs-{number}"))
        times.handshakes.ask("good", server.ask(name="good"))
        await until(lambda: times.answered == ["good"], timeout_s=15)


async def test_nothing_is_left_open(times: Times, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "TIMEOUT_S", 0.6)
    async with Server(hang) as hanging:
        for number in range(20):
            times.handshakes.ask(number, hanging.ask(name=f"hangs-{number}"))
        await until(lambda: len(times.answered) == 20)
        assert {answer.reason for number in range(20) for answer in times.handshakes.answers(number)} == {FAILED}
        await until(lambda: not times.handshakes._tasks)
