"""Agents delegate to each other over A2A, never in a circle, never with somebody else's credentials."""

from __future__ import annotations

import asyncio
import json
import threading

import httpx
import pytest
from aiohttp import web

from tests.conftest import free_port


class Peer:
    """An agent that somebody else wrote; answers as `reply(path, body)` says, and notes what it is sent."""

    def __init__(self, reply) -> None:
        self.heard: list[tuple[str, dict[str, str], object]] = []
        self.left = threading.Event()
        self._reply, self._loop, ready = reply, asyncio.new_event_loop(), threading.Event()

        async def begin() -> None:
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", self._handle)
            runner = web.AppRunner(app, handler_cancellation=True)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            ready.set()

        def run() -> None:
            self._loop.create_task(begin())
            self._loop.run_forever()

        threading.Thread(target=run, daemon=True).start()
        assert ready.wait(10)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.method == "POST" else None
        self.heard.append((request.path, {k.lower(): v for k, v in request.headers.items()}, body))
        reply = self._reply(request.path, body)
        if reply is None:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.left.set()
                raise
        status, answer = reply
        if isinstance(answer, str):
            return web.Response(text=answer, status=status, content_type="text/html")
        return web.json_response(answer, status=status)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)


@pytest.fixture
def peer():
    made: list[Peer] = []

    def begin(reply) -> Peer:
        made.append(Peer(reply))
        return made[-1]

    yield begin
    for one in made:
        one.stop()


@pytest.fixture
def begin(start):
    """Start an agent that says what the script says; its URL."""

    def agent(name: str, script: list[str], peers: dict[str, str], **env: str) -> str:
        cards = {
            f"PEER_AGENT_{peer.upper()}_CARD_URL": f"{url}/.well-known/agent-card.json" for peer, url in peers.items()
        }
        given = {"AGENT_NAME": name, "DEBUG_MOCK_RESPONSES": json.dumps(script), "PEER_AGENTS": ",".join(peers)}
        return start("kaos.dataplane.agent", "/health", **(given | cards | env))

    return agent


def call(peer: str, message: str = "go on") -> str:
    return json.dumps({"tool_calls": [{"name": f"delegate_to_{peer}", "arguments": {"message": message}}]})


def asked(url: str, **headers: str) -> dict:
    body = {"messages": [{"role": "user", "content": "go"}]}
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def step_of(answer: dict) -> dict:
    (step,) = answer["kaos"]["steps"]
    return step


def events(url: str) -> list[dict]:
    return httpx.get(f"{url}/memory/events").json()["events"]


def test_an_agent_asks_another_and_both_remember(begin):
    worker = begin("worker", ["the work is done"], {})
    boss = begin("boss", [call("worker", "do it"), "thank you"], {"worker": worker})
    step = step_of(asked(boss))
    assert (step["kind"], step["result"], step["failed"]) == ("delegation", "the work is done", False)
    assert [event["kind"] for event in events(boss)] == [
        "user_message", "delegation_request", "delegation_response", "agent_response"
    ]  # fmt: skip
    received, _ = events(worker)
    assert (received["kind"], received["data"]) == ("task_delegation_received", {"text": "do it", "from": "boss"})


def test_a_circle_ends_with_a_word(begin):
    port = free_port()
    ping = f"http://127.0.0.1:{port}"
    pong = begin("pong", [call("ping"), "pong is done"], {"ping": ping})
    begin("ping", [call("pong"), "ping is done"], {"pong": pong}, PORT=str(port))
    assert step_of(asked(ping))["result"] == "pong is done"
    (error,) = [event for event in events(pong) if event["kind"] == "delegation_error"]
    assert "ping -> pong -> ping" in error["data"]["text"]


def test_a_message_that_came_by_here_before_is_refused(begin):
    url = begin("here", ["never said"], {})
    body = {"messages": [{"role": "user", "content": "go"}]}
    refused = httpx.post(f"{url}/v1/chat/completions", json=body, headers={"x-kaos-delegation-path": "a,here,b"})
    assert refused.status_code == 508
    assert refused.json()["error"]["code"] == "delegation_cycle"


