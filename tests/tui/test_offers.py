"""What a server has besides tools: resources to read and prompts to fill in."""

from __future__ import annotations

import shlex

import pytest
from textual.widgets import Input, TextArea

from tests.tui.conftest import SIZES, assert_snapshot, screen_text, shows, until
from tests.tui.test_invoke import command, entry, fill
from tests.tui.workshop import workshop  # noqa: F401


@pytest.mark.parametrize("size", SIZES)
async def test_a_resource_is_listed_and_read(console, workshop, size):  # noqa: F811
    async with console(size=size, at=f"{workshop}/mcp/workshop/resources") as pilot:
        await until(pilot, lambda: shows(pilot, "workshop://rules"))
        assert_snapshot(pilot, "resources")
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: shows(pilot, "Wear goggles.") and shows(pilot, "Sweep the floor."))
        assert command(pilot) == "kaos mcp resources workshop workshop://rules -n workshop"
        assert_snapshot(pilot, "resource")


async def test_a_resource_that_is_no_text_is_named_and_saved(console, workshop, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    async with console(at=f"{workshop}/mcp/workshop/resources") as pilot:
        await until(pilot, lambda: shows(pilot, "workshop://logo"))
        await pilot.press("enter")
        await until(pilot, lambda: shows(pilot, "[no text] image/png, 15 bytes"))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: (tmp_path / "logo.png").exists())
        assert (tmp_path / "logo.png").read_bytes() == b"\x89PNG not really"


async def test_the_gap_of_a_pattern_is_filled_first(console, workshop):  # noqa: F811
    async with console(at=f"{workshop}/mcp/workshop/resources") as pilot:
        await until(pilot, lambda: shows(pilot, "workshop://pieces/{name}"))
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(pilot.app.focused, Input))
        await pilot.press(*"stool")
        assert pilot.app.focused.value == "workshop://pieces/stool", "what is typed takes the place of the gap"
        await pilot.press("enter")
        await until(pilot, lambda: shows(pilot, '"legs":4') or shows(pilot, '"legs": 4'))


@pytest.mark.parametrize("size", SIZES)
async def test_a_prompt_is_filled_in(console, workshop, place, size):  # noqa: F811
    async with console(size=size, at=f"{workshop}/mcp/workshop/prompts") as pilot:
        await until(pilot, lambda: shows(pilot, "customer, tone?"))
        await pilot.press("enter")
        await until(pilot, lambda: shows(pilot, "customer *"))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: shows(pilot, "is needed"))
        await fill(pilot, customer="Ada L", tone="stern")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: shows(pilot, "Write a stern offer to Ada L."))
        assert_snapshot(pilot, "prompt")
        assert command(pilot) == "kaos mcp prompts workshop offer 'customer=Ada L' tone=stern -n workshop"
        said = place.run(*shlex.split(command(pilot))[1:]).ok().stdout
        assert said == pilot.app.screen.query_one("#filled TextArea", TextArea).text + "\n"


async def test_a_server_without_any_says_so(console, sample):
    async with console(at="mcp/calculator/resources") as pilot:
        await until(pilot, lambda: shows(pilot, "It has no resources."))
        await pilot.press("p")
        await until(pilot, lambda: shows(pilot, "It has no prompts."))
        await pilot.press("t")
        await until(pilot, lambda: shows(pilot, "Add two numbers"))
        assert "mcp ▸ calculator ▸ tools" in screen_text(pilot)


async def test_a_prompt_s_secret_is_not_in_the_command(console, workshop):  # noqa: F811
    async with console(at=f"{workshop}/mcp/workshop/prompts/offer") as pilot:
        await until(pilot, lambda: shows(pilot, "customer *"))
        await fill(pilot, customer="Ada\x1b")
        assert entry(pilot, "customer") is not None
        assert "Ada" not in command(pilot)
