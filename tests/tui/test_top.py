"""Top: how busy everything is, while one looks."""

from __future__ import annotations

import pytest

from kaos.tui.places import Place
from kaos.tui.widgets.table import Table
from tests.stories import manifests, mcpserver, modelapi
from tests.tui.conftest import SIZES, assert_snapshot, until


def requests(pilot):
    return {row.key.name: row.cells[3].text for row in pilot.app.screen.query_one(Table).rows}


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_every_resource_has_its_line_before_anybody_calls(console, place, size):
    text = manifests(modelapi(suspend=True), mcpserver("asleep", suspend=True))
    place.run("apply", "-f", "-", "-n", "asleep", "--create-namespace", stdin=text).ok()
    async with console(size=size, at="top", namespace="asleep") as pilot:
        await until(pilot, lambda: requests(pilot) == {"mock": "-", "asleep": "-"})
        assert [row.cells[10].text for row in pilot.app.screen.query_one(Table).rows] == ["no pods", "no pods"]
        assert_snapshot(pilot, "top")


async def test_calls_are_counted_as_they_come(console, place, sample):
    async with console(at="top") as pilot:
        await until(pilot, lambda: requests(pilot).get("calculator", "-") != "-")
        before = int(requests(pilot)["calculator"])
        place.run("mcp", "invoke", "calculator", "-n", sample, "--tool", "add", "--args", '{"a": 1, "b": 2}').ok()
        await until(pilot, lambda: int(requests(pilot)["calculator"]) == before + 1)
        table = pilot.app.screen.query_one(Table)
        row = next(row for row in table.rows if row.key.name == "calculator")
        assert row.cells[5].text.endswith("ms")


async def test_enter_opens_the_resource_and_one_resource_can_be_looked_at_alone(console, sample):
    async with console(at="mcp/calculator/top") as pilot:
        await until(pilot, lambda: list(requests(pilot)) == ["calculator"])
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.here == Place("detail", "mcp", sample, "calculator"))
