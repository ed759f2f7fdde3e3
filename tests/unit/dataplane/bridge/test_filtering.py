"""Which tools a filter shows and lets be called, before a server of either kind."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from kaos.dataplane.bridge import message as messages
from kaos.dataplane.bridge.filtering import ToolsFilter
from kaos.dataplane.bridge.message import Malformed
from tests.unit.dataplane.bridge.running import RawSession, Running, call, modern, request


def read(text: str) -> messages.Message:
    return messages.read(text.encode())


def calling(name: str) -> messages.Message:
    return read(json.dumps(call(name)))


@pytest.mark.parametrize(
    ("allow", "deny", "name", "passes"),
    [
        ((), (), "anything", True),
        (("get_*",), (), "get_pods", True),
        (("get_*",), (), "delete_pods", False),
        ((), ("delete_*",), "delete_pods", False),
        ((), ("delete_*",), "get_pods", True),
        (("*",), ("get_secrets",), "get_secrets", False),
        (("get_?",), (), "GET_a", False),
        (("[!a]*",), (), "abc", False),
    ],
)
def test_deny_wins_over_allow(allow: tuple[str, ...], deny: tuple[str, ...], name: str, passes: bool) -> None:
    assert (ToolsFilter(allow, deny).refusal(calling(name)) is None) is passes


@pytest.mark.parametrize(
    "text",
    [
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"raw"}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","Name":"raw"}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","argument\\u017f":{}}}',
        '{"jsonrpc":"2.0","id":1,"method":"ping","METHOD":"tools/call","params":{"name":"raw"}}',
        '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"raw"}}',
        '{"jsonrpc":"2.0","id":1,"result":{},"Method":"tools/call","params":{"name":"raw"}}',
    ],
)
def test_what_two_readers_could_read_differently_does_not_pass(text: str) -> None:
    with pytest.raises(Malformed):
        ToolsFilter(deny=("raw",)).refusal(read(text))


def test_a_name_that_is_no_text_is_refused() -> None:
    odd = read('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["echo"]}}')
    assert ToolsFilter(allow=("echo",)).refusal(odd)[0] == -32602


def test_what_is_shown_keeps_its_bytes() -> None:
    answer = read('{"jsonrpc":"2.0","id":1,"result":{"tools": [ {"name":"a", "n":1.50e3} , {"name":"b"}],"x":[]}}')
    filtered = ToolsFilter(deny=("b",))
    assert answer.edited(*filtered.shown(answer)) == (
        '{"jsonrpc":"2.0","id":1,"result":{"tools": [{"name":"a", "n":1.50e3}],"x":[]}}'
    )
    assert ToolsFilter(allow=("a", "b")).shown(answer) == []


def test_a_list_that_is_there_twice_shows_nothing() -> None:
    answer = read('{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}],"tools":[{"name":"b"}]}}')
    assert json.loads(answer.edited(*ToolsFilter(deny=("a",)).shown(answer)))["result"] == {"tools": []}


def test_a_stdio_server_is_filtered_in_both_eras(start: Callable[..., Running]) -> None:
    bridge = start("--allow", "*", "--deny", "d*", "--deny", "raw").until_ready()
    headers, body = modern(request("tools/list"))
    session = RawSession(bridge.mcp)
    for answer in (session.post(request("tools/list")), httpx.post(bridge.mcp, headers=headers, json=body)):
        assert [tool["name"] for tool in answer.json()["result"]["tools"]] == ["echo"]
    told = "tool raw is not offered here: the server's filter leaves it out"
    refused = session.post(call("raw", 7))
    assert (refused.status_code, refused.json()) == (
        200,
        {"jsonrpc": "2.0", "id": 7, "error": {"code": -32602, "message": told}},
    )
    headers, body = modern(call("raw"))
    refused = httpx.post(bridge.mcp, headers=headers, json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32602)
    assert session.post(call("echo", text="hello")).json()["result"]["content"]
