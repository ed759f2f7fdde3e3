"""Why: the cause, the cure, the chain; and doing what cures."""

from __future__ import annotations

import pytest

from kaos.api.names import MCPSERVERS
from kaos.tui.places import Place
from kaos.tui.screens.confirm import ConfirmScreen
from kaos.tui.widgets.outline import Outline
from kaos.tui.widgets.table import Table
from tests.stories import agent, is_ready, manifests, mcpserver, modelapi, reason
from tests.tui import troubled as sample_of_trouble
from tests.tui.conftest import SIZES, assert_snapshot, shows, until


@pytest.fixture(scope="module")
def troubled(place):
    return sample_of_trouble.make(place)


def said(pilot, words):
    return any(words in notice.message for notice in pilot.app._notifications)


def causes(pilot):
    return [row.cells[1].text for row in pilot.app.screen.query_one(Table).rows]


async def shows_only(pilot, words, command):
    """The cause with these words is the only one, and its cure is shown."""
    await until(pilot, lambda: len(causes(pilot)) == 1 and words in causes(pilot)[0])
    await until(pilot, lambda: shows(pilot, command))


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_everything_that_is_wrong_the_worst_first(console, troubled, size):
    async with console(size=size, at="why", namespace=troubled) as pilot:
        await until(pilot, lambda: len(causes(pilot)) == 2)
        assert causes(pilot) == [f"Secret {troubled}/tok does not exist.", f"Agent {troubled}/ghost does not exist."]
        assert_snapshot(pilot, "why")


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_one_resource_with_the_chain_to_its_cause(console, troubled, size):
    async with console(size=size, at="agent/helper/why", namespace=troubled) as pilot:
        await until(pilot, lambda: shows(pilot, "Secret tok, key token"))
        assert_snapshot(pilot, "why-one")


async def test_where_all_is_well_it_says_so(console, sample):
    async with console(at="why") as pilot:
        await until(pilot, lambda: shows(pilot, "● Nothing is wrong. 3 resources looked at."))


async def test_the_command_that_cures_is_copied(console, troubled):
    async with console(at="why", namespace=troubled) as pilot:
        await until(pilot, lambda: len(causes(pilot)) == 2)
        await pilot.press("c")
        assert pilot.app.clipboard == f"kaos secret create tok token -n {troubled}"


async def test_what_only_a_person_can_type_is_copied_and_not_run(console, troubled):
    async with console(at="why", namespace=troubled) as pilot:
        await until(pilot, lambda: len(causes(pilot)) == 2)
        await pilot.press("R")
        await until(pilot, lambda: pilot.app.clipboard == f"kaos secret create tok token -n {troubled}")


async def test_a_cure_that_does_no_harm_is_asked_for_and_done_and_the_trouble_goes(console, place, namespace):
    text = manifests(modelapi(), mcpserver("calc", suspend=True), agent("helper", mcpServers=["calc"]))
    place.run("apply", "-f", "-", "-n", namespace, stdin=text).ok()
    place.until(MCPSERVERS, "calc", namespace, lambda obj: reason(obj) == "Suspended", 60)
    async with console(at="why", namespace=namespace) as pilot:
        await shows_only(pilot, "suspended", f"kaos mcp resume calc -n {namespace}")
        await pilot.press("R")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("y")
        place.until(MCPSERVERS, "calc", namespace, is_ready, 60)
        await until(pilot, lambda: shows(pilot, "● Nothing is wrong."), 60)


async def test_read_only_changes_nothing(console, place, namespace):
    text = manifests(modelapi(), mcpserver("calc", suspend=True), agent("helper", mcpServers=["calc"]))
    place.run("apply", "-f", "-", "-n", namespace, stdin=text).ok()
    place.until(MCPSERVERS, "calc", namespace, lambda obj: reason(obj) == "Suspended", 60)
    async with console(at="why", namespace=namespace, read_only=True) as pilot:
        await shows_only(pilot, "suspended", f"kaos mcp resume calc -n {namespace}")
        await pilot.press("R")
        await until(pilot, lambda: said(pilot, "The console is read-only"))


async def test_the_chain_can_be_walked_to_the_resource_at_fault(console, troubled):
    async with console(at="agent/helper/why", namespace=troubled) as pilot:
        await until(pilot, lambda: shows(pilot, "Secret tok, key token"))
        outline = pilot.app.screen.query_one(Outline)
        outline.focus()
        while "keyed" not in outline.twig.cells[1].text:
            await pilot.press("down")
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.here == Place("detail", "mcp", troubled, "keyed"))


async def test_a_trouble_that_is_cured_elsewhere_goes_by_itself(console, place, namespace):
    place.run("apply", "-f", "-", "-n", namespace, stdin=mcpserver("keyed", container=sample_of_trouble.KEYED)).ok()
    async with console(at="why", namespace=namespace) as pilot:
        await until(pilot, lambda: causes(pilot) == [f"Secret {namespace}/tok does not exist."])
        place.run("secret", "create", "tok", "--from-stdin", "token", "-n", namespace, stdin="s3cret").ok()
        await until(pilot, lambda: shows(pilot, "● Nothing is wrong."), 60)


async def test_what_is_missing_leads_to_the_form_that_makes_it(console, place, namespace):
    place.run("apply", "-f", "-", "-n", namespace, stdin=agent("orphan", modelAPI="openai")).ok()
    async with console(at="why", namespace=namespace) as pilot:
        await shows_only(pilot, "openai does not exist", "kaos modelapi deploy --name openai")
        await pilot.press("R")
        await until(pilot, lambda: pilot.app.here == Place("deploy", "modelapi", namespace))
        assert pilot.app.clipboard.startswith("kaos modelapi deploy --name openai --model mock")


async def test_what_a_program_says_is_shown_as_it_is_and_does_nothing(console, place, namespace):
    hostile = 'raise ValueError("\\x1b[31m[bold red]boo[/] \\u202egnp")\n'
    place.run("apply", "-f", "-", "-n", namespace, stdin=mcpserver("hostile", params=hostile)).ok()
    place.until(MCPSERVERS, "hostile", namespace, lambda obj: reason(obj) in ("InvalidParams", "CrashLooping"), 60)
    async with console(at="why", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, "[bold red]boo[/]"))
        assert "\x1b" not in "".join(causes(pilot))
        assert "\u202e" not in "".join(causes(pilot))


async def test_a_resource_that_is_not_there_is_said_to_be_missing(console, sample):
    async with console(at="mcp/nothing/why") as pilot:
        await until(pilot, lambda: shows(pilot, f"There is no MCPServer {sample}/nothing."))
