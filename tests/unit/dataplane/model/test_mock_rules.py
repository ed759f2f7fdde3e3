"""The mock model answers by rules that anybody can foresee."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kaos.dataplane.model import mock
from kaos.dataplane.model.openai import Failure, Reply

WHOLE, NUMBER, TEXT = {"type": "integer"}, {"type": "number"}, {"type": "string"}


def function(name: str, required: list[str] | None = None, **fields: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": fields, "required": list(fields) if required is None else required}
    return {"name": name, "parameters": schema}


TOOLS = [
    function("add", a=WHOLE, b=WHOLE),
    function("words__shout", text=TEXT),
    function("calc__divide", a=NUMBER, b=NUMBER),
    function("get_time", required=[], zone=TEXT),
    function("total", numbers={"type": "array", "items": NUMBER}),
    function("forecast", required=["city"], city=TEXT, days={"anyOf": [WHOLE, {"type": "null"}]}),
    function("delegate_to_worker-1", message=TEXT),
]


def user(words: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": words}]


def called(reply: Reply | None) -> list[tuple[str, Any]]:
    assert reply is not None
    return [(name, json.loads(arguments)) for name, arguments in reply.tool_calls]


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("what is 2 + 3?", ("add", {"a": 2, "b": 3})),
        ("what is 2+3", ("add", {"a": 2, "b": 3})),
        ("add 20 and 22", ("add", {"a": 20, "b": 22})),
        ("the sum of -1 and 5", ("add", {"a": -1, "b": 5})),
        ("what is 7 / 2?", ("calc__divide", {"a": 7, "b": 2})),
        ("what is 7.5 divided by 2?", ("calc__divide", {"a": 7.5, "b": 2})),
        ('shout "hello"', ("words__shout", {"text": "hello"})),
        ("please shout: hello there", ("words__shout", {"text": "hello there"})),
        ("Get time", ("get_time", {})),
        ("get_time zone=UTC", ("get_time", {"zone": "UTC"})),
        ("total 1, 2 and 3.5", ("total", {"numbers": [1, 2, 3.5]})),
        ("forecast Berlin", ("forecast", {"city": "Berlin"})),
        ("forecast for 'New York', 5 days", ("forecast", {"city": "New York", "days": 5})),
        ("forecast city=Paris days=3", ("forecast", {"city": "Paris", "days": 3})),
        ("delegate to worker-1: count the sheep", ("delegate_to_worker-1", {"message": "count the sheep"})),
    ],
)
def test_words_that_ask_for_a_tool_call_it(words: str, call: tuple[str, Any]) -> None:
    assert called(mock.reply(user(words), TOOLS, ())) == [call]


@pytest.mark.parametrize(
    "words",
    ["hello", "what a day", "address the issue", "2 apples", "add milk to the list", "it is 5-3 for us", "call mum"],
)
def test_other_words_come_back_marked(words: str) -> None:
    assert mock.reply(user(words), TOOLS, ()) == Reply(f"mock: {words}")


def test_a_calculator_gets_the_whole_expression() -> None:
    calculator = [function("calculate", expression=TEXT)]
    assert called(mock.reply(user("what is 2 * 3 + 1?"), calculator, ())) == [
        ("calculate", {"expression": "2 * 3 + 1"})
    ]


@pytest.mark.parametrize(
    ("words", "calls"),
    [
        ('call add {"a": 1, "b": 1}', [("add", {"a": 1, "b": 1})]),
        ('call shout {"text": "x"}', [("words__shout", {"text": "x"})]),
        ("call get_time", [("get_time", {})]),
        ('call unknown {"any": ["thing"]}', [("unknown", {"any": ["thing"]})]),
        ('call add {"a": 1,\n "b": 2}\ncall get_time {}', [("add", {"a": 1, "b": 2}), ("get_time", {})]),
    ],
    ids=["a tool", "without its prefix", "without arguments", "not offered", "two at once"],
)  # fmt: skip
def test_a_call_that_is_spelt_out_is_made(words: str, calls: list[tuple[str, Any]]) -> None:
    assert called(mock.reply(user(words), TOOLS, ())) == calls


def test_broken_arguments_are_the_callers_fault() -> None:
    with pytest.raises(Failure) as failed:
        mock.reply(user("call add {a: 1}"), TOOLS, ())
    assert failed.value.status == 400
    assert "call add" in failed.value.message


def test_what_tools_answered_is_told() -> None:
    asked = {"role": "assistant", "content": None, "tool_calls": []}
    one = [*user("what is 2 + 3?"), asked, {"role": "tool", "content": "5"}]
    assert mock.reply(one, TOOLS, ()) == Reply("mock: the tool answered 5")
    two = [*one, {"role": "tool", "content": [{"type": "text", "text": "7"}]}]
    assert mock.reply(two, TOOLS, ()) == Reply("mock: the tools answered 5 and 7")


def test_a_caller_who_insists_gets_a_call_in_any_case() -> None:
    assert called(mock.reply(user("hello"), TOOLS[3:4], (), insist=True)) == [("get_time", {})]
    assert called(mock.reply(user("what is 7 / 2"), TOOLS, (), insist=True)) == [("calc__divide", {"a": 7, "b": 2})]


@pytest.mark.parametrize(("status", "headers"), [(400, {}), (401, {}), (429, {"retry-after": "1"}), (503, {})])
def test_failures_on_request(status: int, headers: dict[str, str]) -> None:
    with pytest.raises(Failure) as failed:
        mock.reply(user(f"error {status}"), [], ())
    assert (failed.value.status, failed.value.headers) == (status, headers)


@pytest.mark.parametrize("words", ["error 200", "error 999", "error", "an error 500"])
def test_what_is_no_failing_status_is_only_words(words: str) -> None:
    assert mock.reply(user(words), [], ()) == Reply(f"mock: {words}")


def test_stalling_on_request() -> None:
    assert mock.reply(user("stall"), TOOLS, ()) is None


def test_a_script_is_followed_turn_by_turn_and_anew_in_each_conversation() -> None:
    calls = [{"name": "add", "arguments": {"a": 1, "b": 2}}, {"name": "get_time"}]
    script = (json.dumps({"content": "wait", "tool_calls": calls}), "done")
    first = mock.reply(user("error 500"), [], script)
    assert first is not None
    assert first.text == "wait"
    assert called(first) == [("add", {"a": 1, "b": 2}), ("get_time", {})]
    after = [*user("x"), {"role": "assistant"}, {"role": "tool", "content": "3"}]
    assert mock.reply(after, [], script) == Reply("done")
    assert mock.reply([*after, {"role": "assistant"}, *user("y")], [], script) == Reply(mock.EXHAUSTED)
    assert mock.reply(user("another conversation"), [], script) == first


def test_a_script_may_give_arguments_that_are_no_json() -> None:
    script = (json.dumps({"tool_calls": [{"name": "add", "arguments": "{not json"}]}),)
    assert mock.reply(user("x"), [], script) == Reply(tool_calls=(("add", "{not json"),))


@pytest.mark.parametrize(
    "text", ['{"tool_calls": 3}', '{"tool_calls": [{"arguments": {}}]}', '{"other": 1}', "[1]", "7"]
)
def test_a_script_of_other_json_is_text(text: str) -> None:
    assert mock.reply(user("x"), [], (text,)) == Reply(text)


@pytest.mark.parametrize(
    "schema",
    [None, [], {"properties": []}, {"properties": {"a": None}, "required": "a"}, {"properties": {"a": {"anyOf": 3}}}],
)
def test_schemas_that_are_none_do_no_harm(schema: Any) -> None:
    assert mock.reply(user("odd 1"), [{"name": "odd", "parameters": schema}], ()) == Reply(tool_calls=(("odd", "{}"),))


@pytest.mark.parametrize("words", ["1" * 1_000_000, "'" * 1_000_000, "1 + " * 250_000, "a=" * 500_000])
@pytest.mark.timeout(5)
def test_long_words_are_answered_as_fast_as_short_ones(words: str) -> None:
    assert mock.reply(user(words), TOOLS, ()) is not None
