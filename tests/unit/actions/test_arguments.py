"""Arguments of a tool call: words become what the schema says, and what does not fit is named before it is sent."""

from __future__ import annotations

import json

import pytest

from kaos.actions import arguments
from kaos.errors import UsageError

POINT = {
    "name": "move",
    "inputSchema": {
        "type": "object",
        "properties": {
            "count": {"type": "integer"},
            "ratio": {"type": "number"},
            "label": {"type": "string"},
            "loud": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "where": {"$ref": "#/$defs/Point"},
            "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
            "size": {"enum": ["small", "large"]},
            "free": {},
        },
        "required": ["count"],
        "additionalProperties": False,
        "$defs": {
            "Point": {
                "type": "object",
                "properties": {"x": {"type": "number"}, "y": {"type": "number"}},
                "required": ["x"],
                "additionalProperties": False,
            }
        },
    },
}
SCHEMA = POINT["inputSchema"]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("count=3", 3),
        ("count:=3", 3),
        ("ratio=1.5", 1.5),
        ("ratio=2", 2),
        ("label=3", "3"),
        ("label=true", "true"),
        ("label=a=b", "a=b"),
        ("label=", ""),
        ("loud=true", True),
        ('tags=["a", "b"]', ["a", "b"]),
        ('where={"x": 1}', {"x": 1}),
        ("maybe=null", None),
        ("maybe=4", 4),
        ("either=4", "4"),  # text is always right where text is allowed
        ("either:=4", 4),
        ("size=small", "small"),
        ("free=word", "word"),
        ("free:=[1]", [1]),
    ],
)
def test_a_word_becomes_what_the_schema_says(word, value):
    (found,) = arguments.typed([word], SCHEMA).values()
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["count=two"], 'Argument count of tool move must be an integer, not "two".'),
        (["count=1.5"], 'Argument count of tool move must be an integer, not "1.5".'),
        (["count=1", "loud=yes"], 'Argument loud of tool move must be true or false, not "yes".'),
        (["count=1", "tags:=[1]"], "Argument tags[0] of tool move must be a string, not 1."),
        (["count=1", "where:={}"], "Argument where of tool move lacks x."),
        (["count=1", 'where:={"x": "a"}'], 'Argument where.x of tool move must be a number, not "a".'),
        (["count=1", 'where:={"x": 1, "z": 2}'], "Argument where of tool move has no place for z."),
        (["count=1", "maybe=x"], 'Argument maybe of tool move must be an integer or null, not "x".'),
        (["count=1", "size=huge"], 'Argument size of tool move must be one of "small", "large", not "huge".'),
        (["count:=true"], "Argument count of tool move must be an integer, not true."),
        (["label=x"], "Tool move needs the argument count."),
        (["count=1", "cuont=2"], "Tool move takes no argument cuont."),
    ],
)
def test_what_does_not_fit_is_named(words, told):
    with pytest.raises(UsageError) as refused:
        arguments.check(arguments.typed(words, SCHEMA), POINT)
    assert refused.value.cause == told


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UsageError) as refused:
        arguments.check({"count": 1, "cuont": 2}, POINT)
    assert refused.value.cure == "Did you mean count?"


def test_a_list_that_is_no_json_shows_how_to_write_one():
    with pytest.raises(UsageError) as refused:
        arguments.typed(["tags=a"], SCHEMA)
    assert "a list in JSON" in refused.value.cause
    assert "tags:='[" in refused.value.cure


@pytest.mark.parametrize(
    "schema",
    [{}, {"type": "object"}, {"properties": {}, "additionalProperties": True}, {"patternProperties": {".*": {}}}],
    ids=["no schema", "an object", "others allowed", "patterns"],
)
def test_a_tool_that_lists_no_names_takes_any(schema):
    arguments.check({"anything": 1}, {"name": "open", "inputSchema": schema})


def test_a_tool_without_arguments_takes_none():
    with pytest.raises(UsageError):
        arguments.check({"a": 1}, {"name": "none", "inputSchema": {"type": "object", "properties": {}}})


