"""The official OpenAI client and the agent understand each other: answers, streams, refusals."""

from __future__ import annotations

import json

import httpx
import openai
import pytest


@pytest.fixture
def client(agent):
    with openai.OpenAI(base_url=f"{agent}/v1", api_key="unused", max_retries=0, timeout=30) as made:
        yield made


def asked(client, words, **more):
    return client.chat.completions.create(model="tested", messages=[{"role": "user", "content": words}], **more)


def test_an_answer_names_its_end_and_its_steps(client):
    answer = asked(client, 'call echo {"text": "hi"}')
    assert answer.choices[0].message.content == "hi"
    assert answer.choices[0].finish_reason == "stop"
    (step,) = answer.model_extra["kaos"]["steps"]
    assert (step["name"], step["arguments"], step["result"]) == ("echo", {"text": "hi"}, "hi")


def test_a_client_that_reads_every_chunks_first_choice_is_not_disturbed_by_steps(client):
    stream = asked(client, 'call echo {"text": "one two"}', stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "one two"


def test_steps_come_before_and_after_a_call_in_a_stream(client):
    chunks = list(asked(client, "call echo {}", stream=True))
    steps = [chunk.model_extra["kaos.step"] for chunk in chunks if "kaos.step" in (chunk.model_extra or {})]
    assert [step.get("result") for step in steps] == [None, "nothing"]


def test_pieces_come_as_the_model_says_them(client):
    pieces = [chunk.choices[0].delta.content for chunk in asked(client, "say one two three", stream=True)]
    assert [piece for piece in pieces if piece] == ["one ", "two ", "three "]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("status 429 7000", openai.RateLimitError),
        ("status 400", openai.BadRequestError),
        ("status 500", openai.InternalServerError),
        ("garbage", openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_before_the_first_word_has_its_own_kind(client, words, kind, stream):
    with pytest.raises(kind):
        list(asked(client, words, stream=True)) if stream else asked(client, words)


def test_a_failure_in_a_stream_is_an_error_to_the_client(client):
    with pytest.raises(openai.APIError, match="before it was complete"):
        list(asked(client, "cut", stream=True))


def test_options_reach_the_model_and_the_models_name_is_the_agents_own(client, backend):
    asked(client, "say x", temperature=0.25, max_tokens=17, stop=["END"], seed=4)
    sent = backend.requests[-1]
    assert sent["model"] == "scripted"
    assert {key: sent[key] for key in ("temperature", "max_tokens", "stop", "seed")} == {
        "temperature": 0.25, "max_tokens": 17, "stop": ["END"], "seed": 4
    }  # fmt: skip


def test_the_callers_system_message_joins_the_one_system_message(client, backend):
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "say x"}]
    client.chat.completions.create(model="tested", messages=messages)
    roles = [message["role"] for message in backend.requests[-1]["messages"]]
    assert roles == ["system", "user"]


def test_tools_of_the_caller_are_refused_and_none_are_offered_on_request(client, backend):
    tool = {"type": "function", "function": {"name": "mine", "parameters": {"type": "object"}}}
    with pytest.raises(openai.BadRequestError, match="its own tools"):
        asked(client, "say x", tools=[tool])
    asked(client, "say x", tool_choice="none")
    assert "tools" not in backend.requests[-1]
    unasked = asked(client, 'call echo {"text": "hi"}', tool_choice="none")
    assert unasked.choices[0].message.content.strip() == "Error: the caller allows no tools"


def test_more_than_one_answer_is_refused(client):
    with pytest.raises(openai.BadRequestError, match="one answer"):
        asked(client, "say x", n=2)


def test_half_a_character_breaks_nothing(agent):
    body = json.dumps({"messages": [{"role": "user", "content": "say \ud800 x"}], "session_id": "halves"})
    for stream in (False, True):
        answer = httpx.post(f"{agent}/v1/chat/completions", content=body[:-1] + f', "stream": {str(stream).lower()}}}')
        assert answer.status_code == 200
        assert "x" in answer.content.decode()
    assert httpx.get(f"{agent}/memory/events", params={"session_id": "halves"}).status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/v1/chat/completions", 405)])
def test_a_wrong_address_is_told_in_openais_shape(agent, method, path, status):
    refused = httpx.request(method, agent + path)
    assert refused.status_code == status
    assert refused.json()["error"]["type"] == "invalid_request_error"


def test_a_failure_after_a_call_is_not_repeated_by_clients_on_their_own(agent, backend):
    before = len(backend.requests)
    with openai.OpenAI(base_url=f"{agent}/v1", api_key="unused", max_retries=2) as client:
        with pytest.raises(openai.APIStatusError) as failed:
            asked(client, 'call echo {"text": "then status 400"}')
    assert failed.value.response.headers["x-should-retry"] == "false"
    calls = [one for one in backend.requests[before:] if one["messages"][-1]["role"] == "user"]
    assert len(calls) == 1
