"""What an agent remembers, in the console."""

from __future__ import annotations

import pytest

from kaos.tui import places
from kaos.tui.widgets.chrome import CommandLine
from kaos.tui.widgets.table import Table
from tests import stories
from tests.tui.conftest import SIZES, assert_snapshot, deployed, shows, until


@pytest.fixture(scope="module")
def sample(place):
    return deployed(place, "memories")


@pytest.fixture(scope="module")
def scholar(place, sample):
    """An agent that remembers two conversations."""
    manifest = stories.agent("scholar", mcpServers=["calculator"])
    place.run("apply", "-n", sample, "--wait", "-f", "-", stdin=manifest).ok()
    for session, text in (("monday", "what is 1 + 2?"), ("tuesday", "hello\x1b[31m"), ("tuesday", "what is 3 + 4?")):
        place.run("agent", "invoke", "scholar", "-n", sample, "--session", session, "-m", text).ok()
    return "scholar"


async def test_the_last_session_comes_first_and_its_events_below(console, sample, scholar):
    async with console(at=f"agent/{scholar}/memory") as pilot:
        await until(pilot, lambda: shows(pilot, "monday") and shows(pilot, 'add {"a": 3, "b": 4}'))
        sessions = pilot.app.screen.query_one("#sessions", Table)
        assert [row.key for row in sessions.rows] == ["tuesday", "monday"]
        assert shows(pilot, "hello\\e[31m")
        command = pilot.app.screen.query_one(CommandLine).command
        assert command == f"kaos agent memory {scholar} -n {sample} --session tuesday"
        await pilot.press("down")
        await until(pilot, lambda: shows(pilot, 'add {"a": 1, "b": 2}') and not shows(pilot, '"b": 4'))


async def test_the_command_on_the_screen_tells_the_same_events(console, sample, scholar, place):
    async with console(at=f"agent/{scholar}/memory/monday") as pilot:
        await until(pilot, lambda: shows(pilot, "mock: the tool answered 3"))
        events = pilot.app.screen.query_one("#events", Table)
        shown = [row.cells[1].text for row in events.rows]
        told = place.run(*pilot.app.screen.query_one(CommandLine).command.split()[1:]).ok().stdout
        assert [line.split()[1] for line in told.splitlines()[1:]] == shown


async def test_an_event_is_shown_whole_and_copied(console, scholar):
    async with console(at=f"agent/{scholar}/memory/monday") as pilot:
        await until(pilot, lambda: shows(pilot, "mock: the tool answered 3"))
        await pilot.press("tab", "down", "c", "enter")
        await until(pilot, lambda: shows(pilot, '"name": "add"'))
        assert pilot.app.clipboard == 'add {"a": 1, "b": 2}'
        await pilot.press("escape", "escape", "escape")
        assert pilot.app.here == places.HOME


async def test_events_are_filtered(console, scholar):
    async with console(at=f"agent/{scholar}/memory/monday") as pilot:
        await until(pilot, lambda: shows(pilot, "mock: the tool answered 3"))
        await pilot.press("slash", *"tool_call")
        events = pilot.app.screen.query_one("#events", Table)
        await until(pilot, lambda: [row.cells[1].text for row in events.rows] == ["tool_call"])


async def test_a_conversation_is_gone_on_with(console, sample, scholar):
    async with console(at=f"agent/{scholar}/memory/monday") as pilot:
        await until(pilot, lambda: shows(pilot, "mock: the tool answered 3"))
        await pilot.press("i")
        await until(pilot, lambda: pilot.app.here == places.Place("chat", "agent", sample, scholar, "monday"))
        await until(pilot, lambda: shows(pilot, "you  what is 1 + 2?"))


async def test_an_agent_that_nobody_talked_to_says_what_to_do(console, sample, place):
    place.run("apply", "-n", sample, "--wait", "-f", "-", stdin=stories.agent("stranger")).ok()
    async with console(at="agent/stranger/memory") as pilot:
        await until(pilot, lambda: shows(pilot, "No sessions yet. i begins one."))


async def test_an_agent_that_is_away_says_why_and_is_read_once_it_is_back(console, sample, place):
    sleeper = stories.agent("sleeper", suspend=True)
    place.run("apply", "-n", sample, "--wait", "-f", "-", stdin=sleeper).ok()
    async with console(at="agent/sleeper/memory") as pilot:
        await until(pilot, lambda: shows(pilot, f"✖ Agent {sample}/sleeper is not ready: Suspended"))
        place.run("agent", "resume", "sleeper", "-n", sample).ok()
        await until(pilot, lambda: shows(pilot, "No sessions yet. i begins one."))


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_it_looks_the_same_in_every_terminal(console, scholar, size):
    async with console(size=size, at=f"agent/{scholar}/memory/monday") as pilot:
        await until(pilot, lambda: shows(pilot, "mock: the tool answered 3"))
        assert_snapshot(pilot, "memory")
