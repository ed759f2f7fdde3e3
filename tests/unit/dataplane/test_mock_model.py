"""The mock model answers by rules that anybody can foresee."""

from __future__ import annotations

import json

import pytest

from kaos.dataplane.model import mock
from kaos.dataplane.model.openai import Failure, Reply

ADD = {"type": "function", "function": {"name": "add", "parameters": {"properties": {
    "a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}}}  # fmt: skip
SHOUT = {"type": "function", "function": {"name": "words__shout", "parameters": {"properties": {
    "text": {"type": "string"}}, "required": ["text"]}}}  # fmt: skip


def user(words: str) -> list[dict]:
    return [{"role": "user", "content": words}]


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("what is 2 + 3?", ("add", {"a": 2, "b": 3})),
        ("add 20 and 22", ("add", {"a": 20, "b": 22})),
        ("the sum of -1 and 5", ("add", {"a": -1, "b": 5})),
        ('call add {"a": 1, "b": 1}', ("add", {"a": 1, "b": 1})),
        ('shout "hello"', ("words__shout", {"text": "hello"})),
    ],
)
def test_words_that_ask_for_a_tool_call_it(words, call):
    assert mock.reply(user(words), [ADD, SHOUT], ()) == Reply(tool_calls=(call,))


@pytest.mark.parametrize("words", ["hello", "what a day", "address the issue", "2 apples"])
def test_other_words_come_back_marked(words):
    assert mock.reply(user(words), [ADD, SHOUT], ()) == Reply(f"mock: {words}")


def test_what_tools_answered_is_told():
    asked = {"role": "assistant", "content": None, "tool_calls": []}
    answers = [{"role": "tool", "content": "5"}, {"role": "tool", "content": "7"}]
    assert mock.reply([*user("x"), asked, *answers], [ADD], ()).text == "mock: the tools answered 5 and 7"


def test_failures_on_request():
    with pytest.raises(Failure) as failed:
        mock.reply(user("error 429"), [], ())
    assert (failed.value.status, failed.value.headers) == (429, {"retry-after": "1"})


def test_a_script_is_followed_turn_by_turn():
    call = json.dumps({"tool_calls": [{"name": "add", "arguments": {"a": 1, "b": 2}}]})
    script = (call, "done")
    assert mock.reply(user("x"), [], script) == Reply(tool_calls=(("add", {"a": 1, "b": 2}),))
    after = [*user("x"), {"role": "assistant"}, {"role": "tool", "content": "3"}]
    assert mock.reply(after, [], script) == Reply("done")
    assert mock.reply([*after, {"role": "assistant"}, *user("y")], [], script) == Reply(mock.EXHAUSTED)
