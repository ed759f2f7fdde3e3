"""The console as a whole: where it begins, how one moves, what it says when something is missing."""

from __future__ import annotations

import shlex

import click
import pytest
from textual.widgets import Input

from kaos.cli.main import root
from kaos.tui import places
from kaos.tui.screens.help import HelpScreen
from kaos.tui.widgets.chrome import CommandLine
from tests.tui.conftest import SIZES, assert_snapshot, shows, until


async def type_command(pilot, text):
    await pilot.press("colon")
    pilot.app.screen.query_one("Prompt Input", Input).value = text
    await pilot.press("enter")


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_it_begins_with_how_everything_is(console, size):
    async with console(size=size) as pilot:
        await until(pilot, lambda: shows(pilot, "MCPServers 1  ● 1 Ready") and shows(pilot, "Agents 1  ● 1 Ready"))
        await until(pilot, lambda: shows(pilot, "Operator  kaos-local"))
        table = pilot.app.screen.query_one("#events")
        table.fill([])  # events differ in number and order
        await pilot.pause()
        assert_snapshot(pilot, "home")


async def test_commands_go_anywhere_and_escape_goes_back(console, sample):
    async with console() as pilot:
        await type_command(pilot, "agent")
        await until(pilot, lambda: pilot.app.here.view == "list")
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.here == places.Place("detail", "agent", sample, "helper"))
        await pilot.press("escape")
        assert pilot.app.here.view == "list"
        await pilot.press("escape")
        assert pilot.app.here == places.HOME


async def test_history_goes_back_and_forth(console):
    async with console() as pilot:
        for text in ("mcp", "agent", "events"):
            await type_command(pilot, text)
        await pilot.press("left_square_bracket")
        assert pilot.app.here.kind == "agent"
        await pilot.press("left_square_bracket")
        assert pilot.app.here.kind == "mcp"
        await pilot.press("right_square_bracket")
        assert pilot.app.here.kind == "agent"


async def test_an_unknown_place_is_told_with_the_nearest(console):
    async with console() as pilot:
        await type_command(pilot, "agnt")
        await until(pilot, lambda: shows(pilot, "Did you mean: agent"))


async def test_the_prompt_completes_names(console):
    async with console(at="mcp") as pilot:
        await pilot.press("colon", *"chat he")
        await until(pilot, lambda: pilot.app.screen.query_one("Prompt Input", Input)._suggestion == "chat helper")


async def test_another_namespace_is_checked_and_taken(console, namespace):
    async with console(at="mcp") as pilot:
        await type_command(pilot, "ns nosuchnamespace")
        await until(pilot, lambda: shows(pilot, "There is no namespace nosuchnamespace."))
        await pilot.press("escape")
        await type_command(pilot, f"ns {namespace}")
        await until(pilot, lambda: pilot.app.session.namespace == namespace)
        await until(pilot, lambda: shows(pilot, "No MCPServers in"))


async def test_help_is_made_of_the_keys_that_work(console):
    async with console(at="mcp") as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
        await until(pilot, lambda: all(shows(pilot, text) for text in ("suspend or resume", "copy command", "scale")))
        await pilot.press("escape")
        assert pilot.app.here.view == "list"


async def test_the_theme_is_remembered(console):
    async with console() as pilot:
        await type_command(pilot, "theme kaos-light")
        await until(pilot, lambda: pilot.app.theme == "kaos-light")
    async with console() as pilot:
        assert pilot.app.theme == "kaos-light"


async def test_without_a_cluster_it_says_what_can_be_done(console, monkeypatch):
    monkeypatch.setenv("KAOS_LOCAL_DIR", "/nonexistent/kaos")
    async with console(live=False) as pilot:
        await until(pilot, lambda: shows(pilot, "No cluster to look at."))
        assert shows(pilot, "$ kaos local up")
        assert_snapshot(pilot, "welcome")


COMMANDS = (
    "", "mcp", "agent", "modelapi", "mcp/calculator", "mcp/calculator/yaml", "agent/helper", "modelapi/mock",
    "events", "mcp/calculator/events", "secrets", "contexts", "namespaces", "deploy/mcp", "deploy/agent",
    "mcp/calculator/logs", "operator/logs", "mcp/calculator/tools", "mcp/calculator/tools/add",
    "mcp/calculator/resources", "mcp/calculator/prompts", "agent/helper/tools", "agent/helper/chat",
    "agent/helper/memory", "agent/helper/trace", "modelapi/mock/chat", "map", "agent/helper/map", "why",
    "agent/helper/why", "top", "mcp/calculator/top", "runtimes", "runtimes/rawpython", "system",
    "rbac", "mcp/calculator/rbac",
)  # fmt: skip


@pytest.mark.parametrize("at", COMMANDS)
async def test_the_command_at_the_bottom_exists(console, at):
    """Parsed by the real command line, down to its last option."""
    async with console(at=at) as pilot:
        await until(pilot, lambda: pilot.app.screen.query_one(CommandLine).command)
        _, *argv = shlex.split(pilot.app.screen.query_one(CommandLine).command)
    command, context = root, click.Context(root, **root.context_settings)
    while isinstance(command, click.Group):
        assert argv, "a group alone is no command"
        name, *argv = argv
        command = command.get_command(context, name)
        assert command is not None, name
        context = click.Context(command, info_name=name, parent=context)
    command.parse_args(context, argv)
