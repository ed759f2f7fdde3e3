"""From its start to its end: light, guarded, within its limits, and gone without breaking off an answer."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

HEAVY = ("pydantic", "mcp", "fastmcp", "openai", "starlette", "uvicorn", "httpx", "opentelemetry", "yaml", "click")


@pytest.fixture(scope="module")
def begin(start, backend):
    def agent(**env: str) -> str:
        base = {"AGENT_NAME": "living", "MODEL_API_URL": backend.url, "MODEL_NAME": "scripted"}
        return start("kaos.dataplane.agent", "/health", **(base | env))

    return agent


def post(url: str, words: str, **more: object) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": words}], **more}
    return httpx.post(f"{url}/v1/chat/completions", json=body, timeout=30)


def test_it_loads_nothing_heavy():
    code = (
        "import sys, kaos.dataplane.agent.app, kaos.dataplane.agent.serving\n"
        f"print(*sorted({{name.partition('.')[0] for name in sys.modules}} & {{*{HEAVY!r}}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == []


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_it_takes_less_than_50_mb(begin, start):
    url = begin()
    for _ in range(20):
        post(url, "say x")
    status = Path(f"/proc/{start.running[-1].pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]
    assert int(resident) / 1024 < 50


def test_who_calls_under_a_name_that_is_not_this_machines_is_refused(begin):
    url = begin()
    assert httpx.get(f"{url}/tools", headers={"host": "evil.example"}).status_code == 403
    assert httpx.get(f"{url}/tools", headers={"origin": "https://evil.example"}).status_code == 403
    assert httpx.get(f"{url}/tools", headers={"origin": "http://localhost:3000"}).status_code == 200


def test_an_answer_has_a_deadline_streamed_or_not(begin, backend):
    url = begin(AGENT_DEADLINE_S="1")
    for stream in (False, True):
        backend.cancelled.clear()
        began = time.monotonic()
        answer = post(url, "stall", stream=stream)
        assert time.monotonic() - began < 15
        if stream:
            *_, error, done = answer.text.strip().split("\n\n")
            assert json.loads(error.removeprefix("data: "))["error"]["code"] == "deadline_exceeded"
            assert done == "data: [DONE]"
        else:
            assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")
        assert backend.cancelled.wait(5)


def test_a_model_that_falls_silent_is_given_up(begin):
    url = begin(MODEL_TIMEOUT_S="0.5")
    answer = post(url, "silent")
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "model_timeout")


def test_a_model_that_is_not_there_is_told(begin):
    url = begin(MODEL_API_URL="http://127.0.0.1:9")
    answer = post(url, "say x")
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "model_unreachable")


def test_after_sigterm_an_answer_under_way_is_finished_and_the_end_is_good(begin, start):
    url = begin(DRAIN_TIMEOUT_S="10")
    process = start.running[-1]
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(post(url, "slowly one two three four five")))
    asking.start()
    until_running(url)
    process.send_signal(signal.SIGTERM)
    asking.join()
    assert answers[0].json()["choices"][0]["message"]["content"] == "one two three four five "
    assert process.wait(10) == 0


def until_running(url: str) -> None:
    while "kaos_agent_requests_running 1.0" not in httpx.get(f"{url}/metrics").text:
        time.sleep(0.01)  # the agent tells nobody when a question has come in


def test_between_sigterm_and_the_end_it_answers_but_is_not_ready(begin, start):
    url = begin(HOST="0.0.0.0")
    assert httpx.get(f"{url}/ready").status_code == 200
    process = start.running[-1]
    process.send_signal(signal.SIGTERM)
    while (ready := httpx.get(f"{url}/ready")).status_code == 200:
        time.sleep(0.01)  # a signal announces nothing when it has arrived
    assert ready.status_code == 503
    answer = post(url, "say still here")
    assert answer.status_code == 200
    assert answer.headers["connection"] == "close"
    assert process.wait(15) == 0


def test_answers_that_take_too_long_do_not_hold_the_end(begin, start):
    url = begin(DRAIN_TIMEOUT_S="1")
    process = start.running[-1]
    message = {"role": "ROLE_USER", "messageId": "1", "parts": [{"text": "stall"}]}
    params = {"message": message, "configuration": {"returnImmediately": True}}
    httpx.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params})
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_tasks_outlast_a_restart_and_broken_ones_say_so(begin, start, tmp_path):
    path = str(tmp_path / "memory.db")

    def send(url: str, words: str, at_once: bool) -> dict:
        message = {"role": "ROLE_USER", "messageId": "1", "parts": [{"text": words}]}
        params = {"message": message, "configuration": {"returnImmediately": at_once}}
        return rpc(url, "SendMessage", params)["task"]

    def rpc(url: str, method: str, params: dict) -> dict:
        return httpx.post(url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).json()["result"]

    first = begin(MEMORY_PATH=path)
    done, broken = send(first, "say kept", False), send(first, "stall", True)
    start.running[-1].kill()
    start.running[-1].wait()
    second = begin(MEMORY_PATH=path)
    assert rpc(second, "GetTask", {"id": done["id"]})["artifacts"][0]["parts"] == [{"text": "kept "}]
    status = rpc(second, "GetTask", {"id": broken["id"]})["status"]
    assert status["state"] == "TASK_STATE_FAILED"
    assert "restarted" in status["message"]["parts"][0]["text"]


def test_hundreds_of_callers_who_leave_cost_nothing_that_stays(begin, start):
    url = begin()
    fds = Path(f"/proc/{start.running[-1].pid}/fd")
    if not fds.exists():
        pytest.skip("needs /proc")
    post(url, "say warm")
    before = len(list(fds.iterdir()))

    def leave() -> None:
        for _ in range(50):
            body = {"messages": [{"role": "user", "content": "stall"}], "stream": True}
            with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=30) as answer:
                next(answer.iter_raw())

    threads = [threading.Thread(target=leave) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deadline = time.monotonic() + 5
    while len(list(fds.iterdir())) > before + 5:
        assert time.monotonic() < deadline
        time.sleep(0.05)  # a descriptor announces nothing when it is closed
    assert "kaos_agent_requests_running 0.0" in httpx.get(f"{url}/metrics").text
