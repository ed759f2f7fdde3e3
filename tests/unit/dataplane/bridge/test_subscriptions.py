"""Who listens hears of what changes, in both eras, as the official SDK's client sees it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import httpx
import pytest
from mcp import Client
from mcp.shared.subscriptions import ResourceUpdated, ToolsListChanged

from tests.unit.dataplane.bridge.running import Running, call, modern, request


async def test_a_listener_hears_what_it_asked_for_and_nothing_else(plain: Running) -> None:
    async with Client(plain.mcp) as client:
        async with client.listen(tools_list_changed=True, resource_subscriptions=["x://1"]) as changes:
            assert changes.honored.tools_list_changed
            assert changes.honored.resource_subscriptions == ["x://1"]
            await client.call_tool("touch", {"uri": "x://2"})
            await client.call_tool("touch", {"uri": "x://1"})
            await client.call_tool("change", {})
            async with asyncio.timeout(20):
                heard = [await anext(changes), await anext(changes)]
    assert heard == [ResourceUpdated(uri="x://1"), ToolsListChanged()]


async def test_what_the_server_cannot_tell_is_not_promised(plain: Running) -> None:
    async with Client(plain.mcp) as client:
        async with client.listen(prompts_list_changed=True, tools_list_changed=True) as changes:
            assert (changes.honored.tools_list_changed, changes.honored.prompts_list_changed) == (True, None)


async def test_a_resource_is_watched_as_long_as_anybody_listens(plain: Running) -> None:
    async def watched(client: Client) -> str:
        return (await client.call_tool("watched", {})).content[0].text

    async with Client(plain.mcp) as client, Client(plain.mcp) as other:
        async with client.listen(resource_subscriptions=["y://1"]):
            async with other.listen(resource_subscriptions=["y://1", "y://2"]):
                assert {"y://1", "y://2"} <= {*(await watched(client)).split()}
            async with asyncio.timeout(20):
                while "y://2" in await watched(client):
                    pass
            assert "y://1" in await watched(client)
        async with asyncio.timeout(20):
            while "y://1" in await watched(client):
                pass


def test_listeners_are_told_when_the_server_ends(start: Callable[..., Running]) -> None:
    bridge = start().until_ready()
    bridge.until(lambda: len(bridge.children()) == 2, "with a spare")
    headers, body = modern(request("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, "é"))
    with httpx.stream("POST", bridge.mcp, headers=headers, json=body, timeout=30) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: message"
        assert "notifications/subscriptions/acknowledged" in next(lines)
        for child in bridge.children():
            os.kill(child.pid, signal.SIGKILL)
        rest = "".join(lines)
    assert '"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":"' in rest


def test_a_listener_must_read_events(plain: Running) -> None:
    headers, body = modern(request("subscriptions/listen", {"notifications": {}}))
    assert httpx.post(plain.mcp, headers=headers | {"accept": "application/json"}, json=body).status_code == 406


@pytest.mark.filterwarnings("ignore:resources/subscribe is removed")
async def test_in_a_session_changes_arrive_on_the_standing_stream(plain: Running) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def on_message(message: object) -> None:
        heard.put_nowait(getattr(message, "method", ""))

    async with Client(plain.mcp, mode="legacy", message_handler=on_message) as client:
        await client.session.subscribe_resource("x://3")
        await client.call_tool("touch", {"uri": "x://3"})
        assert await asyncio.wait_for(heard.get(), 20) == "notifications/resources/updated"


def test_sigterm_ends_subscriptions_at_once(start: Callable[..., Running]) -> None:
    bridge = start().until_ready()
    headers, body = modern(request("subscriptions/listen", {"notifications": {"toolsListChanged": True}}))
    with httpx.stream("POST", bridge.mcp, headers=headers, json=body, timeout=30) as stream:
        lines = stream.iter_lines()
        next(lines)
        bridge.process.terminate()
        assert '"resultType":"complete"' in "".join(lines)
    assert bridge.process.wait(10) == 0


def test_a_call_beside_a_listener_is_answered_to_its_caller_only(plain: Running) -> None:
    headers, body = modern(request("subscriptions/listen", {"notifications": {"toolsListChanged": True}}))
    with httpx.stream("POST", plain.mcp, headers=headers, json=body, timeout=30) as stream:
        lines = (line for line in stream.iter_lines() if line.startswith("data: "))
        next(lines)
        headers, asked = modern(call("change"))
        assert "list_changed" not in httpx.post(plain.mcp, headers=headers, json=asked).text
        assert '"method": "notifications/tools/list_changed"' in next(lines)
