"""`kaos mcp run` on a terminal: a project's tools are called in the console, as they are now, without a cluster."""

from __future__ import annotations

import contextlib

import pytest

from kaos.actions.project.environment import project
from kaos.tui.state import State
from kaos.tui.workbench import Workbench
from tests.tui.conftest import SIZES, assert_snapshot, shows, until

SERVER = '''\
from fastmcp import FastMCP
mcp = FastMCP("x")


@mcp.tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    print("adding", flush=True)
    return a + b
'''


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Open it on a project with one tool; gives the pilot."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = tmp_path / "sums"
    root.mkdir()
    (root / "server.py").write_text(SERVER)

    @contextlib.asynccontextmanager
    async def opened(size=(120, 36)):
        app = Workbench(project(str(root)), 0, (".",), State(tmp_path / "state.json"))
        app.animation_level = "none"
        async with app.run_test(size=size, notifications=True) as pilot:
            await until(pilot, lambda: shows(pilot, "Add two numbers."), 90)
            yield pilot, root / "server.py"

    return opened


@pytest.mark.full
@pytest.mark.parametrize("size", SIZES)
async def test_the_tools_are_shown(bench, size):
    async with bench(size) as (pilot, _):
        await until(pilot, lambda: shows(pilot, "● serves"))
        assert_snapshot(pilot, "workbench")


@pytest.mark.full
async def test_a_tool_is_called_changed_broken_and_mended(bench):
    async with bench() as (pilot, server):
        await pilot.press("enter")
        await until(pilot, lambda: getattr(pilot.app.screen, "form", None))
        await pilot.press("4", "tab", "5")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: shows(pilot, "✔ done"), 60)
        assert pilot.app.screen.result.answer.structured == {"result": 9}
        assert pilot.app.screen.argv()[:3] == ("mcp", "invoke", "--url")
        server.write_text(SERVER.replace("b: int", "c: int").replace("a + b", "a + c"))
        await until(
            pilot, lambda: pilot.app.screen.form and "c" in pilot.app.screen.tool["inputSchema"]["properties"], 90
        )
        while len(pilot.app.screen_stack) > 1:
            pilot.app.back()
        server.write_text("import nowhere\n" + SERVER)
        await until(pilot, lambda: shows(pilot, "No module named 'nowhere' (server.py:1)"), 90)
        server.write_text(SERVER.replace("Add two numbers.", "Sum them up."))
        await until(pilot, lambda: shows(pilot, "Sum them up."), 90)
        await pilot.press("l")
        await until(pilot, lambda: "adding" in pilot.app.session.lines and shows(pilot, "Started server process"))
