"""Whatever the model or a tool does, the caller gets an answer of the right kind, and the agent goes on."""

from __future__ import annotations

import json
import threading
import time

import httpx
import pytest


def said(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"][0]["message"]["content"]


@pytest.fixture(autouse=True)
def goes_on(ask):
    yield
    assert said(ask("say all is well")) == "all is well "


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ("status 429 7000", 429, "the provider's own words"),
        ("status 500", 502, "the provider's own words"),
        ("status 400", 400, "the provider's own words"),
        ("status 401", 502, "the provider's own words"),
        ("html 200", 502, "no chat completion"),
        ("html 502", 502, "HTTP 502"),
        ("garbage", 502, "no chat completion"),
        ("empty", 502, "no chat completion"),
    ],
)
def test_a_models_fault_has_its_status_and_words(ask, words, status, told):
    answer = ask(words)
    assert answer.status_code == status
    assert told in answer.json()["error"]["message"]


def test_retry_after_is_passed_on(ask):
    assert ask("status 429 7000").headers["retry-after"] == "7000"


def test_a_short_failure_is_tried_again(ask):
    assert said(ask("once")) == "better now"


def test_a_longer_one_is_given_up_after_three_tries(ask, backend):
    before = len(backend.requests)
    assert ask("status 503 0").status_code == 503
    assert len(backend.requests) - before == 3


@pytest.mark.parametrize("words", ["cut", "error-inside"])
def test_a_stream_that_breaks_ends_with_an_error_and_no_answer(ask, words):
    assert ask(words).status_code == 502
    events = ask(words, stream=True).text.strip().split("\n\n")
    assert events[-1] == "data: [DONE]"
    assert "error" in json.loads(events[-2].removeprefix("data: "))
    assert '"finish_reason": "stop"' not in "".join(events)


def test_endless_tokens_are_cut(ask):
    answer = ask("endless").json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert len(answer["choices"][0]["message"]["content"]) < 2_000_000


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("fail {}", "no such luck"),
        ("absent {}", "there is no tool absent"),
        ("echo {broken", "not a JSON object"),
        ("echo [1]", "not a JSON object"),
        ('slow {"seconds": "never"}', "Error"),
    ],
)
def test_a_tools_fault_is_told_to_the_model(ask, call, told):
    answer = said(ask(f"call {call}"))
    assert answer.startswith("Error: ")
    assert told in answer


def test_a_huge_result_is_cut_with_a_mark(ask):
    answer = said(ask('call big {"size": 3000000}'))
    assert "[cut here:" in answer
    assert len(answer) < 1_200_000


def test_tools_are_called_side_by_side(ask):
    began = time.monotonic()
    steps = ask('call slow {"seconds": 2} and slow {"seconds": 2} and slow {"seconds": 2}').json()["kaos"]["steps"]
    assert [step["result"] for step in steps] == ["slow"] * 3
    assert time.monotonic() - began < 5.5


def test_a_model_that_never_stops_calling_is_stopped(ask, backend):
    before = len(backend.requests)
    backend_always = ask("always", session_id="always")
    answer = backend_always.json()["choices"][0]
    assert answer["finish_reason"] in ("length", "stop")
    assert len(backend.requests) - before <= 4


def test_a_caller_that_leaves_ends_the_models_work(agent, backend):
    backend.cancelled.clear()
    body = {"messages": [{"role": "user", "content": "stall"}], "stream": True}
    with httpx.stream("POST", f"{agent}/v1/chat/completions", json=body, timeout=10) as answer:
        assert any("one" in line for line in answer.iter_lines())
    assert backend.cancelled.wait(5)


def test_a_caller_of_json_that_leaves_ends_the_models_work(agent, backend):
    backend.cancelled.clear()
    body = {"messages": [{"role": "user", "content": "stall"}]}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{agent}/v1/chat/completions", json=body, timeout=1)
    assert backend.cancelled.wait(5)


def test_the_callers_credentials_never_travel_on(ask, backend):
    ask("say hello", headers={"authorization": "Bearer canary-of-the-caller", "cookie": "a=canary-of-the-caller"})
    sent = backend.headers[-1]
    assert "canary-of-the-caller" not in json.dumps(sent)
    assert sent["authorization" if "authorization" in sent else "Authorization"] == "Bearer sk-of-the-agent"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"messages": []}', b'{"messages": [{"role": "wizard"}]}', b"[" * 100_000, b'{"messages": 5}'],
)
def test_rubbish_is_refused_in_openais_shape(agent, body):
    refused = httpx.post(f"{agent}/v1/chat/completions", content=body)
    assert refused.status_code == 400
    assert refused.json()["error"]["type"] == "invalid_request_error"


def test_a_body_that_is_too_large_is_refused(agent):
    body = {"messages": [{"role": "user", "content": "x" * 5_000_000}]}
    assert httpx.post(f"{agent}/v1/chat/completions", json=body).status_code == 413


def test_a_page_of_somebody_else_is_refused(agent):
    assert httpx.get(f"{agent}/tools", headers={"origin": "https://evil.example"}).status_code == 403
    assert httpx.get(f"{agent}/tools", headers={"origin": "http://localhost:3000"}).status_code == 200


def test_many_callers_get_their_own_answers(ask):
    answers: dict[int, str] = {}

    def one(number: int) -> None:
        answers[number] = said(ask(f"say number {number}"))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: f"number {number} " for number in range(30)}


def test_metrics_count_requests_tokens_and_tools(ask, agent):
    ask("call echo {}")
    text = httpx.get(f"{agent}/metrics").text
    assert "kaos_agent_model_calls_total" in text
    assert 'kaos_agent_tool_calls_total{server="tools",tool="echo"}' in text
