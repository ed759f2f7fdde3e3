"""Tool servers may hang, lie, change and go away: the agent uses what is good, and nobody else waits for the rest."""

from __future__ import annotations

import json
import statistics
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.unit.dataplane.odd_server import OddServer, tool

ENDLESS = ("many_items", "too_many_items", "huge")
LYING = ("wrong_id", "broken_json", "no_content", "deep", "html", "cut")
ODD = ("hang", "drip", "progress", "slow_but_telling", "picture", "structured", *LYING)


@pytest.fixture(scope="module", params=["modern", "sessions"])
def odd(request):
    server = OddServer(request.param == "modern", *(tool(name) for name in ODD)).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def begin(start, backend):
    """Start an agent with these tool servers, by name; its URL."""

    def agent(servers: dict[str, str], **env: str) -> str:
        urls = {f"MCP_SERVER_{name.upper().replace('-', '_')}_URL": url for name, url in servers.items()}
        base = {"AGENT_NAME": "equipped", "MODEL_API_URL": backend.url, "MODEL_NAME": "scripted"}
        limits = {"TOOL_TIMEOUT_S": "1", "TOOL_DEADLINE_S": "2.5"}
        more = base | limits | urls | env
        return start("kaos.dataplane.agent", "/health", MCP_SERVERS=",".join(servers), **more)

    return agent


@pytest.fixture(scope="module")
def agent(begin, odd):
    return begin({"odd": odd.url})


def asked(url: str, words: str, **more: object) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": words}], **more}
    return httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60)


def answer(url: str, words: str) -> str:
    said = asked(url, words)
    assert said.status_code == 200, said.text
    return said.json()["choices"][0]["message"]["content"]


def tools_of(url: str) -> dict:
    return httpx.get(f"{url}/tools").json()


def until(holds, timeout_s: float = 15) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # the agent tells nobody when it has looked again


def resident_mb(start) -> float:
    status = Path(f"/proc/{start.running[-1].pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


# What is offered.


def test_two_tools_of_one_name_are_told_apart_and_called_where_the_prefix_says(begin):
    one, two = OddServer(True, tool("add"), tool("only")).start(), OddServer(False, tool("add")).start()
    url = begin({"one": one.url, "two": two.url})
    assert {each["name"] for each in tools_of(url)["tools"]} == {"one__add", "two__add", "only"}
    assert answer(url, "call one__add {}") == str(one.port)
    assert answer(url, "call two__add {}") == str(two.port)
    assert (one.calls, two.calls) == (["add"], ["add"])
    for server in (one, two):
        server.stop()


def test_only_allowed_tools_are_offered_and_no_other_is_called(begin, backend):
    server = OddServer(True, tool("get_a"), tool("get_secret"), tool("delete")).start()
    filters = {"MCP_SERVER_S_ALLOW": "get_*", "MCP_SERVER_S_DENY": "*secret*"}
    url = begin({"s": server.url}, **filters)
    assert [each["name"] for each in tools_of(url)["tools"]] == ["get_a"]
    for forbidden in ("delete", "get_secret"):
        assert answer(url, f"call {forbidden} {{}}") == f"Error: there is no tool {forbidden}"
    assert server.calls == []
    server.stop()


def test_a_tool_that_cannot_be_offered_is_left_out_and_the_others_stay(begin, backend):
    deep: dict = {"type": "object"}
    for _ in range(400):
        deep = {"type": "object", "properties": {"x": deep}}
    bad = [
        tool("", ""),
        tool("list", schema={"type": "array"}),
        tool("big", schema={"type": "object", "x": "y" * 70_000}),
    ]
    server = OddServer(True, tool("good", "d" * 10_000), tool("good", "again"), *bad, tool("no\nname")).start()
    url = begin({"s": server.url})
    offered = tools_of(url)["tools"]
    assert [each["name"] for each in offered] == ["good"]
    assert len(offered[0]["description"]) < 5000
    asked(url, "say x")
    assert [each["function"]["name"] for each in backend.requests[-1]["tools"]] == ["good"]
    server.stop()


def test_a_server_that_is_away_lacks_its_tools_and_comes_back_by_itself(begin):
    here, away = OddServer(True, tool("stays")).start(), OddServer(True, tool("leaves")).start()
    url = begin({"here": here.url, "away": away.url})
    assert {each["name"] for each in tools_of(url)["tools"]} == {"stays", "leaves"}
    away.stop()
    until(lambda: not tools_of(url)["servers"][1]["ready"])
    assert [each["name"] for each in tools_of(url)["tools"]] == ["stays"]
    assert answer(url, "call stays {}") == str(here.port)
    back = OddServer(True, tool("leaves"), tool("new"))
    back.port = away.port
    back.start()
    until(lambda: len(tools_of(url)["tools"]) == 3)
    assert answer(url, "call new {}") == str(back.port)
    for server in (here, back):
        server.stop()


def test_a_server_that_cannot_be_reached_is_told_with_its_address_and_what_to_do(begin):
    url = begin({"away": "http://127.0.0.1:9/mcp"})
    (server,) = tools_of(url)["servers"]
    told = "http://127.0.0.1:9/mcp: Connection refused; see: kaos mcp describe away"
    assert (server["ready"], server["message"]) == (False, told)
    assert answer(url, "call add {}") == f"Error: there is no tool add; tool server away is away, {told}"


def test_a_call_of_a_server_that_has_just_gone_names_it(begin):
    server = OddServer(True, tool("add")).start()
    url = begin({"leaving": server.url})
    tools_of(url)
    server.stop()
    said = answer(url, "call add {}")
    assert f"tool server leaving: {server.url}: Connection refused; see: kaos mcp describe leaving" in said


def test_tools_that_change_are_seen_by_the_next_answers(begin, backend):
    server = OddServer(True, tool("old")).start()
    url = begin({"s": server.url})
    asked(url, "say x")
    server.tools = [tool("new", "other words")]

    def seen() -> bool:
        asked(url, "say x")
        return [each["function"]["name"] for each in backend.requests[-1]["tools"]] == ["new"]

    until(seen)
    server.stop()


def test_a_server_that_hangs_delays_no_answer(begin):
    hung, good = OddServer(True, tool("x")).start(), OddServer(True, tool("good")).start()
    hung.silent = True
    url = begin({"hung": hung.url, "good": good.url})
    asked(url, "say warm")
    times = []
    for _ in range(20):
        began = time.monotonic()
        assert answer(url, "say x") == "x "
        times.append(time.monotonic() - began)
    assert statistics.median(times) < 1.5
    assert max(times) < 2.9  # what the first answers wait for a list
    for server in (hung, good):
        server.stop()


# Calls.


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("hang", "Error: no answer or progress within 1 s"),
        ("drip", "Error: no answer or progress within 1 s"),
        ("progress", "Error: no answer within 2.5 s"),
        *((lie, "Error: tool server odd: ") for lie in LYING),
    ],
)
def test_a_call_that_goes_wrong_is_told_to_the_model_in_time(agent, odd, call, told):
    before = odd.calls.count(call)
    began = time.monotonic()
    assert answer(agent, f"call {call} {{}}").startswith(told)
    assert time.monotonic() - began < 15
    assert odd.calls.count(call) == before + 1


