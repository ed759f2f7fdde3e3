"""Which era, which session, and what is never done twice."""

from __future__ import annotations

import asyncio
import json
import threading

import aiohttp
import pytest

from kaos.mcp.aio import AsyncMcpSession
from kaos.mcp.session import Session
from kaos.mcp.wire import HANDSHAKE, MODERN, AccessRefused, McpError, RpcError
from tests.unit.mcp.scripted import (
    Heard,
    ScriptedServer,
    error,
    events,
    http,
    modern_server,
    result,
    server_of_sessions,
)
from tests.unit.mcp.talking import Talker, sender

FIVE = {"content": [{"type": "text", "text": "5"}]}
CALL = ("call_tool", "add", {"a": 2, "b": 3})


def five(heard: Heard) -> bytes:
    return result(heard, FIVE)


def test_a_modern_server_is_asked_once_and_then_called(talk: Talker) -> None:
    with ScriptedServer(modern_server(five)) as server:
        with_it = talk(server.url)
        assert with_it.do(*CALL) == FIVE
        assert with_it.do(*CALL) == FIVE
        with_it.do("close")
    assert server.asked() == ["server/discover", "tools/call", "tools/call"], "there is no session that would be ended"


def test_a_modern_request_carries_all_it_needs(talk: Talker) -> None:
    with ScriptedServer(modern_server(five)) as server:
        talk(server.url).do(*CALL)
    _, call = server.heard
    meta = call.message["params"]["_meta"]
    assert call.headers["mcp-protocol-version"] == meta["io.modelcontextprotocol/protocolVersion"] == MODERN
    assert (call.headers["mcp-method"], call.headers["mcp-name"]) == ("tools/call", "add")
    assert call.headers["accept"] == "application/json, text/event-stream"
    assert meta["io.modelcontextprotocol/clientInfo"]["name"] == "kaos"
    assert "progressToken" not in meta
    assert "origin" not in call.headers


def test_an_old_server_gets_its_handshake_and_its_session_is_ended(talk: Talker) -> None:
    with ScriptedServer(server_of_sessions(five)) as server:
        with_it = talk(server.url)
        assert with_it.do(*CALL) == FIVE
        with_it.do("close")
        with_it.do("close")
    assert server.asked() == ["server/discover", "initialize", "notifications/initialized", "tools/call", "DELETE"]
    _, begin, _, call, end = server.heard
    assert begin.message["params"]["protocolVersion"] == HANDSHAKE[0]
    assert "mcp-session-id" not in begin.headers
    for heard in (call, end):
        assert (heard.headers["mcp-session-id"], heard.headers["mcp-protocol-version"]) == ("s1", "2025-11-25")


def test_a_server_without_session_ids_is_not_told_of_an_end(talk: Talker) -> None:
    with ScriptedServer(server_of_sessions(five, session=None)) as server:
        with_it = talk(server.url)
        assert with_it.do(*CALL) == FIVE
        with_it.do("close")
    assert server.asked()[-1] == "tools/call"


@pytest.mark.parametrize("version", HANDSHAKE)
def test_the_version_is_the_server_s_to_choose(talk: Talker, version: str) -> None:
    with ScriptedServer(server_of_sessions(five, version=version)) as server:
        with_it = talk(server.url)
        assert with_it.do(*CALL) == FIVE
    assert with_it.session.protocol_version == version
    assert server.heard[-1].headers["mcp-protocol-version"] == version


def test_a_version_that_kaos_does_not_speak_ends_it(talk: Talker) -> None:
    with ScriptedServer(server_of_sessions(five, version="2031-01-01")) as server:
        with pytest.raises(McpError, match="speaks MCP 2031-01-01, which kaos does not") as told:
            talk(server.url).do("open")
    assert told.value.cure == "Update kaos."


def test_a_server_that_refuses_the_newest_handshake_gets_one_it_names(talk: Talker) -> None:
    def reply(heard: Heard) -> bytes:
        if heard.rpc == "initialize" and heard.message["params"]["protocolVersion"] != "2024-11-05":
            return error(heard, 200, -32602, "Unsupported protocol version", {"supported": ["2024-11-05", "1.0"]})
        return server_of_sessions(five, version="2024-11-05")(heard)

    with ScriptedServer(reply) as server:
        with_it = talk(server.url)
        assert with_it.do(*CALL) == FIVE
    assert with_it.session.protocol_version == "2024-11-05"


