"""The mock over HTTP, as the official client and bare HTTP see it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time

import httpx
import openai
import pytest

from tests.unit.dataplane.model.conftest import WAIT_S, Running, environment

ADD = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {
    "a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}}}  # fmt: skip


def user(words: str) -> list[dict]:
    return [{"role": "user", "content": words}]


@pytest.fixture(scope="module")
def client(mock_model: Running) -> openai.OpenAI:
    return openai.OpenAI(base_url=mock_model.v1, api_key="any", max_retries=0, timeout=WAIT_S)


def test_it_says_the_words_again_and_that_it_is_a_mock(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="mock", messages=user("hello there"))
    assert answer.choices[0].message.content == "mock: hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert [model.owned_by for model in client.models.list()] == ["mock", "mock"]


def test_the_same_request_gets_the_same_answer_to_the_byte(mock_model: Running) -> None:
    body = {"model": "mock", "messages": user('call add {"a": 1}')}
    assert mock_model.ask(body).content == mock_model.ask(body).content


def test_usage_adds_up_and_never_changes(client: openai.OpenAI) -> None:
    usage = client.chat.completions.create(model="mock", messages=user("12345678")).usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (6, 4, 10)


def test_a_stream_comes_in_words_and_ends_with_its_usage_when_asked(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="mock", messages=user("one two"), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert texts == ["mock: ", "one ", "two"]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 10
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_a_tool_loop_goes_round_whole_and_streamed(client: openai.OpenAI) -> None:
    messages = user("what is 2 + 3?")
    asked = client.chat.completions.create(model="mock", messages=messages, tools=[ADD])
    call = asked.choices[0].message.tool_calls[0]
    assert (call.function.name, json.loads(call.function.arguments)) == ("add", {"a": 2, "b": 3})
    assert asked.choices[0].finish_reason == "tool_calls"
    with client.chat.completions.stream(model="mock", messages=messages, tools=[ADD]) as stream:
        streamed = stream.get_final_completion().choices[0].message.tool_calls[0]
    assert (streamed.function.name, json.loads(streamed.function.arguments)) == ("add", {"a": 2, "b": 3})
    messages += [asked.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "5"}]
    told = client.chat.completions.create(model="mock", messages=messages, tools=[ADD])
    assert told.choices[0].message.content == "mock: the tool answered 5"


def test_parallel_calls_have_ids_of_their_own(client: openai.OpenAI) -> None:
    words = 'call add {"a": 1, "b": 2}\ncall add {"a": 3, "b": 4}'
    asked = client.chat.completions.create(model="mock", messages=user(words), tools=[ADD])
    calls = asked.choices[0].message.tool_calls
    assert [json.loads(call.function.arguments)["a"] for call in calls] == [1, 3]
    assert len({call.id for call in calls}) == 2


@pytest.mark.parametrize(
    ("choice", "calls"),
    [("none", 0), ("auto", 0), ("required", 1), ({"type": "function", "function": {"name": "add"}}, 1)],
    ids=["none", "auto", "required", "named"],
)
def test_tool_choice_is_heeded(client: openai.OpenAI, choice: object, calls: int) -> None:
    asked = client.chat.completions.create(model="mock", messages=user("hello"), tools=[ADD], tool_choice=choice)
    assert len(asked.choices[0].message.tool_calls or ()) == calls


def test_the_older_completions_are_served_too(client: openai.OpenAI) -> None:
    assert client.completions.create(model="mock", prompt="hello").choices[0].text == "mock: hello"
    stream = client.completions.create(model="mock", prompt="one two", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == "mock: one two"


def test_errors_on_request_reach_the_client_as_what_they_are(client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as limited:
        client.chat.completions.create(model="mock", messages=user("error 429"), stream=True)
    assert limited.value.response.headers["retry-after"] == "1"
    assert "asked to fail" in limited.value.message
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="mock", messages=user("error 500"))


def test_a_model_that_is_not_served_is_named_with_those_that_are(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model="other", messages=user("hello"))
    assert refused.value.code == "model_not_found"
    assert "other" in refused.value.message
    assert "mock, family/*" in refused.value.message
    assert client.chat.completions.create(model="family/any", messages=user("hello")).model == "family/any"
    assert client.models.retrieve("mock").id == "mock"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("other")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "no model"),
        (b'{"model": 7, "messages": []}', "no model"),
        (b'{"model": "mock"}', "messages"),
        (b'{"model": "mock", "messages": []}', "messages"),
        (b'{"model": "mock", "messages": ["hello"]}', "messages"),
    ],
)
def test_what_is_no_request_is_refused_in_the_protocols_shape(mock_model: Running, body: bytes, words: str) -> None:
    refused = mock_model.ask(body)
    assert refused.status_code == 400
    assert words in refused.json()["error"]["message"]
    assert refused.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "more",
    [
        {"tools": 3},
        {"tools": [3, {"function": "x"}, {"function": {"name": 3}}], "tool_choice": "required"},
        {"tools": [{"function": {"name": "a", "parameters": 7}}], "tool_choice": {"function": 7}},
        {"stream_options": "yes", "stream": True},
        {"messages": [{"role": 7, "content": 7}, {}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": 7}, None]}]},
        {"messages": [{"role": "user", "content": "\ud800"}]},
    ],
)
def test_odd_fields_are_no_reason_to_fall_over(mock_model: Running, more: dict) -> None:
    assert mock_model.ask({"model": "mock", "messages": user("a"), **more}).status_code == 200


@pytest.mark.parametrize(("path", "status"), [("/v1/nothing", 404), ("/", 404), ("/v1/chat/completions", 405)])
def test_other_paths_and_methods_are_refused_in_the_protocols_shape(
    mock_model: Running, path: str, status: int
) -> None:
    refused = mock_model.get(path)
    assert refused.status_code == status
    assert refused.json()["error"]["message"]


def test_too_large_a_body_is_refused(mock_model: Running) -> None:
    refused = mock_model.ask(b" " * (64 * 1024 * 1024 + 1))
    assert refused.status_code == 413
    assert "64 MiB" in refused.json()["error"]["message"]


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"host": "evil.example"}])
def test_pages_are_kept_out(mock_model: Running, headers: dict[str, str]) -> None:
    assert mock_model.ask({"model": "mock", "messages": user("a")}, **headers).status_code == 403
    assert mock_model.ask({"model": "mock", "messages": user("a")}, origin="http://localhost:3000").status_code == 200


@pytest.mark.parametrize("path", ["/health", "/ready", "/v1/models"])
def test_it_tells_that_it_lives(mock_model: Running, path: str) -> None:
    assert mock_model.get(path).status_code == 200


def test_numbers_for_prometheus(start) -> None:
    model = start("mock")
    for words in ("12345678", "error 503"):
        model.ask({"model": "mock", "messages": user(words)})
    model.ask(b"{}")
    lines = model.get("/metrics").text.splitlines()
    for line in (
        'kaos_model_requests_total{model="mock",status="200"} 1',
        'kaos_model_requests_total{model="mock",status="503"} 1',
        'kaos_model_requests_total{model="",status="400"} 1',
        'kaos_model_tokens_total{model="mock",kind="prompt"} 6',
        'kaos_model_tokens_total{model="mock",kind="completion"} 4',
        'kaos_model_request_seconds_count{model="mock"} 2',
        'kaos_model_request_seconds_bucket{model="mock",le="+Inf"} 2',
    ):
        assert line in lines
    from prometheus_client.parser import text_string_to_metric_families

    assert {family.name for family in text_string_to_metric_families("\n".join(lines) + "\n")} == {
        "kaos_model_requests", "kaos_model_tokens", "kaos_model_request_seconds",
    }  # fmt: skip


def test_a_script_is_followed_anew_in_each_conversation(start) -> None:
    model = start("mock", MOCK_RESPONSES=json.dumps(["first", "second"]))
    client = openai.OpenAI(base_url=model.v1, api_key="any")
    for _ in range(2):
        messages = user("x")
        for wanted in ("first", "second", "[no more mock responses]"):
            said = client.chat.completions.create(model="mock", messages=messages).choices[0].message
            assert said.content == wanted
            messages += [said, *user("go on")]


def test_latency_is_spread_over_the_answer(start) -> None:
    model = start("mock", MOCK_LATENCY="400ms")
    body = {"model": "mock", "messages": user("one two")}
    began = time.monotonic()
    model.ask(body)
    assert time.monotonic() - began >= 0.4
    began, arrived = time.monotonic(), []
    with httpx.stream("POST", f"{model.v1}/chat/completions", json=body | {"stream": True}) as stream:
        arrived = [time.monotonic() - began for line in stream.iter_lines() if line.startswith("data: {")]
    assert arrived[-1] >= 0.4
    assert arrived[0] < arrived[-1], "the first word comes before the last"


@pytest.mark.parametrize("streaming", [False, True])
def test_stalling_ends_with_the_caller_or_with_the_process(start, streaming: bool) -> None:
    model = start("mock")
    body = {"model": "mock", "messages": user("stall"), "stream": streaming}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{model.v1}/chat/completions", json=body, timeout=0.3)
    gone = 'kaos_model_requests_total{model="mock",status="499"} 1'
    deadline = time.monotonic() + WAIT_S
    while gone not in model.get("/metrics").text:
        assert time.monotonic() < deadline
    data = json.dumps(body).encode()
    with socket.create_connection(("127.0.0.1", int(model.url.rpartition(":")[2]))) as held:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
        held.sendall(head.encode() + data)
        model.get("/health")  # so it has been read
        model.process.send_signal(signal.SIGTERM)
        assert model.process.wait(WAIT_S) == 0


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"MOCK_RESPONSES": "hello"}, "MOCK_RESPONSES must be a JSON list of texts"),
        ({"MOCK_RESPONSES": "[1]"}, "MOCK_RESPONSES must be a JSON list of texts"),
        ({"MOCK_LATENCY": "soon"}, "MOCK_LATENCY must be a length of time such as 200ms, not 'soon'"),
    ],
)
def test_an_environment_that_cannot_be_read_is_named(env: dict[str, str], words: str) -> None:
    command = [sys.executable, "-m", "kaos.dataplane.model", "mock"]
    ended = subprocess.run(command, env=environment(**env), capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stderr) == (78, words + "\n")