def test_a_schema_that_turns_in_circles_comes_to_an_end():
    tree = {"$ref": "#/$defs/Tree"}
    schema = {
        "properties": {"tree": tree},
        "$defs": {"Tree": {"type": "object", "properties": {"child": tree}}, "Loop": {"$ref": "#/$defs/Loop"}},
    }
    arguments.check({"tree": {"child": {"child": {}}}}, {"name": "t", "inputSchema": schema})
    schema["properties"]["tree"] = {"$ref": "#/$defs/Loop"}
    arguments.check(arguments.typed(["tree=x"], schema), {"name": "t", "inputSchema": schema})


@pytest.mark.parametrize("word", ["plain", "=value", ":=1", ""])
def test_a_word_without_a_key_is_no_argument(word):
    with pytest.raises(UsageError, match="no argument"):
        arguments.typed([word], SCHEMA)


def test_a_key_given_twice_is_refused():
    with pytest.raises(UsageError, match="twice"):
        arguments.typed(["count=1", "count:=2"], SCHEMA)


@pytest.mark.parametrize("text", ["{a: 2", "NaN", '{"a": Infinity}', "", "[" * 100_000])
def test_what_is_no_json_is_told_as_such(text):
    with pytest.raises(UsageError, match="--args is not JSON"):
        arguments.parse_object(text, "--args")


@pytest.mark.parametrize(
    ("text", "kind"), [("[1]", "a list"), ("3", "an integer"), ("null", "null"), ('"x"', "a string")]
)
def test_arguments_must_be_an_object(text, kind):
    with pytest.raises(UsageError) as refused:
        arguments.parse_object(text, "--args")
    assert refused.value.cause.endswith(f"not {kind}.")


def test_a_signature_marks_what_may_be_left_out():
    told = arguments.signature(POINT)
    assert told.startswith("count: integer, ratio?: number, label?: string")
    assert "maybe?: integer" in told
    assert "either?: integer|string" in told
    assert "where?: object" in told
    assert arguments.signature({"name": "none"}) == "nothing"


WORDS_SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"}, "x": {"type": "number"}, "s": {"type": "string"}, "b": {"type": "boolean"},
        "l": {"type": "array"}, "o": {"type": "object"}, "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "maybe": {"type": ["integer", "null"]}, "any": {},
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        ({"n": 2}, ["n=2"]),
        ({"x": 2.0}, ["x=2.0"]),
        ({"s": "2"}, ["s=2"]),
        ({"s": ""}, ["s="]),
        ({"s": 'it\'s $(x) "q" größe'}, ['s=it\'s $(x) "q" größe']),
        ({"s": "a\nb"}, ['s:="a\\nb"']),
        ({"s": "\x1b[31m\x7f\u202e"}, ['s:="\\u001b[31m\\u007f\\u202e"']),
        ({"b": True}, ["b=true"]),
        ({"l": [1, "a"]}, ['l:=[1, "a"]']),
        ({"o": {"a": None}}, ['o:={"a": null}']),
        ({"either": 5}, ["either:=5"]),
        ({"either": "5"}, ["either=5"]),
        ({"maybe": None}, ["maybe=null"]),
        ({"any": 5}, ["any:=5"]),
        ({"any": "5"}, ["any=5"]),
        ({"unheard": True}, ["unheard:=true"]),
    ],
)
def test_arguments_become_words_that_mean_the_same(arguments, written):
    from kaos.actions.arguments import typed, words

    assert words(arguments, WORDS_SCHEMA) == written
    again = typed(written, WORDS_SCHEMA)
    assert again == arguments
    assert json.dumps(again) == json.dumps(arguments)


@pytest.mark.parametrize("name", ["", "a=b", "a:", "-a", "a\nb"])
def test_a_name_that_no_word_can_carry_is_refused(name):
    from kaos.actions.arguments import words

    with pytest.raises(ValueError, match="cannot stand before"):
        words({name: 1}, {})
