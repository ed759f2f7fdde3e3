"""Lists: live, sorted, filtered, marked; what is done to what is chosen is asked first."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from kaos.tui.screens.confirm import ConfirmScreen
from kaos.tui.widgets.chrome import CommandLine
from kaos.tui.widgets.table import Table
from tests.stories import manifests, mcpserver
from tests.tui.conftest import SIZES, assert_snapshot, shows, until


def names(pilot):
    return [row.key[1] for row in pilot.app.screen.query_one(Table).rows]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", ["mcp", "agent", "modelapi"])
async def test_a_list_shows_what_is_there(console, kind, size):
    async with console(size=size, at=kind) as pilot:
        await until(pilot, lambda: shows(pilot, "● Ready"))
        assert_snapshot(pilot, f"list-{kind}")


async def test_a_new_resource_appears_and_a_deleted_one_goes(console, place, namespace):
    async with console(at="mcp", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, f'No MCPServers in "{namespace}"'))
        place.run("apply", "-n", namespace, "-f", "-", stdin=mcpserver("later", suspend=True)).ok()
        await until(pilot, lambda: names(pilot) == ["later"])
        await until(pilot, lambda: shows(pilot, "○ Suspended"))
        place.run("mcp", "delete", "later", "--yes", "-n", namespace).ok()
        await until(pilot, lambda: names(pilot) == [])


@pytest.fixture
def three(place, namespace):
    """Three servers without pods."""
    texts = [mcpserver(name, suspend=True) for name in ("alpha", "beta", "gamma")]
    place.run("apply", "-n", namespace, "-f", "-", stdin=manifests(*texts)).ok()
    return namespace


async def test_a_filter_narrows_while_it_is_typed_and_escape_lifts_it(console, three):
    async with console(at="mcp", namespace=three) as pilot:
        await until(pilot, lambda: len(names(pilot)) == 3)
        await pilot.press("slash", "a", "l", "p")
        assert names(pilot) == ["alpha"]
        await pilot.press("enter")
        assert names(pilot) == ["alpha"]
        await pilot.press("escape")
        assert names(pilot) == ["alpha", "beta", "gamma"]


async def test_a_bad_expression_is_told_and_the_last_good_one_holds(console, three):
    async with console(at="mcp", namespace=three) as pilot:
        await until(pilot, lambda: len(names(pilot)) == 3)
        await pilot.press("slash", "b", "e", "left_parenthesis")
        assert names(pilot) == ["beta"]
        await pilot.press("enter")
        await until(pilot, lambda: shows(pilot, "'be(' is no"))


async def test_an_exclamation_mark_inverts_a_filter(console, three):
    async with console(at="mcp", namespace=three) as pilot:
        await until(pilot, lambda: len(names(pilot)) == 3)
        await pilot.press("slash", "exclamation_mark", "e", "t", "a", "enter")
        assert names(pilot) == ["alpha", "gamma"]


async def test_sorting_is_remembered(console, three):
    async with console(at="mcp", namespace=three) as pilot:
        await until(pilot, lambda: len(names(pilot)) == 3)
        await pilot.press("O")
        assert names(pilot) == ["gamma", "beta", "alpha"]
    async with console(at="mcp", namespace=three) as pilot:
        await until(pilot, lambda: names(pilot) == ["gamma", "beta", "alpha"])


async def test_the_cursor_stays_with_its_row(console, three, place):
    async with console(at="mcp", namespace=three) as pilot:
        await until(pilot, lambda: len(names(pilot)) == 3)
        await pilot.press("down")
        assert pilot.app.screen.query_one(Table).key == (three, "beta")
        place.run("apply", "-n", three, "-f", "-", stdin=mcpserver("aardvark", suspend=True)).ok()
        await until(pilot, lambda: len(names(pilot)) == 4)
        assert pilot.app.screen.query_one(Table).key == (three, "beta")


async def test_deleting_asks_and_no_is_the_first_answer(console, three):
    async with console(at="mcp", namespace=three) as pilot:
        await until(pilot, lambda: len(names(pilot)) == 3)
        await pilot.press("D")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        assert shows(pilot, "Delete MCPServer")
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(pilot.app.screen, ConfirmScreen))
        assert len(names(pilot)) == 3


async def test_marked_ones_are_deleted_together(console, three):
    async with console(at="mcp", namespace=three) as pilot:
        await until(pilot, lambda: len(names(pilot)) == 3)
        await pilot.press("space", "space", "D")
        await until(pilot, lambda: shows(pilot, "Delete 2 MCPServers?"))
        assert shows(pilot, "mcp/alpha")
        assert shows(pilot, "mcp/beta")
        await pilot.press("y")
        await until(pilot, lambda: names(pilot) == ["gamma"])


async def test_deleting_names_who_uses_it(console, sample):
    async with console(at="mcp", namespace=sample) as pilot:
        await until(pilot, lambda: names(pilot) == ["calculator"])
        await pilot.press("D")
        await until(pilot, lambda: shows(pilot, "agent/helper uses calculator"))
        await pilot.press("escape")
        assert names(pilot) == ["calculator"]


async def test_read_only_changes_nothing(console, three):
    async with console(at="mcp", namespace=three, read_only=True) as pilot:
        await until(pilot, lambda: len(names(pilot)) == 3)
        assert shows(pilot, "RO")
        await pilot.press("D")
        await until(pilot, lambda: shows(pilot, "console is read-only"))
        assert len(names(pilot)) == 3


async def test_scaling_and_suspending_reach_the_cluster(console, place, three):
    async with console(at="mcp", namespace=three) as pilot:
        await until(pilot, lambda: len(names(pilot)) == 3)
        await pilot.press("S")
        await until(pilot, lambda: pilot.app.screen.query(Input))
        pilot.app.screen.query_one(Input).value = "2"
        await pilot.press("enter")
        await until(pilot, lambda: place.object("mcp", "alpha", three)["spec"]["replicas"] == 2)
        await pilot.press("Z")
        await until(pilot, lambda: shows(pilot, "Resume MCPServer"))
        await pilot.press("y")
        await until(pilot, lambda: place.object("mcp", "alpha", three)["spec"]["suspend"] is False)


async def test_zero_looks_into_all_namespaces(console, sample, three):
    async with console(at="mcp", namespace=three) as pilot:
        await until(pilot, lambda: len(names(pilot)) == 3)
        await pilot.press("0")
        await until(pilot, lambda: "calculator" in names(pilot))
        assert pilot.app.screen.query_one(CommandLine).command == "kaos mcp list -A"
        assert shows(pilot, "NAMESPACE")


async def test_problems_only(console, place, three):
    bad = mcpserver("broken", runtime="nosuch", params=None)
    place.run("apply", "-n", three, "-f", "-", stdin=bad).ok()
    async with console(at="mcp", namespace=three) as pilot:
        await until(pilot, lambda: shows(pilot, "✖ Failed"))
        await pilot.press("exclamation_mark")
        await until(pilot, lambda: names(pilot) == ["broken"])
        assert shows(pilot, "nosuch")


async def test_a_click_moves_the_cursor_and_a_second_one_opens(console, three):
    async with console(at="mcp", namespace=three) as pilot:
        await until(pilot, lambda: len(names(pilot)) == 3)
        await pilot.click(Table, offset=(5, 2))
        assert pilot.app.screen.query_one(Table).key == (three, "beta")
        await pilot.click(Table, offset=(5, 2), times=2)
        await until(pilot, lambda: pilot.app.here.name == "beta")
