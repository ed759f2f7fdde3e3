"""What the agent remembers, for how long, and where."""

from __future__ import annotations

import signal

import httpx
import pytest


def post(url: str, words: str, session: str | None = None) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": words}]}
    headers = {"x-session-id": session} if session else {}
    return httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=30)


@pytest.fixture
def begin(start, backend):
    def agent(**env: str) -> str:
        base = {"AGENT_NAME": "remembering", "MODEL_API_URL": backend.url, "MODEL_NAME": "scripted"}
        return start("kaos.dataplane.agent", "/health", **base, **env)

    return agent


def test_a_session_goes_on_where_it_was(begin, backend):
    url = begin()
    session = post(url, "say first").headers["x-session-id"]
    post(url, "say second", session)
    contents = [message["content"] for message in backend.requests[-1]["messages"]]
    assert contents == ["say first", "first ", "say second"]


def test_sessions_do_not_mix(begin, backend):
    url = begin()
    post(url, "say one", "a")
    post(url, "say two", "b")
    assert [message["content"] for message in backend.requests[-1]["messages"]] == ["say two"]


def test_the_model_sees_no_more_than_the_limit(begin, backend):
    url = begin(MEMORY_CONTEXT_LIMIT="2")
    for number in range(4):
        post(url, f"say {number}", "s")
    assert [message["content"] for message in backend.requests[-1]["messages"]] == ["say 2", "2 ", "say 3"]


def test_the_oldest_sessions_and_events_are_forgotten(begin):
    url = begin(MEMORY_MAX_SESSIONS="2", MEMORY_MAX_SESSION_EVENTS="3")
    for name in ("a", "b", "c"):
        post(url, "say x", name)
    assert [one["id"] for one in httpx.get(f"{url}/memory/sessions").json()["sessions"]] == ["c", "b"]
    post(url, "say y", "c")
    assert len(httpx.get(f"{url}/memory/events", params={"session_id": "c"}).json()["events"]) == 3


def test_without_memory_nothing_is_kept(begin, backend):
    url = begin(MEMORY_ENABLED="false")
    post(url, "say one", "s")
    post(url, "say two", "s")
    assert [message["content"] for message in backend.requests[-1]["messages"]] == ["say two"]
    assert httpx.get(f"{url}/memory/sessions").json()["sessions"] == []


def test_a_restart_with_storage_loses_nothing(begin, start, tmp_path):
    path = str(tmp_path / "memory.db")
    url = begin(MEMORY_PATH=path)
    post(url, "say kept", "s")
    process = start.running[-1]
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    events = httpx.get(f"{begin(MEMORY_PATH=path)}/memory/events", params={"session_id": "s"}).json()["events"]
    assert [event["data"]["text"] for event in events] == ["say kept", "kept "]


@pytest.mark.parametrize("session", ["x" * 200, "a\tb"])
def test_a_session_id_that_is_none_is_refused(begin, session):
    url = begin()
    body = {"messages": [{"role": "user", "content": "say x"}], "session_id": session}
    assert httpx.post(f"{url}/v1/chat/completions", json=body).status_code == 400


def test_scripted_responses_begin_again_with_each_request(begin):
    url = begin(DEBUG_MOCK_RESPONSES='["only one"]')
    for _ in range(2):
        assert post(url, "anything").json()["choices"][0]["message"]["content"] == "only one"
