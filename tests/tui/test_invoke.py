"""Calling a tool: form, call, progress, cancel, answer, history, and the command that does the same."""

from __future__ import annotations

import json
import os
import shlex
import stat

import pytest
from textual.widgets import Checkbox, Input, Select, TextArea

from kaos.tui.forms.fields import FieldView
from kaos.tui.screens.invoke import InvokeScreen
from kaos.tui.screens.question import QuestionScreen
from kaos.tui.state import directory
from kaos.tui.widgets.chrome import CommandLine
from kaos.tui.widgets.jsontree import JsonTree
from tests.conftest import KAOS
from tests.tui.conftest import SIZES, assert_snapshot, screen_text, shows, until
from tests.tui.terminal import Terminal
from tests.tui.workshop import workshop  # noqa: F401


@pytest.fixture
def at(console, workshop):  # noqa: F811
    """Open one tool's screen and wait for its form."""
    import contextlib

    @contextlib.asynccontextmanager
    async def opened(tool, **more):
        async with console(at=f"{workshop}/mcp/workshop/tools/{tool}", **more) as pilot:
            await until(pilot, lambda: isinstance(pilot.app.screen, InvokeScreen) and pilot.app.screen.form)
            yield pilot

    return opened


def entry(pilot, name):
    view = next(one for one in pilot.app.screen.query(FieldView) if one.draft.field.name == name)
    return view.query("Input, Select, TextArea, Checkbox").first()


def command(pilot):
    return pilot.app.screen.query_one(CommandLine).command


async def fill(pilot, **values):
    for name, value in values.items():
        found = entry(pilot, name)
        if isinstance(found, Checkbox | Select | Input):
            found.value = value
        else:
            found.text = value
    await pilot.pause()


async def call(pilot):
    await pilot.press("ctrl+r")
    await until(pilot, lambda: shows(pilot, "✔ done") or shows(pilot, "✖ the tool failed"))


async def answered(pilot):
    return pilot.app.screen.result.answer


@pytest.mark.parametrize("size", SIZES)
async def test_a_form_is_filled_and_the_answer_shown_as_a_tree(at, size):
    async with at("price", size=size) as pilot:
        await fill(pilot, customer="Ada", width="120")
        await call(pilot)
        order = pilot.app.screen.result.answer.structured["order"]
        assert order["size"] == {"width": 120, "height": 75.5}
        assert isinstance(order["size"]["width"], int)
        assert pilot.app.screen.query(JsonTree)
        assert shows(pilot, "[structured]")
        assert_snapshot(pilot, "invoke")


@pytest.mark.parametrize("size", SIZES)
async def test_the_form_of_a_tool_before_it_is_called(at, size):
    async with at("price", size=size) as pilot:
        await until(pilot, lambda: shows(pilot, "customer *"))
        assert_snapshot(pilot, "invoke-form")


async def test_what_is_missing_is_not_sent(at):
    async with at("price") as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: shows(pilot, "order.customer is needed"))
        assert pilot.app.screen.result.answer is None


async def test_a_list_of_flat_objects_is_a_table(at):
    async with at("stock") as pilot:
        await call(pilot)
        await until(pilot, lambda: shows(pilot, "[table]"))
        lines = [line.split() for line in screen_text(pilot).splitlines()]
        assert any("ITEM" in line and "PRICE" in line for line in lines)
        assert any("chair" in line and "40" in line for line in lines)
        for view in ("[structured]", "[text]", "[raw]", "[table]"):
            await pilot.press("v")
            await until(pilot, lambda view=view: shows(pilot, view))


async def test_an_image_is_named_and_saved(at, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with at("picture") as pilot:
        await call(pilot)
        await until(pilot, lambda: shows(pilot, "[image] image/png, 69 bytes"))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: (tmp_path / "workshop-picture.png").exists())
        assert (tmp_path / "workshop-picture.png").read_bytes().startswith(b"\x89PNG\r\n")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: (tmp_path / "workshop-picture-2.png").exists())


async def test_an_error_of_the_tool_is_an_error_and_can_be_read(at):
    async with at("break_down") as pilot:
        await call(pilot)
        assert shows(pilot, "✖ the tool failed")
        assert shows(pilot, "sharpen it")
        assert "\x1b" not in screen_text(pilot)
        assert shows(pilot, "\\e[31mblunt")


