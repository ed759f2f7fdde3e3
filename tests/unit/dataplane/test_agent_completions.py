"""Whatever comes as a chat completion becomes text, calls and figures, or a failure; nothing else."""

from __future__ import annotations

import json
import random

import pytest

from kaos.dataplane.agent.completions import ANSWER_LIMIT, Chunks, Said, whole
from kaos.dataplane.model.openai import Failure


def body(message: object, **more: object) -> bytes:
    return json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]} | more).encode()


def chunk(delta: object, finish: object = None, **more: object) -> bytes:
    return json.dumps({"choices": [{"delta": delta, "finish_reason": finish}]} | more).encode()


def streamed(*data: bytes) -> Said:
    chunks = Chunks()
    for one in data:
        chunks.take(one)
    return chunks.said()


def call(name: str, arguments: object, identity: object = "c1", **more: object) -> dict:
    return {"id": identity, "function": {"name": name, "arguments": arguments}, **more}


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "hi"}, "hi"),
        ({"content": ""}, ""),
        ({"content": None}, ""),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "ab"),
        ({"content": None, "refusal": "no"}, "no"),
        ({"content": "x" * (ANSWER_LIMIT + 5)}, "x" * ANSWER_LIMIT),
    ],
)
def test_text_is_found_where_providers_put_it(message, text):
    assert whole(body(message)).text == text


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"5", b"{}", b'{"choices": []}', b'{"choices": [5]}', b'{"choices": [{}]}', b"\xff",
        body({"content": 5}), body({"content": [5]}), body({"tool_calls": [5]}), body({"tool_calls": [{}]}),
        body({"tool_calls": [{"function": {"name": 5}}]}), body({"tool_calls": [{"function": {"name": ""}}]}),
        b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_completion_is_a_failure(data):
    with pytest.raises(Failure) as failed:
        whole(data)
    assert failed.value.status == 502


def test_pieces_of_calls_are_put_together_by_index():
    said = streamed(
        chunk({"tool_calls": [{"index": 1, "id": "b", "function": {"name": "two", "arguments": "{"}}]}),
        chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "one", "arguments": ""}}]}),
        chunk({"tool_calls": [{"index": 1, "function": {"arguments": '"x": 1}'}}]}, "tool_calls"),
    )
    assert [(one["id"], one["function"]) for one in said.tool_calls] == [
        ("b", {"name": "two", "arguments": '{"x": 1}'}),
        ("a", {"name": "one", "arguments": "{}"}),
    ]


def test_whole_calls_without_an_index_stay_apart():
    said = streamed(
        chunk({"tool_calls": [call("one", "{}", "a")]}), chunk({"tool_calls": [call("two", {"x": 1}, "b")]}, "stop")
    )
    assert [one["function"]["name"] for one in said.tool_calls] == ["one", "two"]
    assert said.tool_calls[1]["function"]["arguments"] == '{"x": 1}'


def test_calls_of_one_id_get_ids_of_their_own():
    said = whole(body({"tool_calls": [call("a", "{}", "same"), call("b", "{}", "same"), call("c", "{}", None)]}))
    assert len({one["id"] for one in said.tool_calls}) == 3


def test_more_calls_than_anybody_makes_are_a_failure():
    with pytest.raises(Failure, match="more than 128 calls"):
        whole(body({"tool_calls": [call("a", "{}")] * 200}))


@pytest.mark.parametrize("data", [[], [chunk({"content": "half"})], [b"[DONE]"], [chunk({}), b"[DONE]"]])
def test_a_stream_that_breaks_off_is_a_failure(data):
    with pytest.raises(Failure) as failed:
        streamed(*data)
    assert failed.value.code == "model_cut"


def test_an_end_mark_is_enough_when_something_was_said():
    assert streamed(chunk({"content": "all"}), b"[DONE]").text == "all"


def test_tokens_or_arguments_without_end_are_cut():
    chunks = Chunks()
    while not chunks.cut:
        chunks.take(chunk({"tool_calls": [{"index": 0, "function": {"name": "a", "arguments": "x" * 60_000}}]}))
    assert (chunks.said().tool_calls, chunks.said().finish) == ([], "length")


@pytest.mark.parametrize(
    ("usage", "found"),
    [
        ({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "more": {}}, [1, 2, 3]),
        ({"prompt_tokens": "1", "completion_tokens": -2, "total_tokens": True}, []),
        (None, []),
        ("many", []),
    ],
)
def test_only_figures_that_make_sense_are_counted(usage, found):
    assert list(whole(body({"content": "x"}, usage=usage)).usage.values()) == found


@pytest.mark.parametrize(
    ("error", "status"),
    [({"message": "overloaded"}, 502), ("overloaded", 502), ({"message": "overloaded", "code": 429}, 429)],
)
def test_an_error_inside_is_told_in_the_providers_words(error, status):
    with pytest.raises(Failure, match="overloaded") as failed:
        streamed(json.dumps({"error": error}).encode())
    assert failed.value.status == status


def test_random_damage_never_becomes_another_exception():
    dice = random.Random(4)
    good = body({"content": "hello", "tool_calls": [call("a", "{}")]}, usage={"prompt_tokens": 1})
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        for read in (whole, streamed):
            try:
                assert isinstance(read(bytes(data)), Said)
            except Failure as failure:
                assert failure.status in (429, 502)  # noqa: PT017