def test_a_tool_that_reports_progress_may_take_longer(agent):
    assert answer(agent, "call slow_but_telling {}") == "at last"


@pytest.mark.parametrize("call", ENDLESS)
def test_an_endless_result_is_cut_and_costs_little_memory(begin, start, call):
    server = OddServer(True, tool("picture"), tool(call)).start()
    url = begin({"s": server.url}, TOOL_TIMEOUT_S="20", TOOL_DEADLINE_S="20")
    answer(url, "call picture {}")
    before = resident_mb(start)
    assert "[cut here" in answer(url, f"call {call} {{}}")
    assert resident_mb(start) - before < 64
    server.stop()


def test_what_is_not_text_is_named(agent):
    assert answer(agent, "call picture {}") == "[image, image/png: not text]\na cat"
    assert json.loads(answer(agent, "call structured {}")) == {"sum": 5}


def test_who_leaves_ends_the_call_at_the_server(agent, odd):
    odd.left.clear()
    notes, ended = len(odd.notes), len(odd.ended)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{agent}/v1/chat/completions",
            json={"messages": [{"role": "user", "content": "call hang {}"}]},
            timeout=0.5,
        )
    assert odd.left.wait(5)
    if not odd._modern:
        until(lambda: len(odd.ended) > ended)
        assert any(note["method"] == "notifications/cancelled" for note in odd.notes[notes:])


def test_a_hundred_calls_at_once_are_done_eight_at_a_time(begin):
    server = OddServer(True, tool("brief")).start()
    url = begin({"s": server.url})
    steps = asked(url, "call " + " and ".join(["brief {}"] * 100)).json()["kaos"]["steps"]
    assert [step["result"] for step in steps] == [str(server.port)] * 100
    assert server.busiest == 8
    server.stop()


def test_sessions_are_used_again_and_ended_at_the_end(begin, start):
    server = OddServer(False, tool("a")).start()
    url = begin({"s": server.url})
    threads = [threading.Thread(target=answer, args=(url, "call a {}")) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(10):
        answer(url, "call a {}")
    assert server._sessions <= 10
    start.running[-1].terminate()
    assert start.running[-1].wait(10) == 0
    assert len(server.ended) == server._sessions
    server.stop()


def test_the_callers_credentials_never_reach_a_tool(agent, odd):
    headers = {"authorization": "Bearer canary", "cookie": "a=canary", "x-api-key": "canary"}
    body = {"messages": [{"role": "user", "content": "call picture {}"}]}
    httpx.post(f"{agent}/v1/chat/completions", json=body, headers=headers, timeout=30).raise_for_status()
    assert "canary" not in json.dumps(odd.headers)