async def test_progress_is_shown_and_escape_cancels_at_the_server(at):
    async with at("build") as pilot:
        await fill(pilot, steps="2", forever=True)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: shows(pilot, "100%") and shows(pilot, "sawing 2"))
        await pilot.press("escape")
        await until(pilot, lambda: shows(pilot, "✖ no answer") and shows(pilot, "Cancelled."))
        assert isinstance(pilot.app.screen, InvokeScreen), "escape cancelled, it did not go back"
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, InvokeScreen))
    async with at("cancelled") as pilot:

        async def ended():
            await call(pilot)
            return pilot.app.screen.result.answer.structured["result"]

        assert "build" in await ended()


async def test_leaving_the_screen_cancels_too(at, place):
    async with at("build") as pilot:
        before = len(cancelled(place))
        await fill(pilot, steps="1", forever=True)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: shows(pilot, "sawing 1"))
        pilot.app.back()
        await until(pilot, lambda: len(cancelled(place)) > before)


def cancelled(place):
    return json.loads(place.run("mcp", "invoke", "workshop", "cancelled", "-n", "workshop").ok().stdout)["result"]


async def test_calls_are_remembered_for_this_person_alone(at):
    async with at("scrap") as pilot:
        await fill(pilot, name="chair")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: shows(pilot, "may destroy something"))
        await pilot.press("y")
        await until(pilot, lambda: shows(pilot, "chair is gone"))
        kept = directory() / "calls.json"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        entry(pilot, "name").focus()
        await fill(pilot, name="tab")
        await pilot.press("up")
        await until(pilot, lambda: entry(pilot, "name").value == "chair")
        await pilot.press("down")
        await until(pilot, lambda: entry(pilot, "name").value == "tab")
    async with at("scrap") as pilot:
        assert shows(pilot, "↑ recalls 1 earlier")
        await pilot.press("up")
        await until(pilot, lambda: entry(pilot, "name").value == "chair")


async def test_a_secret_is_neither_in_the_command_nor_kept(at):
    async with at("scrap") as pilot:
        await fill(pilot, name="chair", password="hunter2")
        assert command(pilot) == "kaos mcp invoke workshop scrap --args-file - -n workshop"
        await pilot.press("ctrl+r")
        await until(pilot, lambda: shows(pilot, "may destroy something"))
        await pilot.press("y")
        await until(pilot, lambda: shows(pilot, "chair is gone for good"))
        assert "hunter2" not in screen_text(pilot)
    for kept in directory().iterdir():
        assert "hunter2" not in kept.read_text()


async def test_the_command_does_what_the_form_does(at, place):
    async with at("price", size=(200, 60)) as pilot:
        await fill(pilot, customer='O\'Hara $(id) "x"', width="3")
        entry(pilot, "rush").value = True
        await pilot.pause()
        await call(pilot)
        words = shlex.split(command(pilot))
        answer = json.loads(place.run(*words[1:]).ok().stdout)
        assert answer == pilot.app.screen.result.answer.structured


async def test_json_is_sent_as_it_stands(at):
    async with at("price") as pilot:
        await pilot.press("ctrl+e")
        await until(pilot, lambda: pilot.app.screen.query("#raw"))
        given = {"order": {"customer": "Ada", "size": {"width": 2}}, "by": 7}
        pilot.app.screen.query_one("#raw", TextArea).text = json.dumps(given)
        await pilot.pause()
        await call(pilot)
        assert pilot.app.screen.result.answer.structured["by"] == 7


async def test_read_only_calls_only_what_is_said_to_be(at):
    async with at("build", read_only=True) as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: shows(pilot, "The console is read-only"))
        assert pilot.app.screen.result.answer is None
    async with at("stock", read_only=True) as pilot:
        await call(pilot)


async def test_a_tool_that_is_not_there_is_told(console, workshop):  # noqa: F811
    async with console(at=f"{workshop}/mcp/workshop/tools/prize") as pilot:
        await until(pilot, lambda: shows(pilot, "Did you mean price?"))


def test_no_state_directory_is_no_reason_to_fail(tmp_path):
    from kaos.tui.calls import Calls

    (tmp_path / "file").write_text("")
    calls = Calls("c", "n", "s", "t", tmp_path / "file/calls.json")
    calls.add({"a": 1}, "ok", 0.1)
    assert calls.all() == []
    spoilt = tmp_path / "calls.json"
    spoilt.write_text('{"[\\"c\\", \\"n\\", \\"s\\", \\"t\\"]": [1, {"a": 2}, null]}')
    assert Calls("c", "n", "s", "t", spoilt).all() == []
    assert os.access(spoilt, os.R_OK)


