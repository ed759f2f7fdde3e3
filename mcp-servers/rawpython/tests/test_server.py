"""What a client of either protocol era gets from a running server."""

from __future__ import annotations

import json
import time

import pytest
from fastmcp import Client

MODERN, LEGACY = "2026-07-28", "2025-11-25"


@pytest.fixture(params=["auto", "legacy"], ids=["2026-07-28", "2025-11-25"])
async def client(request, server):
    """FastMCP's own client, which negotiates the era, or shakes hands."""
    async with Client(server.url, mode=request.param) as connected:
        yield connected


versions = pytest.mark.parametrize("version", [MODERN, LEGACY])


async def test_tools_are_listed_in_order_with_what_their_hints_and_docstrings_say(client):
    tools = {tool.name: tool for tool in await client.list_tools()}
    assert list(tools)[:4] == ["add", "distance", "move", "later"]
    assert not {"_scaled", "dedent", "hypot", "get_context", "Point", "cache"} & set(tools)
    add = tools["add"]
    assert add.description == "Add two numbers."
    assert add.input_schema["properties"] == {
        "a": {"type": "integer", "description": "the first"},
        "b": {"type": "integer", "description": "the second"},
    }
    assert add.input_schema["required"] == ["a", "b"]
    assert add.output_schema["properties"]["result"] == {"type": "integer"}
    distance = tools["distance"].input_schema
    assert distance["properties"]["unit"] == {"default": "m", "enum": ["m", "km"], "type": "string"}
    assert distance["properties"]["point"]["properties"]["y"] == {"default": 0, "type": "number"}
    assert list(tools["steps"].input_schema["properties"]) == ["number"]


@pytest.mark.parametrize(
    ("tool", "arguments", "result"),
    [
        ("add", {"a": 2, "b": 3}, {"result": 5}),
        ("distance", {"point": {"x": 3, "y": 4}}, {"result": 50}),
        ("move", {"point": {"x": 1}}, {"x": 2, "y": 0}),
        ("later", {"word": "hi"}, {"result": ["hi", "hi"]}),
        ("tidy", {"text": "  a\n  b"}, {"result": "a\nb"}),
        ("whatever", {"value": 5}, {"result": 5}),
        ("whatever", {"value": [1, "two"]}, {"result": [1, "two"]}),
        ("whatever", {"value": {"a": 1}}, {"a": 1}),
        ("whatever", {"value": None}, None),
        ("nothing", {}, {"result": None}),
        ("count", {"to": 3}, {"result": [0, 1, 2]}),
        ("count_later", {"to": 3}, {"result": [0, 1, 2]}),
        ("square", {"n": 4}, {"result": 16}),
        ("has_own_loop", {}, {"result": 7}),
    ],
)
async def test_a_result_is_structured(client, tool, arguments, result):
    answer = await client.call_tool(tool, arguments)
    assert answer.structured_content == result


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("fail", {}, "ValueError: the answer is 41"),
        ("leave", {"status": 3}, "SystemExit: 3"),
        ("add", {"a": "two", "b": 3}, "a: Input should be a valid integer, unable to parse string as an integer"),
        ("add", {"a": 1, "c": 2}, "b: Missing required argument; c: Unexpected keyword argument"),
        ("distance", {"point": {"x": "far"}}, "point.x: Input should be a valid number"),
        ("half", {}, "not Unicode"),
        ("large", {"size": 17_000_000}, "returned 17,000,000 characters; at most 16,777,216"),
        ("no_such_tool", {}, "no_such_tool"),
    ],
)
async def test_an_error_says_what_was_wrong(client, tool, arguments, words):
    answer = await client.call_tool(tool, arguments, raise_on_error=False)
    assert answer.is_error
    assert words in answer.content[0].text
    assert "pydantic.dev" not in answer.content[0].text


@pytest.mark.parametrize("tool", ["steps", "steps_by_lookup"])
async def test_progress_is_reported(client, tool):
    reported = []

    async def note(progress, total, message):
        reported.append((progress, total))

    answer = await client.call_tool(tool, {"number": 3}, progress_handler=note)
    assert answer.structured_content == {"result": "done"}
    assert reported == [(1, 3), (2, 3), (3, 3)]


async def test_five_megabytes_pass(client):
    answer = await client.call_tool("large", {"size": 5_000_000})
    assert len(answer.structured_content["result"]) == 5_000_000


async def test_the_docstring_of_the_program_is_given_as_instructions(server):
    async with Client(server.url, mode="legacy") as client:
        assert client.initialize_result.instructions == "Tools of every shape."
        assert client.initialize_result.server_info.name == "rawpython"


