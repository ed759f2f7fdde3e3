"""Servers that others wrote are understood, in both eras, with JSON answers and with event streams."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kaos.mcp.wire import McpError, RpcError
from tests.unit.mcp.talking import Talker

MODERN, SESSIONS = "2026-07-28", "2025-11-25"
ALL = {
    "both": MODERN, "both-json": MODERN, "sessions": SESSIONS, "sessions-json": SESSIONS, "stateless": SESSIONS,
}  # fmt: skip
Url = Callable[[str], str]


@pytest.mark.parametrize("name", ALL)
def test_the_era_is_found_and_the_server_says_who_it_is(talk: Talker, url_of: Url, name: str) -> None:
    with_it = talk(url_of(name))
    with_it.do("open")
    assert with_it.session.protocol_version == ALL[name]
    assert with_it.session.server_info["version"] == "1.2.3"
    with_it.do("close")


@pytest.mark.parametrize("name", ALL)
def test_tools_are_listed_and_called(talk: Talker, url_of: Url, name: str) -> None:
    with_it = talk(url_of(name))
    tools = {tool["name"]: tool for tool in with_it.do("list_tools")}
    assert tools["add"]["description"] == "Add two numbers."
    assert tools["add"]["inputSchema"]["required"] == ["a", "b"]
    answer = with_it.do("call_tool", "add", {"a": 2, "b": 3})
    assert answer["structuredContent"] == {"result": 5}
    assert answer["content"][0]["text"] == "5"
    with_it.do("close")


@pytest.mark.parametrize("name", ALL)
def test_a_tool_that_raises_is_an_answer_not_a_failure(talk: Talker, url_of: Url, name: str) -> None:
    answer = talk(url_of(name)).do("call_tool", "fail", {})
    assert answer["isError"] is True
    assert "out of cheese" in answer["content"][0]["text"]


@pytest.mark.parametrize("name", ALL)
def test_a_tool_that_is_not_there_is_told(talk: Talker, url_of: Url, name: str) -> None:
    def told() -> str:
        try:
            answer = talk(url_of(name)).do("call_tool", "subtract", {})
        except RpcError as error:
            return error.cause
        return answer["content"][0]["text"] if answer["isError"] else ""

    assert "subtract" in told()


@pytest.mark.parametrize("name", ["both", "sessions"])
def test_progress_is_told_while_the_tool_works(talk: Talker, url_of: Url, name: str) -> None:
    told: list[tuple] = []
    answer = talk(url_of(name)).do("call_tool", "count", {"to": 5}, lambda *news: told.append(news))
    assert answer["content"][0]["text"] == "counted"
    assert told == [(number, 5, f"at {number}") for number in range(1, 6)]


@pytest.mark.parametrize("name", ALL)
def test_a_name_that_no_header_can_hold_is_called_all_the_same(talk: Talker, url_of: Url, name: str) -> None:
    assert talk(url_of(name)).do("call_tool", "größe 🧀", {})["content"][0]["text"] == "ja"


@pytest.mark.parametrize("name", ["both", "sessions", "sessions-json"])
def test_an_answer_of_5_mb_arrives_whole(talk: Talker, url_of: Url, name: str) -> None:
    answer = talk(url_of(name)).do("call_tool", "big", {"size": 5_000_000})
    assert len(answer["content"][0]["text"]) == 5_000_000


def test_a_server_known_to_be_modern_is_asked_without_negotiation(talk: Talker, url_of: Url) -> None:
    with_it = talk(url_of("both"), MODERN)
    assert with_it.do("call_tool", "add", {"a": 1, "b": 1})["structuredContent"] == {"result": 2}
    assert with_it.session.protocol_version == MODERN


def test_a_server_that_is_older_than_was_thought_is_called_once(talk: Talker, url_of: Url) -> None:
    with_it = talk(url_of("sessions"), MODERN)
    before = len(with_it.do("call_tool", "calls", {})["structuredContent"]["result"])
    other = talk(url_of("sessions"), MODERN)
    assert other.do("call_tool", "add", {"a": 1, "b": 1})["structuredContent"] == {"result": 2}
    assert other.session.protocol_version == SESSIONS
    assert len(with_it.do("call_tool", "calls", {})["structuredContent"]["result"]) == before + 1


@pytest.mark.parametrize("name", ["low", "low-sessions"])
def test_pages_are_put_together(talk: Talker, url_of: Url, name: str) -> None:
    names = [tool["name"] for tool in talk(url_of(name)).do("list_tools")]
    assert len(names) == len(set(names)) == 20


def test_a_server_that_asks_back_is_answered_and_goes_on(talk: Talker, url_of: Url) -> None:
    answer = talk(url_of("low-sessions")).do("call_tool", "tool-0-0", {})
    told = answer["content"][0]["text"]
    assert "ping: answered" in told
    assert "roots/list: this client offers no such capability" in told


@pytest.mark.parametrize("name", ["low", "low-sessions"])
def test_arguments_are_repeated_in_headers_where_the_schema_asks(talk: Talker, url_of: Url, name: str) -> None:
    answer = talk(url_of(name)).do("call_tool", "nosy-0", {"region": "Zürich", "n": 1})
    assert answer["content"][0]["text"] == "Zürich"


@pytest.mark.parametrize("name", ["sessions", "low-sessions"])
def test_an_ended_session_is_gone_at_the_server(talk: Talker, url_of: Url, name: str) -> None:
    with_it = talk(url_of(name))
    with_it.do("open")
    session = with_it.session._session._id
    with_it.do("close")
    again = talk(url_of(name))
    again.do("open")
    again.session._session._id = session  # what a program would do that keeps the session for too long
    assert again.do("list_tools")
    assert again.session._session._id != session


def test_a_wrong_path_is_no_mcp_server(talk: Talker, url_of: Url) -> None:
    with pytest.raises(McpError, match="HTTP 404"):
        talk(url_of("both").replace("/mcp", "/elsewhere")).do("open")


def test_a_redirect_names_the_place(talk: Talker, url_of: Url) -> None:
    with pytest.raises(McpError, match=r"redirects to \S*/mcp") as told:
        talk(url_of("both") + "/").do("open")
    assert "spec.path" in told.value.cure