def test_a_message_goes_no_further_than_five_agents(begin):
    url = begin("here", ["never said"], {})
    body = {"messages": [{"role": "user", "content": "go"}]}
    for path, status in (("a,b,c,d,e", 200), ("a,b,c,d,e,f", 508), (",".join(map(str, range(500))), 508)):
        answer = httpx.post(f"{url}/v1/chat/completions", json=body, headers={"x-kaos-delegation-path": path})
        assert answer.status_code == status


def card(path: str) -> tuple[int, object] | None:
    return (200, {"name": "other", "description": "knows things"}) if path.startswith("/.well-known/") else None


def test_the_card_describes_the_peer_and_the_callers_credentials_stay_here(begin, peer):
    said = {"jsonrpc": "2.0", "id": 1, "result": {"message": {"parts": [{"text": "yes"}]}}}
    other = peer(lambda path, body: card(path) or (200, said))
    url = begin("a", [call("other"), "done"], {"other": other.url})
    assert step_of(asked(url, authorization="Bearer canary", cookie="canary"))["result"] == "yes"
    assert "canary" not in json.dumps(other.heard)
    assert other.heard[-1][1]["x-kaos-delegation-path"] == "a"


def test_an_agent_of_the_older_version_is_asked_in_its_words(begin, peer):
    def reply(path, body):
        if found := card(path):
            return found
        if body["method"] != "message/send":
            return 200, {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "what?"}}
        artifact = {"artifactId": "1", "parts": [{"kind": "text", "text": "in old words"}]}
        return 200, {"jsonrpc": "2.0", "id": 1, "result": {"kind": "task", "id": "1", "contextId": "1",
                     "status": {"state": "completed"}, "artifacts": [artifact]}}  # fmt: skip

    url = begin("a", [call("old"), "done"], {"old": peer(reply).url})
    assert step_of(asked(url))["result"] == "in old words"


def test_one_that_only_chats_is_asked_in_a_chat(begin, peer):
    def reply(path, body):
        if path == "/v1/chat/completions":
            return 200, {"choices": [{"message": {"role": "assistant", "content": "just chatting"}}]}
        return 404, "nothing here"

    url = begin("a", [call("chatty"), "done"], {"chatty": peer(reply).url})
    assert step_of(asked(url))["result"] == "just chatting"


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ((200, "<html>hello</html>"), "no A2A"),
        ((500, "<html>oops</html>"), "HTTP 500"),
        (
            (200, {"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "my disk is full"}}),
            "my disk is full",
        ),
        ((200, {"jsonrpc": "2.0", "id": 1, "result": 5}), "answered nothing"),
        (
            (200, {"jsonrpc": "2.0", "id": 1, "result": {"task": {"status": {"state": "TASK_STATE_INPUT_REQUIRED"}}}}),
            "input_required",
        ),
    ],
)
def test_a_peers_fault_is_told_to_the_model(begin, peer, reply, told):
    url = begin("a", [call("other"), "done"], {"other": peer(lambda path, body: card(path) or reply).url})
    step = step_of(asked(url))
    assert step["failed"]
    assert told in step["result"]
    assert "delegation_error" in [event["kind"] for event in events(url)]


def test_a_peer_that_is_away_is_told_and_found_when_it_comes(begin):
    port = free_port()
    url = begin("a", [call("late"), "done"], {"late": f"http://127.0.0.1:{port}"})
    assert "cannot be reached" in step_of(asked(url))["result"]
    begin("late", ["here now"], {}, PORT=str(port))
    assert step_of(asked(url))["result"] == "here now"


def test_who_leaves_ends_the_peers_work_too(begin, peer):
    other = peer(lambda path, body: card(path))
    url = begin("a", [call("other"), "done"], {"other": other.url})
    body = {"messages": [{"role": "user", "content": "go"}]}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{url}/v1/chat/completions", json=body, timeout=1)
    assert other.left.wait(5)
