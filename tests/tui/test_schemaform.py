"""The form on the screen: what a person types and chooses is what is sent."""

from __future__ import annotations

import asyncio
import json

import pytest
from textual import on
from textual.app import App
from textual.widgets import Button, Checkbox, Input, Select, TextArea

from kaos.tui.forms.fields import FieldView, Tick
from kaos.tui.forms.schemaform import SchemaForm
from kaos.tui.forms.secrets import MASK
from tests.seeds import seeds

ORDER = {
    "type": "object",
    "properties": {
        "customer": {"type": "string", "minLength": 2, "description": "Who it is for"},
        "count": {"type": "integer", "minimum": 1, "default": 1},
        "rush": {"type": "boolean"},
        "material": {"enum": ["oak", "pine"]},
        "extras": {"type": "array", "items": {"enum": ["drawer", "varnish", "wheels"]}},
        "notes": {"type": "array", "items": {"type": "string"}},
        "size": {"$ref": "#/$defs/Size"},
        "discount": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "by": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "api_token": {"type": "string"},
        "anything": {},
    },
    "required": ["customer"],
    "$defs": {
        "Size": {
            "type": "object",
            "properties": {"w": {"type": "integer"}, "h": {"type": "integer"}},
            "required": ["w"],
        }
    },
}


class Alone(App[None]):
    """Nothing but the form."""

    def __init__(self, schema, value=None):
        super().__init__()
        self.form, self.changes = SchemaForm(schema, value), 0

    def compose(self):
        yield self.form

    @on(SchemaForm.Changed)
    def _changed(self):
        self.changes += 1


def view(app, name):
    return next(one for one in app.query(FieldView) if one.draft.field.name == name)


def screen(app):
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


async def enter(pilot, app, name, text):
    entry = view(app, name).query("Input, TextArea").first()
    entry.focus()
    await pilot.press(*[{" ": "space"}.get(char, char) for char in text])
    await pilot.pause()


async def test_an_untouched_form_sends_nothing():
    app = Alone(ORDER)
    async with app.run_test(size=(80, 60)):
        assert app.form.value() == {}
        assert app.form.problems() == ["customer is needed"]


async def test_every_kind_of_field_gives_its_own_type():
    app = Alone(ORDER)
    async with app.run_test(size=(80, 60)) as pilot:
        await enter(pilot, app, "customer", "Ada L")
        view(app, "count").query_one(Input).value = "7"
        view(app, "rush").query_one(Select).value = False
        view(app, "material").query_one(Select).value = 1
        drawer, _, wheels = view(app, "extras").query(Tick)
        wheels.toggle()
        await pilot.pause()
        drawer.toggle()
        await pilot.pause()
        await enter(pilot, app, "anything", "[1]")
        assert app.form.value() == {
            "customer": "Ada L", "count": 7, "rush": False, "material": "pine", "extras": ["wheels", "drawer"],
            "anything": [1],
        }  # fmt: skip
        assert app.form.problems() == []
        assert app.changes > 5


async def test_rows_are_added_and_removed():
    app = Alone(ORDER)
    async with app.run_test(size=(80, 60)) as pilot:
        for word in ("one", "two"):
            view(app, "notes").query_one(".add", Button).press()
            await pilot.pause()
            assert isinstance(app.focused, Input), "the new row waits for its text"
            await pilot.press(*word)
        await pilot.pause()
        assert app.form.value() == {"notes": ["one", "two"]}
        view(app, "notes").query(".remove").first(Button).press()
        await pilot.pause()
        assert app.form.value() == {"notes": ["two"]}


async def test_an_optional_group_opens_when_it_is_wanted():
    app = Alone(ORDER)
    async with app.run_test(size=(80, 60)) as pilot:
        box = view(app, "size").query_one(".include", Checkbox)
        box.toggle()
        await pilot.pause()
        await enter(pilot, app, "w", "5")
        assert app.form.value() == {"size": {"w": 5}}
        view(app, "size").query_one(".include", Checkbox).toggle()
        await pilot.pause()
        assert app.form.value() == {}


