"""Trace: what an agent did, step by step; the whole text of each step below."""

from __future__ import annotations

import re

import pytest

from kaos.tui.places import Place
from kaos.tui.widgets.outline import Outline
from tests.stories import agent, manifests, modelapi
from tests.tui.conftest import SIZES, assert_snapshot, shows, until

CALL = 'call add {"a": 2, "b": 3}'


def outline(pilot):
    return pilot.app.screen.query_one(Outline)


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_last_turn_is_a_tree_of_steps(console, place, sample, size):
    session = f"traced-{size[0]}"
    place.run("agent", "invoke", "helper", "-n", sample, "--session", session, "-m", CALL).ok()
    async with console(size=size, at=f"agent/helper/trace/{session}") as pilot:
        await until(pilot, lambda: "answer mock: the tool answered 5" in outline(pilot).text)
        lines = re.sub(r"\d+(\.\d)? (ms|s)\b", "T", re.sub(r"\d\d:\d\d:\d\dZ", "NOW", outline(pilot).text)).splitlines()
        assert lines == [
            f"▾ NOW helper T {CALL}",
            "├─ +T model T",
            '├─ +T add {"a": 2, "b": 3} T → 5',
            "├─ +T model T",
            "└─ +T answer mock: the tool answered 5",
        ]


async def test_all_of_a_step_is_shown_below_and_can_be_copied(console, place, sample):
    place.run("agent", "invoke", "helper", "-n", sample, "--session", "copied", "-m", CALL).ok()
    async with console(at="agent/helper/trace/copied") as pilot:
        await until(pilot, lambda: "answer mock" in outline(pilot).text)
        await pilot.press("down", "down")
        await until(pilot, lambda: shows(pilot, '"a": 2,'))
        await pilot.press("c")
        assert pilot.app.clipboard.startswith("add  ")
        assert pilot.app.clipboard.endswith("\n\n5")


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_an_agent_that_nobody_asked_says_how_to_ask(console, place, size):
    text = manifests(modelapi(), agent("quiet"))
    place.run("apply", "-f", "-", "-n", "quiet", "--create-namespace", "--wait", stdin=text).ok()
    async with console(size=size, at="agent/quiet/trace", namespace="quiet") as pilot:
        await until(pilot, lambda: shows(pilot, "It remembers nothing yet.  i asks it something."))
        assert_snapshot(pilot, "trace-nothing")
        assert_snapshot(pilot, "trace-nothing")
        await pilot.press("i")
        await until(pilot, lambda: pilot.app.here == Place("chat", "agent", "quiet", "quiet"))


async def test_an_answer_that_came_meanwhile_is_there_after_r(console, place, sample):
    place.run("agent", "invoke", "helper", "-n", sample, "--session", "again", "-m", "one").ok()
    async with console(at="agent/helper/trace/again") as pilot:
        await until(pilot, lambda: "mock: one" in outline(pilot).text)
        place.run("agent", "invoke", "helper", "-n", sample, "--session", "again", "-m", "two").ok()
        await pilot.press("r")
        await until(pilot, lambda: "mock: two" in outline(pilot).text)
        assert "mock: one" in outline(pilot).text


async def test_an_agent_that_cannot_be_asked_is_not_said_to_remember_nothing(console, place, namespace):
    place.run("apply", "-f", "-", "-n", namespace, stdin=agent("waits", modelAPI="nothing")).ok()
    async with console(at="agent/waits/trace", namespace=namespace) as pilot:
        await until(pilot, lambda: shows(pilot, "Its memory cannot be read now."))
        await pilot.press("w")
        await until(pilot, lambda: shows(pilot, "nothing does not exist."))