@pytest.mark.parametrize(
    "refusal",
    [
        lambda heard: error(heard, 400, -32600, "Bad Request: Missing session ID"),
        lambda heard: error(heard, 400, -32000, "Bad Request: Server not initialized"),
        lambda heard: error(heard, 200, -32601, "Method not found"),
        lambda heard: error(heard, 404, -32601, "Method not found"),
        lambda heard: error(heard, 400, -32022, "Unsupported protocol version", {"supported": ["2025-06-18"]}),
        lambda heard: http(400, b"Bad Request", "text/plain"),
        lambda heard: http(406, b"", ""),
        lambda heard: http(500, b"<html>", "text/html"),
        lambda heard: result(heard, {"supportedVersions": ["2025-11-25"]}),
        lambda heard: result(heard, {"supportedVersions": "all"}),
        lambda heard: result(heard, {}),
    ],
)
def test_whatever_an_old_server_says_to_the_new_question_a_handshake_follows(talk: Talker, refusal) -> None:
    def reply(heard: Heard) -> bytes:
        return refusal(heard) if heard.rpc == "server/discover" else server_of_sessions(five)(heard)

    with ScriptedServer(reply) as server:
        with_it = talk(server.url)
        assert with_it.do(*CALL) == FIVE
    assert with_it.session.protocol_version == "2025-11-25"


def test_a_server_of_the_future_is_named(talk: Talker) -> None:
    future = {"supported": ["2030-01-01", "2031-01-01"], "requested": MODERN}
    with ScriptedServer(lambda heard: error(heard, 400, -32022, "no", future)) as server:
        with pytest.raises(McpError, match="speaks only 2030-01-01, 2031-01-01"):
            talk(server.url).do("open")
    assert server.asked() == ["server/discover"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_wants_credentials_says_so_at_once(talk: Talker, status: int) -> None:
    with ScriptedServer(lambda heard: http(status, b"no", "text/plain")) as server:
        with pytest.raises(AccessRefused, match=f"refuses access .HTTP {status}."):
            talk(server.url).do(*CALL)
    assert server.asked() == ["server/discover"]


def test_a_lost_session_is_begun_anew_once(talk: Talker) -> None:
    lost = ["yes"]

    def tools(heard: Heard) -> bytes:
        return http(404, b"Session not found", "text/plain") if lost and lost.pop() else five(heard)

    with ScriptedServer(server_of_sessions(tools)) as server:
        assert talk(server.url).do(*CALL) == FIVE
    assert server.asked()[3:] == ["tools/call", "initialize", "notifications/initialized", "tools/call"]


def test_a_server_that_loses_every_session_is_given_up(talk: Talker) -> None:
    with ScriptedServer(server_of_sessions(lambda heard: http(404, b"", ""))) as server:
        with pytest.raises(McpError, match="forgets its sessions"):
            talk(server.url).do(*CALL)
    assert server.asked().count("tools/call") == 2


@pytest.mark.parametrize("era", [modern_server, server_of_sessions])
@pytest.mark.parametrize(
    "answer",
    [
        lambda heard: events({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}),
        lambda heard: http(500, b"boom", "text/plain"),
        lambda heard: http(503, b"", ""),
        lambda heard: http(502, b"<html>", "text/html"),
        lambda heard: http(408, b"", ""),
        lambda heard: http(429, b"", ""),
        lambda heard: error(heard, 200, -32603, "internal error"),
        lambda heard: error(heard, 500, -32603, "internal error"),
    ],
)
def test_a_call_that_may_have_acted_is_never_made_again(talk: Talker, era, answer) -> None:
    with ScriptedServer(era(answer)) as server:
        with pytest.raises(McpError):
            talk(server.url).do(*CALL)
        with pytest.raises(McpError):
            talk(server.url, MODERN).do(*CALL)
    assert server.asked().count("tools/call") == 2, "one for each session"


def test_a_guess_that_was_wrong_costs_a_negotiation_not_a_second_act(talk: Talker) -> None:
    """Known as modern, but an older version runs by now: it refuses the call unread, and gets it in a session."""
    acted = []

    def tools(heard: Heard) -> bytes:
        if "mcp-session-id" not in heard.headers:
            return error(heard, 400, -32600, "Bad Request: Missing session ID")
        acted.append(heard.id)
        return five(heard)

    with ScriptedServer(server_of_sessions(tools)) as server:
        with_it = talk(server.url, MODERN)
        assert with_it.do(*CALL) == FIVE
    assert len(acted) == 1
    assert with_it.session.protocol_version == "2025-11-25"


def test_an_error_of_the_tool_s_arguments_is_no_reason_to_negotiate(talk: Talker) -> None:
    with ScriptedServer(lambda heard: error(heard, 400, -32602, "unknown tool: add")) as server:
        with pytest.raises(RpcError, match="unknown tool: add") as told:
            talk(server.url, MODERN).do(*CALL)
    assert told.value.code == -32602
    assert server.asked() == ["tools/call"]


def test_a_negotiated_server_s_refusal_keeps_its_code(talk: Talker) -> None:
    with ScriptedServer(modern_server(lambda heard: error(heard, 404, -32601, "no tools here"))) as server:
        with pytest.raises(RpcError, match="no tools here") as told:
            talk(server.url).do("list_tools")
    assert told.value.code == -32601


def test_asked_headers_are_added_after_the_server_has_refused_the_call(talk: Talker) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string", "x-mcp-header": "City"}}}

    def tools(heard: Heard) -> bytes:
        if heard.rpc == "tools/list":
            return result(heard, {"tools": [{"name": "weather", "inputSchema": schema}]})
        if heard.headers.get("mcp-param-city") != "Bern":
            return error(heard, 400, -32020, "Mcp-Param-City does not match")
        return five(heard)

    with ScriptedServer(modern_server(tools)) as server:
        assert talk(server.url).do("call_tool", "weather", {"city": "Bern"}) == FIVE
    assert server.asked()[1:] == ["tools/call", "tools/list", "tools/call"]


@pytest.mark.parametrize("era", [modern_server, server_of_sessions])
def test_progress_and_questions_come_before_the_answer(talk: Talker, era) -> None:
    told: list[tuple] = []

    def tools(heard: Heard) -> bytes:
        if heard.rpc == "reply":
            return http(202, media_type="")
        return events(
            b"",
            {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}},
            {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "a log line"}},
            {"jsonrpc": "2.0", "id": "p", "method": "ping"},
            {"jsonrpc": "2.0", "id": 7, "method": "sampling/createMessage", "params": {}},
            {"jsonrpc": "2.0", "method": "notifications/progress",
             "params": {"progress": 2.5, "total": 4, "message": "nearly"}},
            {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": "much"}},
            {"jsonrpc": "2.0", "id": heard.id, "result": FIVE},
        )  # fmt: skip

    with ScriptedServer(era(tools)) as server:
        assert talk(server.url).do(*CALL, lambda *news: told.append(news)) == FIVE
        (call,) = [heard for heard in server.heard if heard.rpc == "tools/call"]
        replies = [heard.message for heard in server.heard if heard.rpc == "reply"]
    assert told == [(1, None, ""), (2.5, 4, "nearly")]
    assert call.message["params"]["_meta"]["progressToken"] == call.id
    assert replies[0] == {"jsonrpc": "2.0", "id": "p", "result": {}}
    assert (replies[1]["id"], replies[1]["error"]["code"]) == (7, -32601)