async def test_null_is_a_switch():
    app = Alone(ORDER)
    async with app.run_test(size=(80, 60)) as pilot:
        view(app, "discount").query_one(".null", Checkbox).toggle()
        await pilot.pause()
        assert app.form.value() == {"discount": None}
        view(app, "discount").query_one(".null", Checkbox).toggle()
        await pilot.pause()
        assert app.form.value() == {}
        await enter(pilot, app, "discount", "2.5")
        assert app.form.value() == {"discount": 2.5}


async def test_a_variant_is_chosen_and_then_entered():
    app = Alone(ORDER)
    async with app.run_test(size=(80, 60)) as pilot:
        view(app, "by").query_one(Select).value = 1
        await pilot.pause()
        inner = next(one for one in app.query(FieldView) if one.draft.parent is view(app, "by").draft)
        inner.query_one(Input).value = "12"
        await pilot.pause()
        assert app.form.value() == {"by": 12}


async def test_ticks_can_be_read_without_colours():
    app = Alone(ORDER)
    async with app.run_test(size=(80, 60)) as pilot:
        assert "[ ] drawer" in screen(app)
        view(app, "extras").query(Tick).first().focus()
        await pilot.press("space")
        await pilot.pause()
        assert "[x] drawer" in screen(app)


async def test_a_default_is_filled_in_and_marked():
    app = Alone(ORDER)
    async with app.run_test(size=(80, 60)) as pilot:
        assert view(app, "count").query_one(Input).value == "1"
        line = next(line for line in screen(app).splitlines() if line.startswith("count"))
        assert line.rstrip().endswith("default")
        await enter(pilot, app, "count", "2")
        line = next(line for line in screen(app).splitlines() if line.startswith("count"))
        assert "default" not in line


async def test_what_is_wrong_stands_under_its_field():
    app = Alone(ORDER)
    async with app.run_test(size=(80, 60)) as pilot:
        await enter(pilot, app, "customer", "A")
        lines = screen(app).splitlines()
        at = next(index for index, line in enumerate(lines) if line.startswith("customer"))
        assert any("✖ must have at least 2 characters" in line for line in lines[at + 1 : at + 4])
        await enter(pilot, app, "customer", "da")
        assert "✖" not in screen(app)


async def test_what_is_missing_is_told_only_when_it_is_asked_for():
    app = Alone(ORDER)
    async with app.run_test(size=(80, 60)) as pilot:
        assert "is needed" not in screen(app)
        assert app.form.insist() is False
        await pilot.pause()
        assert "✖ is needed" in screen(app)
        assert app.focused is view(app, "customer").query_one(Input)


async def test_json_and_fields_turn_into_each_other():
    app = Alone(ORDER)
    async with app.run_test(size=(80, 60)) as pilot:
        await enter(pilot, app, "customer", "Ada")
        await pilot.press("ctrl+e")
        await pilot.pause()
        raw = app.query_one("#raw", TextArea)
        assert json.loads(raw.text) == {"customer": "Ada"}
        value = {"customer": "Bob", "size": {"w": 1, "depth": 2}, "by": 3, "more": None}
        raw.text = json.dumps(value)
        await pilot.pause()
        await pilot.press("ctrl+e")
        await pilot.pause()
        assert app.form.value() == value
        await pilot.press("ctrl+e")
        await pilot.pause()
        assert json.loads(app.query_one("#raw", TextArea).text) == value


async def test_text_that_is_no_json_stays_and_says_so():
    app = Alone(ORDER)
    async with app.run_test(size=(80, 60)) as pilot:
        await pilot.press("ctrl+e")
        await pilot.pause()
        app.query_one("#raw", TextArea).text = "{"
        await pilot.pause()
        assert "✖ The text is not JSON" in screen(app)
        await pilot.press("ctrl+e")
        await pilot.pause()
        assert app.query_one("#raw", TextArea).text == "{"


