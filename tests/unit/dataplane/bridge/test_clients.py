"""What passes the bridge, as fastmcp's client sees it, in both eras."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError
from mcp.shared.exceptions import MCPError

from tests.unit.dataplane.bridge.running import Running

SESSIONS, STATELESS = "legacy", "2026-07-28"
both_eras = pytest.mark.parametrize("era", [SESSIONS, "auto"])
# Megabytes take seconds: those of one era are for `make test-full`.
one_era_or_both = pytest.mark.parametrize("era", [SESSIONS, pytest.param("auto", marks=pytest.mark.full)])


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - files and processes tell nobody
            await asyncio.sleep(0.02)


@both_eras
async def test_tools_resources_and_prompts_pass(bridge: Running, era: str) -> None:
    async with Client(bridge.mcp, mode=era) as client:
        assert "add" in [tool.name for tool in await client.list_tools()]
        assert (await client.call_tool("add", {"a": 2, "b": 3})).data == 5
        assert (await client.read_resource("data://greeting"))[0].text == "Grüß Gott"
        assert (await client.get_prompt("review", {"code": "x"})).messages[0].content.text == "Review x"
        with pytest.raises(ToolError, match="out of cheese"):
            await client.call_tool("fail", {})
        with pytest.raises(MCPError):
            await client.get_prompt("nobody", {})


async def test_a_client_of_today_finds_the_stateless_era(bridge: Running) -> None:
    async with Client(bridge.mcp) as client:
        assert client.session.protocol_version == STATELESS
        assert client.session.server_info.name == "stdio"
        assert client.session.instructions == "Add things."


@both_eras
async def test_progress_arrives_in_order_before_the_answer(bridge: Running, era: str) -> None:
    heard = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        heard.append((done, total, message))

    async with Client(bridge.mcp, mode=era) as client:
        assert (await client.call_tool("count", {"to": 3}, progress_handler=on_progress)).data == "counted"
    assert heard == [(1, 3, "at 1"), (2, 3, "at 2"), (3, 3, "at 3")]


async def test_a_server_asks_its_client_back(bridge: Running) -> None:
    async def model(messages: list, params: object, context: object) -> str:
        return f"you said {messages[0].content.text}"

    async def person(message: str, kind: type, params: object, context: object) -> dict[str, str]:
        return {"name": "Ada"}

    client = Client(
        bridge.mcp, mode=SESSIONS, sampling_handler=model, elicitation_handler=person, roots=["file:///srv/data"]
    )
    async with client:
        assert (await client.call_tool("ask_model", {"question": "hi"})).data == "you said hi"
        assert (await client.call_tool("ask_person", {})).data == "accept: Ada"
        assert (await client.call_tool("ask_roots", {})).data == ["file:///srv/data"]


async def test_what_a_server_logs_arrives(bridge: Running) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def on_log(message: object) -> None:
        heard.put_nowait(str(message.data))

    async with Client(bridge.mcp, mode=SESSIONS, log_handler=on_log) as client:
        await client.call_tool("log", {"text": "half way"})
        assert "half way" in await asyncio.wait_for(heard.get(), 10)


async def test_each_session_has_a_server_of_its_own(bridge: Running) -> None:
    async with Client(bridge.mcp, mode=SESSIONS) as one, Client(bridge.mcp, mode=SESSIONS) as other:
        await one.call_tool("remember", {"value": 1})
        assert (await other.call_tool("remember", {"value": 2})).data == 0
        assert (await one.call_tool("remember", {"value": 3})).data == 1


async def test_clients_without_sessions_share_one(bridge: Running) -> None:
    async with Client(bridge.mcp) as one, Client(bridge.mcp) as other:
        assert (await one.call_tool("pid", {})).data == (await other.call_tool("pid", {})).data


@both_eras
async def test_who_gives_up_ends_the_work(bridge: Running, era: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with Client(bridge.mcp, mode=era) as client:
        calling = asyncio.create_task(client.call_tool("wait", {"seconds": 60, "file": str(mark)}))
        await until(lambda: (tmp_path / "mark.begun").exists())
        calling.cancel()
        await until(mark.exists)
        assert (await client.call_tool("add", {"a": 1, "b": 1})).data == 2


@both_eras
async def test_the_end_of_a_server_is_told_with_its_last_words(bridge: Running, era: str) -> None:
    async with Client(bridge.mcp, mode=era) as client:
        with pytest.raises(MCPError, match=r"ended with exit code 3; its last words: .*the disk is full"):
            await client.call_tool("die", {"code": 3})
    async with Client(bridge.mcp, mode=era) as client:
        assert (await client.call_tool("add", {"a": 1, "b": 1})).data == 2


@one_era_or_both
async def test_a_flood_on_stderr_does_no_harm(bridge: Running, era: str) -> None:
    async with Client(bridge.mcp, mode=era) as client:
        async with asyncio.timeout(30):
            assert (await client.call_tool("shout", {"megabytes": 20})).data == "shouted"
    assert bridge.log.stat().st_size < 2_000_000


@one_era_or_both
async def test_an_answer_of_15_mib_passes_and_a_longer_one_is_an_error(bridge: Running, era: str) -> None:
    size = 7 * 1024 * 1024  # fastmcp tells a text twice, as content and as structured content
    async with Client(bridge.mcp, mode=era) as client:
        assert len((await client.call_tool("big", {"size": size})).data) == size
        with pytest.raises(MCPError, match="longer than 16 MiB"):
            await client.call_tool("big", {"size": 17 * 1024 * 1024})
        assert (await client.call_tool("add", {"a": 1, "b": 1})).data == 2


async def test_what_a_server_has_started_ends_with_its_session(bridge: Running) -> None:
    async with Client(bridge.mcp, mode=SESSIONS) as client:
        child = (await client.call_tool("breed", {})).data
        assert psutil.pid_exists(child)
    await until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


async def test_calls_are_counted_by_tool(bridge: Running) -> None:
    async with Client(bridge.mcp) as client:
        await client.call_tool("pid", {})
        with pytest.raises(ToolError):
            await client.call_tool("fail", {})
        with pytest.raises(ToolError):
            await client.call_tool("invented", {})
    assert bridge.metric('kaos_bridge_calls_total{tool="pid"}') >= 1
    assert bridge.metric('kaos_bridge_call_errors_total{tool="fail"}') >= 1
    assert bridge.metric('kaos_bridge_calls_total{tool="_OTHER"}') >= 1
    assert bridge.metric('kaos_bridge_call_seconds_count{tool="pid"}') >= 1
