"""A message keeps its text: ids and tokens are exchanged, all else stays as it came."""

from __future__ import annotations

import json

import pytest

from kaos.dataplane.bridge import modern
from kaos.dataplane.bridge.message import Malformed, Message, error, read

ENVELOPE = '"io.modelcontextprotocol/protocolVersion":"2026-07-28"'


def with_id(message: Message, text: str) -> str:
    return message.edited(message.replace(message.members["id"], text))


def test_only_the_id_is_exchanged() -> None:
    text = (
        '{"jsonrpc" :"2.0", "params":{"id":7,"n":1.50e+3,"b":12345678901234567890123}, "id": "a\\u00e9" ,"method":"x"}'
    )
    assert with_id(read(text.encode()), "41") == text.replace('"a\\u00e9"', "41")


def test_an_id_comes_back_as_it_was_written() -> None:
    message = read(b'{"jsonrpc":"2.0","id":"\\u0041","method":"x"}')
    assert (message.id, message.id_text) == ("A", '"\\u0041"')


def test_a_token_inside_is_found_where_it_is() -> None:
    params = '{"progressToken":9,"_meta":{"k":"progressToken","progressToken": "t" }}'
    text = f'{{"jsonrpc":"2.0","id":1,"method":"x","params":{params}}}'
    message = read(text.encode())
    token = message.inside("params", "_meta")["progressToken"]
    assert message.edited(message.replace(token, "5")) == text.replace(' "t" ', " 5 ")


def test_halves_of_characters_and_line_breaks_between_members_pass() -> None:
    message = read(b'{\r\n"jsonrpc":"2.0",\n"method":"x","params":{"t":"\\ud800\xc3\xa9"}}\r\n')
    assert "\n" not in message.text
    assert '"\\ud800é"' in message.text


@pytest.mark.parametrize(
    "line",
    [
        b"", b"debug", b"[]", b"1", b"{}", b'{"jsonrpc":"2.0"}', b'{"jsonrpc":"1.0","id":1,"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"method":"x"} {}', b'{"jsonrpc":"2.0","id":1,"method":"x"', b"\xff\xfe",
        b'{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}', b'{"jsonrpc":"2.0","id":true,"method":"x"}',
        b'{"jsonrpc":"2.0","id":null,"method":"x"}', b'{"jsonrpc":"2.0","id":1.5,"method":"x"}',
        b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', b'{"jsonrpc":"2.0","id":1,"result":NaN}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":[]}', b'{"jsonrpc":"2.0","id":1,"result":' + b"[" * 100_000,
        b'{"jsonrpc":"2.0",}', b'{"jsonrpc":"2.0" "id":1}', b'{"jsonrpc":"2.0","id":}', b'{"a', b'{"a"',
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(Malformed):
        read(line)


@pytest.mark.parametrize(
    ("meta", "left"),
    [
        (f"{{{ENVELOPE}}}", "{}"),
        (f'{{{ENVELOPE},"a": 1}}', '{"a": 1}'),
        (f'{{"a":1 , {ENVELOPE} }}', '{"a":1}'),
        (f'{{ "a":1,{ENVELOPE},"b":{{"c":[2]}}}}', '{"a":1,"b":{"c":[2]}}'),
        ('{ "a":1 }', '{ "a":1 }'),
    ],
)
def test_what_only_the_stateless_era_says_is_taken_out(meta: str, left: str) -> None:
    text = f'{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"_meta":{meta},"z": 1}}}}'
    message = read(text.encode())
    assert message.edited(*modern.without_envelope(message)) == text.replace(meta, left)


def test_token_and_envelope_are_changed_together() -> None:
    text = f'{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"_meta":{{{ENVELOPE},"progressToken":"t","a":1}}}}}}'
    message = read(text.encode())
    token = message.inside("params", "_meta")["progressToken"]
    edited = message.edited(message.replace(token, "8"), *modern.without_envelope(message))
    assert json.loads(edited)["params"] == {"_meta": {"progressToken": 8, "a": 1}}


@pytest.mark.parametrize(
    ("method", "result", "dressed"),
    [
        ("tools/call", "{}", {"resultType": "complete"}),
        ("tools/call", '{"a":1}', {"resultType": "complete", "a": 1}),
        ("tools/call", '{"resultType":"odd"}', {"resultType": "odd"}),
        ("tools/list", '{"tools":[]}', {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "tools": []}),
        ("tools/list", '{"ttlMs":5,"cacheScope":"x"}', {"resultType": "complete", "ttlMs": 5, "cacheScope": "x"}),
    ],
)  # fmt: skip
def test_a_result_gets_what_the_stateless_era_demands(method: str, result: str, dressed: dict) -> None:
    answer = read(f'{{"jsonrpc":"2.0","id":1,"result": {result}}}'.encode())
    assert json.loads(answer.edited(*modern.dressed(method, answer)))["result"] == dressed


def test_an_error_of_ours_is_a_message_that_can_be_read() -> None:
    answer = read(error('"é"', -32603, 'it said "no"').encode())
    assert (answer.id, answer.error_code) == ("é", -32603)