@versions
def test_an_answer_with_nothing_before_it_is_json(server, version):
    answer = server.call("add", version, a=2, b=3)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["result"]["structuredContent"] == {"result": 5}
    assert answer.headers["mcp-session-id"] is None
    assert server.call("fail", version).json["result"]["isError"] is True


@versions
def test_an_answer_with_progress_before_it_is_a_stream(server, version):
    answer = server.call("steps", version, progress="token-1", number=2)
    assert answer.headers["content-type"] == "text/event-stream"
    events = [json.loads(line[6:]) for line in answer.body.decode().splitlines() if line.startswith("data: ")]
    assert [event.get("method") for event in events] == ["notifications/progress", "notifications/progress", None]
    assert [event["params"]["progressToken"] for event in events[:2]] == ["token-1", "token-1"]
    assert events[2]["result"]["structuredContent"] == {"result": "done"}


def test_a_handshake_with_one_replica_serves_for_the_others(server, started):
    replica = started("def add(a: int, b: int) -> int: return a + b\n")
    hello = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}).encode()
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    shaken = server.http("POST", "/mcp", headers, body)
    assert shaken.json["result"]["protocolVersion"] == LEGACY
    assert shaken.headers["mcp-session-id"] is None
    assert replica.call("add", LEGACY, a=1, b=1).json["result"]["structuredContent"] == {"result": 2}


@versions
def test_what_a_tool_prints_is_in_the_log_at_once_and_nowhere_else(server, version):
    word = f"canary-{version}"
    assert server.call("say", version, word=word).json["result"]["content"][0]["text"] == word
    server.log.wait_for(f"said {word}")


def test_what_a_tool_raises_is_in_the_log_with_its_line(server):
    server.call("fail")
    server.log.wait_for("tool fail raised ValueError")
    server.log.wait_for('File "params", line ')
    server.log.wait_for('    raise ValueError("the answer is 41")')
    server.log.wait_for("ValueError: the answer is 41")


@versions
def test_stuck_tools_block_no_other_tool_and_no_probe(started, version):
    server = started(
        "import asyncio, time\n"
        "def stuck() -> None: time.sleep(600)\n"
        "async def stuck_loop() -> None: time.sleep(600)\n"
        "def quick() -> int: return 1\n"
        "async def quick_loop() -> int: return 2\n"
    )
    hanging = [server.begin("stuck", version) for _ in range(50)]
    hanging.append(server.begin("stuck_loop", version))
    began = time.monotonic()
    assert server.call("quick", version).json["result"]["structuredContent"] == {"result": 1}
    assert server.call("quick_loop", version).json["result"]["structuredContent"] == {"result": 2}
    assert server.http("GET", "/health").status == 200
    assert time.monotonic() - began < 5
    for call in hanging:
        call.hang_up()


@versions
def test_a_caller_that_hangs_up_ends_the_call(started, version):
    server = started(
        "import asyncio, time\n"
        "def spin() -> None:\n"
        "    try:\n"
        "        print('begun')\n"
        "        while True: time.monotonic()\n"
        "    finally: print('spin has ended')\n"
        "async def wait() -> None:\n"
        "    try:\n"
        "        print('waiting')\n"
        "        await asyncio.sleep(600)\n"
        "    finally: print('wait has ended')\n"
    )
    for tool, begun in (("spin", "begun"), ("wait", "waiting")):
        pending = server.begin(tool, version)
        server.log.wait_for(begun)
        pending.hang_up()
        server.log.wait_for(f"{tool} has ended")


def test_metrics_count_calls_errors_and_latency_of_each_tool(started):
    server = started("def fine() -> int: return 1\ndef bad() -> int: raise ValueError\ndef idle() -> int: return 1\n")
    for version in (MODERN, LEGACY):
        server.call("fine", version)
        server.call("bad", version)
        server.call("fine", version, wrong=1)
        server.call("no_such_tool", version)
    answer = server.http("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    numbers = dict(line.rsplit(" ", 1) for line in answer.body.decode().splitlines() if not line.startswith("#"))
    for tool, called, failed in (("fine", 4, 2), ("bad", 2, 2), ("idle", 0, 0)):
        assert float(numbers[f'kaos_mcp_tool_calls_total{{tool="{tool}"}}']) == called
        assert float(numbers[f'kaos_mcp_tool_errors_total{{tool="{tool}"}}']) == failed
    assert numbers['kaos_mcp_tool_duration_seconds_count{tool="fine"}'] == "4.0"
    assert numbers['kaos_mcp_tool_duration_seconds_bucket{le="+Inf",tool="bad"}'] == "2.0"
    assert "no_such_tool" not in answer.body.decode()


def test_health_and_readiness_are_told(server):
    assert server.http("GET", "/health").status == 200
    assert server.http("GET", "/ready").status == 200
