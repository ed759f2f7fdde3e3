"""The tools of a server: seen, narrowed, opened."""

from __future__ import annotations

import pytest

from kaos.tui.places import Place
from tests.tui.conftest import SIZES, assert_snapshot, shows, until
from tests.tui.workshop import workshop  # noqa: F401


@pytest.mark.parametrize("size", SIZES)
async def test_tools_are_listed_with_what_they_take_and_do(console, workshop, size):  # noqa: F811
    async with console(size=size, at=f"{workshop}/mcp/workshop/tools") as pilot:
        await until(pilot, lambda: shows(pilot, "price") and shows(pilot, "Tell what a piece"))
        assert_snapshot(pilot, "tools")


async def test_a_filter_narrows_them(console, workshop):  # noqa: F811
    async with console(at=f"{workshop}/mcp/workshop/tools") as pilot:
        await until(pilot, lambda: shows(pilot, "scrap"))
        await pilot.press("slash", *"destr")
        await until(pilot, lambda: not shows(pilot, "price"))
        assert shows(pilot, "⚠ destructive")


async def test_enter_opens_the_tool(console, workshop):  # noqa: F811
    async with console(at=f"{workshop}/mcp/workshop/tools") as pilot:
        await until(pilot, lambda: shows(pilot, "price"))
        await pilot.press("down", "down", "down", "down", "down", "enter")
        await until(pilot, lambda: pilot.app.here == Place("invoke", "mcp", workshop, "workshop", "price"))
        await until(pilot, lambda: shows(pilot, "Tell what a piece of furniture costs."))


async def test_the_tools_of_an_agent_lead_to_their_server(console, sample):
    async with console(at="agent/helper/tools") as pilot:
        await until(pilot, lambda: shows(pilot, "calculator"))
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.here.view == "invoke" and pilot.app.here.name == "calculator")


async def test_a_server_that_is_not_there_is_told(console, sample):
    async with console(at="mcp/nowhere/tools") as pilot:
        await until(pilot, lambda: shows(pilot, "nowhere"))
