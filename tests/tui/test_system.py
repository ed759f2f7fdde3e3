"""System and runtimes: KAOS itself on this cluster, and what servers can be made of."""

from __future__ import annotations

import pytest
import yaml

from kaos.tui.places import Place
from kaos.tui.widgets.table import Table
from tests.tui.conftest import SIZES, assert_snapshot, shows, until


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_system_tells_operator_kinds_and_registry(console, size):
    async with console(size=size, at="system") as pilot:
        await until(pilot, lambda: shows(pilot, "● works in the daemon of the local cluster"))
        assert shows(pilot, "● MCPServer, ModelAPI and Agent are installed")
        assert_snapshot(pilot, "system")


async def test_a_second_operator_is_not_run_where_one_works(console):
    async with console(at="system") as pilot:
        await until(pilot, lambda: shows(pilot, "● works"))
        await pilot.press("R")
        await until(pilot, lambda: any("works already" in one.message for one in pilot.app._notifications))


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_runtimes_are_listed_with_the_servers_that_use_them(console, size):
    async with console(size=size, at="runtimes") as pilot:
        table = pilot.app.screen.query_one(Table)
        await until(pilot, lambda: [row.cells[3].text for row in table.rows if row.key == "rawpython"] == ["1"])
        assert_snapshot(pilot, "runtimes")


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_one_runtime_with_a_manifest_to_copy(console, size):
    async with console(size=size, at="runtimes/rawpython") as pilot:
        await until(pilot, lambda: shows(pilot, "demo/calculator"))
        assert_snapshot(pilot, "runtime")
        await pilot.press("c")
        assert yaml.safe_load(pilot.app.clipboard)["spec"]["runtime"] == "rawpython"


async def test_n_deploys_from_the_runtime_under_the_cursor(console, sample):
    async with console(at="runtimes") as pilot:
        table = pilot.app.screen.query_one(Table)
        await until(pilot, lambda: "rawpython" in [row.key for row in table.rows])
        table.cursor = [row.key for row in table.rows].index("rawpython")
        await pilot.press("n")
        await until(pilot, lambda: pilot.app.here == Place("deploy", "mcp", sample, item="rawpython"))


async def test_an_unknown_runtime_says_so(console):
    async with console(at="runtimes/nothing") as pilot:
        await until(pilot, lambda: shows(pilot, "There is no such runtime."))