def test_the_history_has_an_end(tmp_path):
    from kaos.tui import calls

    path = tmp_path / "calls.json"
    for number in range(calls.TOOLS + 5):
        calls.Calls("c", "n", "s", f"tool-{number}", path).add({"n": number}, "ok", 0.1)
    mine = calls.Calls("c", "n", "s", "tool-200", path)
    for number in range(calls.KEPT + 5):
        mine.add({"n": number}, "ok", 0.1)
    mine.add({"big": "x" * calls.MAX_ARGUMENTS}, "ok", 0.1)
    assert [call.arguments for call in mine.all()][:2] == [None, {"n": calls.KEPT + 4}]
    assert len(mine.all()) == calls.KEPT
    assert calls.Calls("c", "n", "s", "tool-0", path).all() == []
    assert len(json.loads(path.read_text())) == calls.TOOLS


async def asked(pilot):
    await pilot.press("ctrl+r")
    await until(pilot, lambda: isinstance(pilot.app.screen, QuestionScreen))


async def test_what_a_tool_asks_back_is_a_form_that_is_filled_and_sent(at):
    async with at("deliver") as pilot:
        await asked(pilot)
        assert shows(pilot, "workshop/workshop asks")
        assert shows(pilot, "Where to \\e[31mbring"), "what a server says is shown, never done"
        await pilot.press("ctrl+r")
        await until(pilot, lambda: shows(pilot, "✖ street"))
        await fill(pilot, street="Main Street 1", floor="2")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: shows(pilot, "✔ done"))
        assert (await answered(pilot)).text.startswith('accept: {"floor": 2')


@pytest.mark.parametrize(("key", "action"), [("ctrl+n", "decline"), ("escape", "cancel")])
async def test_a_question_is_declined_or_left_open(at, key, action):
    async with at("deliver", size=(80, 24)) as pilot:
        await asked(pilot)
        await until(pilot, lambda: shows(pilot, "Decline") and shows(pilot, "Leave open"))
        await pilot.press(key)
        await until(pilot, lambda: shows(pilot, "✔ done"))
        assert (await answered(pilot)).text == f"{action}: null"


async def test_words_in_place_of_a_models_are_written_by_whoever_sits_there(at):
    async with at("slogan") as pilot:
        await asked(pilot)
        assert shows(pilot, "wants what a model would say")
        assert shows(pilot, "A slogan for oak?")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: shows(pilot, "Nothing is said yet."))
        await pilot.press(*"Oak", "ctrl+r")
        await until(pilot, lambda: shows(pilot, "✔ done"))
        assert (await answered(pilot)).text == "Oak"


def test_the_command_asks_on_a_terminal(place, workshop):  # noqa: F811
    invoke = [*KAOS, "mcp", "invoke", "workshop", "deliver", "-n", workshop, "-o", "text"]
    with Terminal(invoke, place.env) as terminal:
        terminal.until("[c]ancel")
        terminal.send("a\r")
        terminal.until("Where to)")
        assert "\x1b[31m" not in terminal.output.decode()
        terminal.send("Main Street 1\r")
        for field in ("floor", "speed", "lift"):
            terminal.until(field)
            if field == "floor":
                terminal.send("high\r")
                terminal.until("integer")
            terminal.send("\r")
        terminal.until('"street": "Main Street 1"')
        assert '"floor": 0' in terminal.text
        assert terminal.ended() == 0


def test_the_command_asks_nobody_without_a_terminal(place, workshop):  # noqa: F811
    refused = place.run("mcp", "invoke", "workshop", "deliver", "-n", workshop)
    assert refused.code == 1
    assert "Call it with all arguments, or from a terminal" in refused.stderr


async def test_arguments_are_kept_under_a_name_but_never_a_secret(at):
    async def presets(pilot, choice):
        await pilot.press("ctrl+o")
        await until(pilot, lambda: shows(pilot, "Presets of scrap") and shows(pilot, choice))

    async with at("scrap") as pilot:
        await fill(pilot, name="chair")
        await presets(pilot, "+ keep")
        await pilot.press("enter")
        await until(pilot, lambda: shows(pilot, "under which name?"))
        await pilot.press(*"old", "enter")
        await until(pilot, lambda: shows(pilot, "Kept: old"))
        await fill(pilot, name="table", password="hunter2")
        await presets(pilot, "+ keep")
        await pilot.press("down", "enter")
        await until(pilot, lambda: shows(pilot, "it holds a secret"))
    kept = directory() / "presets.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "hunter2" not in kept.read_text()
    async with at("scrap") as pilot:
        await presets(pilot, "old")
        await pilot.press("enter")
        await until(pilot, lambda: entry(pilot, "name").value == "chair")
        await presets(pilot, "forget old")
        await pilot.press("up", "enter")
        await until(pilot, lambda: shows(pilot, "Forgotten: old"))
    assert "chair" not in kept.read_text()