def test_pages_end_even_where_the_server_s_do_not(talk: Talker) -> None:
    def same(heard: Heard) -> bytes:
        return result(heard, {"tools": [{"name": "a"}], "nextCursor": "again"})

    def endless(heard: Heard) -> bytes:
        return result(heard, {"tools": [], "nextCursor": f"c{heard.id}"})

    with ScriptedServer(modern_server(same)) as server:
        assert len(talk(server.url).do("list_tools")) == 2
    with ScriptedServer(modern_server(endless)) as server:
        with pytest.raises(McpError, match="has no end"):
            talk(server.url).do("list_tools")


@pytest.mark.parametrize("tools", [None, "all", {}, ["add"], [{"name": 5}], [{"name": "a"}, {}], [None]])
def test_a_list_of_tools_that_is_none_is_refused(talk: Talker, tools) -> None:
    with ScriptedServer(modern_server(lambda heard: result(heard, {"tools": tools}))) as server:
        with pytest.raises(McpError, match="tools/list holds"):
            talk(server.url).do("list_tools")


@pytest.mark.parametrize("info", [None, "name", [], 5])
def test_a_server_that_does_not_say_who_it_is_is_nobody(talk: Talker, info) -> None:
    def reply(heard: Heard) -> bytes:
        meta = {"io.modelcontextprotocol/serverInfo": info}
        return result(heard, {"supportedVersions": [MODERN], "_meta": meta})

    with ScriptedServer(reply) as server:
        with_it = talk(server.url)
        with_it.do("open")
    assert with_it.session.server_info == {}


async def test_a_cancelled_call_closes_its_connection() -> None:
    closed = threading.Event()

    def stuck(heard: Heard) -> bytes:
        return events({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}})

    with ScriptedServer(modern_server(stuck), hold="tools/call", released=closed) as server:
        async with aiohttp.ClientSession() as http_session:
            started = asyncio.Event()
            session = AsyncMcpSession(sender(http_session, server.url))
            call = asyncio.create_task(session.call_tool("add", {}, lambda *_: started.set()))
            await asyncio.wait_for(started.wait(), 10)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await asyncio.to_thread(closed.wait, 10), "the server still waits"


def test_every_request_has_an_id_of_its_own() -> None:
    session = Session()
    ids = [json.loads(next(session.list_tools()).body)["id"] for _ in range(3)]
    assert len(set(ids)) == 3
