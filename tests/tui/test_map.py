"""The map: who uses whom, live, in both directions; what is broken says why."""

from __future__ import annotations

import pytest

from kaos.tui.places import Place
from kaos.tui.widgets.outline import Outline
from tests.stories import mcpserver
from tests.tui import troubled as sample_of_trouble
from tests.tui.conftest import SIZES, assert_snapshot, shows, until


@pytest.fixture(scope="module")
def troubled(place):
    return sample_of_trouble.make(place)


def said(pilot, words: str) -> bool:
    return any(words in notice.message for notice in pilot.app._notifications)


def outline(pilot) -> str:
    return pilot.app.screen.query_one(Outline).text


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_map_shows_everything_with_its_state_and_what_is_broken(console, troubled, size):
    async with console(size=size, at="map", namespace=troubled) as pilot:
        await until(pilot, lambda: "does not exist" in outline(pilot) and "● ready mock" in outline(pilot))
        assert_snapshot(pilot, "map")


async def test_the_other_direction_tells_what_would_miss_it(console, troubled):
    async with console(at="map", namespace=troubled) as pilot:
        await until(pilot, lambda: "uses tools of keyed" in outline(pilot))
        await pilot.press("u")
        lines = outline(pilot).splitlines()
        at = next(number for number, line in enumerate(lines) if "MCPServer keyed" in line)
        assert "used by helper" in lines[at + 1]
        assert "asked by boss" in lines[at + 2]


async def test_enter_goes_to_the_resource_and_w_to_its_diagnosis(console, troubled):
    async with console(at="map", namespace=troubled) as pilot:
        await until(pilot, lambda: "thinks with mock" in outline(pilot))
        await pilot.press("down", "enter")
        await until(pilot, lambda: pilot.app.here == Place("detail", "modelapi", troubled, "mock"))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.here.view == "map" and pilot.app.screen.query_one(Outline).has_focus)
        await pilot.press("home", "w")
        await until(pilot, lambda: pilot.app.here == Place("why", "agent", troubled, "boss"))


async def test_what_is_not_there_cannot_be_opened_and_is_said_so(console, troubled):
    async with console(at="map", namespace=troubled) as pilot:
        await until(pilot, lambda: "delegates to ghost" in outline(pilot))
        await pilot.press("end")
        await pilot.press("enter")
        await until(pilot, lambda: said(pilot, f"Agent {troubled}/ghost does not exist."))
        assert pilot.app.here.view == "map"


async def test_space_folds_and_the_cursor_stays(console, troubled):
    async with console(at="map", namespace=troubled) as pilot:
        await until(pilot, lambda: "uses tools of keyed" in outline(pilot))
        await pilot.press("space")
        assert outline(pilot).splitlines()[0].startswith("▸ Agent boss")
        assert "keyed" not in outline(pilot)
        await pilot.press("right")
        assert "uses tools of keyed" in outline(pilot)


async def test_only_what_is_broken_can_be_shown(console, troubled):
    async with console(at="map", namespace=troubled) as pilot:
        await until(pilot, lambda: "thinks with mock" in outline(pilot))
        await pilot.press("exclamation_mark")
        assert "thinks with mock" not in outline(pilot)
        assert "delegates to ghost" in outline(pilot)


async def test_the_map_follows_what_happens(console, place, namespace):
    async with console(at="map", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, "Nothing runs here yet."))
        place.run("apply", "-n", namespace, "-f", "-", stdin=mcpserver("late", suspend=True)).ok()
        await until(pilot, lambda: "MCPServer late ○ suspended" in outline(pilot))
        place.run("mcp", "delete", "late", "--yes", "-n", namespace).ok()
        await until(pilot, lambda: outline(pilot) == "")


async def test_the_tools_of_a_server_unfold_and_lead_to_their_form(console, sample):
    async with console(at="map") as pilot:
        await until(pilot, lambda: "uses tools of calculator ● ready" in outline(pilot))
        assert "tool add" not in outline(pilot)
        await pilot.press("end", "space")
        await until(pilot, lambda: "tool add" in outline(pilot))
        await pilot.press("down", "enter")
        await until(pilot, lambda: pilot.app.here == Place("invoke", "mcp", sample, "calculator", "add"))


async def test_from_a_server_the_map_shows_who_would_miss_it(console, troubled):
    async with console(at="mcp/keyed/map", namespace=troubled) as pilot:
        await until(pilot, lambda: "asked by boss" in outline(pilot))
        assert outline(pilot).splitlines()[0].startswith("▾ MCPServer keyed")
        await pilot.press("u")
        assert "boss" not in outline(pilot)


async def test_from_what_is_not_there_the_map_says_so(console, troubled):
    async with console(at="agent/nobody/map", namespace=troubled) as pilot:
        await until(pilot, lambda: shows(pilot, f"There is no agent/nobody in namespace {troubled}."))


async def test_a_filter_keeps_the_trees_that_match(console, troubled):
    async with console(at="map", namespace=troubled) as pilot:
        await until(pilot, lambda: "delegates to ghost" in outline(pilot))
        await pilot.press("slash", *"ghost")
        assert "Agent boss" in outline(pilot)
        await pilot.press(*"ly")
        assert outline(pilot) == ""
        await until(pilot, lambda: shows(pilot, "Nothing matches 'ghostly'."))
        await pilot.press("escape")
        assert "Agent boss" in outline(pilot)