async def test_a_secret_is_never_on_the_screen():
    app = Alone(ORDER)
    async with app.run_test(size=(80, 60)) as pilot:
        await enter(pilot, app, "api_token", "hunter2")
        assert app.form.secret()
        assert "hunter2" not in screen(app)
        await pilot.press("ctrl+e")
        await pilot.pause()
        assert "hunter2" not in screen(app)
        assert MASK in screen(app)
        assert app.form.value() == {"api_token": "hunter2"}
        await pilot.press("ctrl+e")
        await pilot.pause()
        assert app.form.value() == {"api_token": "hunter2"}


async def test_pasted_lines_are_all_kept():
    app = Alone(ORDER)
    async with app.run_test(size=(80, 60)) as pilot:
        from textual import events

        entry = view(app, "customer").query_one(Input)
        entry.focus()
        entry.post_message(events.Paste("one\ntwo"))
        await pilot.pause()
        await pilot.pause()
        assert app.form.value() == {"customer": "one\ntwo"}
        assert view(app, "customer").query_one(TextArea).text == "one\ntwo"


async def test_ctrl_j_begins_a_second_line():
    app = Alone(ORDER)
    async with app.run_test(size=(80, 60)) as pilot:
        await enter(pilot, app, "customer", "one")
        await pilot.press("ctrl+j")
        await pilot.pause()
        await pilot.press("t", "w", "o")
        await pilot.pause()
        assert app.form.value() == {"customer": "one\ntwo"}


async def test_what_a_server_says_cannot_draw_on_the_screen():
    evil = "\x1b[2J[bold]x[/bold]\u202e"
    schema = {
        "type": "object",
        "properties": {
            evil: {"type": "string", "default": evil, "description": evil},
            "one": {"enum": [evil, "b"]},
            "two": {"anyOf": [{"type": "string", "title": evil}, {"type": "integer"}], "default": evil},
        },
    }
    app = Alone(schema)
    async with app.run_test(size=(80, 40)) as pilot:
        view(app, "one").query_one(Select).action_show_overlay()
        await pilot.pause()
        assert "\x1b" not in screen(app)
        assert "\u202e" not in screen(app)
        assert "[bold]" in screen(app)


@pytest.mark.parametrize("schema", [{"type": "object"}, {"$ref": "#"}, {"type": "object", "minProperties": 1}])
async def test_a_schema_that_is_no_form_is_asked_as_json(schema):
    app = Alone(schema)
    async with app.run_test(size=(80, 24)) as pilot:
        if app.query("#loose"):
            app.query_one("#loose", TextArea).text = '{"a": 1}'
            await pilot.pause()
            assert app.form.value() == {"a": 1}
            assert app.form.problems() == []
        else:
            assert "Nothing to fill in" in screen(app)
            assert app.form.value() == {}


async def test_arguments_that_are_no_object_are_refused():
    app = Alone({"type": "object", "minProperties": 1})
    async with app.run_test(size=(80, 24)) as pilot:
        app.query_one("#loose", TextArea).text = "[]"
        await pilot.pause()
        assert app.form.problems() == ["The arguments must be an object."]


@pytest.mark.parametrize("seed", seeds(1, 4))
async def test_a_monkey_at_the_keyboard_breaks_nothing(seed):
    import random

    chance = random.Random(seed + 3)
    keys = ["tab", "tab", "tab", "shift+tab", "enter", "space", "up", "down", "escape", "ctrl+e", "ctrl+j", "backspace",
            "1", "a", "{", "quotation_mark", "left", "end", "pagedown", "delete"]  # fmt: skip
    app = Alone(ORDER)
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(80):
            await pilot.press(chance.choice(keys))
        await pilot.pause()
        if not app.form.problems() and app.form.raw is None:
            value = app.form.value()
            await pilot.press("ctrl+e")
            await pilot.press("ctrl+e")
            await pilot.pause()
            assert app.form.value() == value


async def test_a_form_that_is_taken_away_at_once_takes_nothing_with_it():
    app = Alone(ORDER)
    async with app.run_test(size=(80, 24)) as pilot:
        for steps in range(12):
            form = SchemaForm(ORDER)
            await app.mount(form)
            for _ in range(steps):
                await asyncio.sleep(0)
            await form.remove()
        await pilot.pause()
        assert app.form.value() == {}
