"""Forms of JSON Schemas: what is asked, what is sent, and that nothing is lost between form and JSON."""

from __future__ import annotations

import contextlib
import json
import random
import time

import jsonschema
import pytest

from kaos.actions import arguments
from kaos.errors import UsageError
from kaos.tui.forms import rules
from kaos.tui.forms.draft import Draft
from kaos.tui.forms.schema import ABSENT, Kind, form_of, is_secret_name
from tests.seeds import seeds
from tests.tui.random_schemas import a_schema, a_value, any_json, junk, type_at_random


def form(properties, required=(), **more):
    return form_of({"type": "object", "properties": properties, "required": list(required), **more})


def field(schema, required=False):
    (made,) = form({"x": schema}, ["x"] if required else []).parts
    return made


def problems(draft):
    return [(part.field.name, said) for part, said in draft.problems()]


# What is asked.


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, Kind.TEXT),
        ({"type": "integer"}, Kind.INTEGER),
        ({"type": "number"}, Kind.NUMBER),
        ({"type": "boolean"}, Kind.BOOLEAN),
        ({"enum": ["a", 1, None]}, Kind.CHOICE),
        ({"const": "a"}, Kind.CHOICE),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, Kind.CHOICES),
        ({"type": "array", "items": {"type": "string"}}, Kind.ROWS),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, Kind.GROUP),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, Kind.VARIANT),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, Kind.VARIANT),
        ({"type": ["string", "integer"]}, Kind.VARIANT),
        ({"allOf": [{"type": "string"}], "description": "d"}, Kind.TEXT),
        ({}, Kind.JSON),
        (True, Kind.JSON),
        ({"type": "object"}, Kind.JSON),
        ({"type": "array"}, Kind.JSON),
        ({"type": "string", "not": {"const": "x"}}, Kind.JSON),
        ({"type": "object", "properties": {"a": {}}, "patternProperties": {"^b": {}}}, Kind.JSON),
        ({"type": "string", "x-mcp-header": "Region", "title": "T", "examples": ["e"]}, Kind.TEXT),
        ({"type": "nonsense"}, Kind.JSON),
        ({"enum": []}, Kind.JSON),
        ({"anyOf": "nonsense"}, Kind.JSON),
        ({"$ref": "#/nowhere"}, Kind.JSON),
        ({"$ref": "https://example.org/schema"}, Kind.JSON),
    ],
)
def test_each_schema_becomes_its_kind_of_field(schema, kind):
    assert field(schema).kind is kind


@pytest.mark.parametrize(
    "schema",
    [
        {"type": ["string", "null"]},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"oneOf": [{"type": "null"}, {"type": "string"}]},
        {"type": "string", "nullable": True},
    ],
)
def test_null_is_a_switch_beside_the_field_not_a_variant(schema):
    made = field(schema)
    assert (made.kind, made.nullable) == (Kind.TEXT, True)


def test_references_are_followed_and_cycles_end_as_json():
    node = {"type": "object", "properties": {"value": {"type": "integer"}, "next": {"$ref": "#/$defs/Node"}}}
    made = form({"list": {"$ref": "#/$defs/Node"}}, **{"$defs": {"Node": node}})
    (first,) = made.parts
    assert {part.name: part.kind for part in first.parts} == {"value": Kind.INTEGER, "next": Kind.JSON}
    itself = form_of({"type": "object", "properties": {"me": {"$ref": "#"}}})
    assert itself.parts[0].kind in (Kind.GROUP, Kind.JSON)


def test_groups_nest_three_deep_and_then_are_json():
    schema = {"type": "string"}
    for name in "edcba":
        schema = {"type": "object", "properties": {name: schema}}
    made, kinds = field(schema), []
    while made.parts:
        kinds.append(made.kind)
        made = made.parts[0]
    assert kinds == [Kind.GROUP] * 3
    assert made.kind is Kind.JSON


def test_a_schema_that_grows_without_measure_is_cut():
    pairs = {f"L{n}": {"type": "object", "properties": {
        f"p{i}": {"$ref": f"#/$defs/L{n + 1}"} for i in range(40)}} for n in range(6)}  # fmt: skip
    started = time.monotonic()
    form_of({"type": "object", "properties": {"x": {"$ref": "#/$defs/L0"}}, "$defs": pairs})
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("schema", [None, [], {}, {"type": "array"}, {"$ref": "#"}, {"properties": 3}, True])
def test_what_is_no_schema_of_arguments_is_asked_as_json(schema):
    assert form_of(schema).kind is Kind.JSON


@pytest.mark.parametrize("name", ["password", "API_KEY", "apiKey", "githubToken", "client_secret", "db-password"])
def test_a_secret_is_known_by_its_name(name):
    assert is_secret_name(name)
    assert form({name: {"type": "string"}}).parts[0].secret


@pytest.mark.parametrize("name", ["max_tokens", "tokens", "key", "monkey", "author", "secretary"])
def test_an_ordinary_name_is_no_secret(name):
    assert not is_secret_name(name)


def test_a_secret_is_known_by_its_schema():
    assert field({"type": "string", "format": "password"}).secret
    assert field({"type": "string", "writeOnly": True}).secret


# What is sent.


def test_what_is_untouched_and_optional_is_absent():
    made = form({
        "a": {"type": "string"}, "b": {"type": ["integer", "null"]}, "c": {"type": "boolean"},
        "d": {"type": "array", "items": {"type": "string"}}, "e": {"type": "integer", "default": 5},
        "f": {"type": "object", "properties": {"g": {"type": "string"}}, "required": ["g"]},
        "h": {"anyOf": [{"type": "string"}, {"type": "integer"}]}, "i": {"enum": ["x"]}, "j": {},
    })  # fmt: skip
    draft = Draft.fresh(made)
    assert draft.value() == {}
    assert problems(draft) == []


def test_a_default_is_shown_and_marked_and_sent_only_when_touched():
    draft = Draft.fresh(form({"limit": {"type": "integer", "default": 20}}))
    limit = draft.parts["limit"]
    assert (limit.text, limit.is_default, limit.given) == ("20", True, False)
    limit.enter("20")
    assert draft.value() == {"limit": 20}
    limit.enter("")
    assert draft.value() == {}


def test_a_default_that_does_not_fit_is_not_shown():
    limit = Draft.fresh(form({"limit": {"type": "string", "default": None}})).parts["limit"]
    assert (limit.text, limit.as_json, limit.is_default) == ("", False, False)


def test_null_is_sent_when_it_is_said_and_not_before():
    draft = Draft.fresh(form({"x": {"type": ["integer", "null"]}}))
    draft.parts["x"].nullify(True)
    assert draft.value() == {"x": None}
    draft.parts["x"].nullify(False)
    assert draft.value() == {}
    draft.parts["x"].enter("3")
    assert draft.value() == {"x": 3}


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "string"}, "5", "5"),
        ({"type": "string"}, "true", "true"),
        ({"type": "integer"}, "5", 5),
        ({"type": "integer"}, "123456789012345678901", 123456789012345678901),
        ({"type": "number"}, "5", 5),
        ({"type": "number"}, "5.0", 5.0),
        ({"type": "number"}, "1e3", 1000.0),
        ({}, '{"a": [1]}', {"a": [1]}),
        ({}, '"5"', "5"),
    ],
)
def test_types_are_kept_exactly(schema, text, value):
    draft = Draft.fresh(form({"x": schema}))
    draft.parts["x"].enter(text)
    assert json.dumps(draft.value()) == json.dumps({"x": value})


def test_a_group_that_is_entered_is_sent_and_what_it_needs_is_told():
    size = {"type": "object", "properties": {"w": {"type": "integer"}, "h": {"type": "integer"}}, "required": ["w"]}
    draft = Draft.fresh(form({"size": size}))
    draft.parts["size"].parts["h"].enter("2")
    assert draft.value() == {"size": {"h": 2}}
    assert problems(draft) == [("w", "is needed")]
    draft.parts["size"].include(False)
    assert draft.value() == {}


def test_rows_and_choices_keep_their_order():
    draft = Draft.fresh(form({
        "tags": {"type": "array", "items": {"type": "string"}},
        "extras": {"type": "array", "items": {"enum": ["a", "b", "c"]}},
    }))  # fmt: skip
    for word in ("two", "one"):
        draft.parts["tags"].add_row().enter(word)
    draft.parts["extras"].choose([2, 0])
    assert draft.value() == {"tags": ["two", "one"], "extras": ["c", "a"]}
    draft.parts["tags"].remove_row(draft.parts["tags"].rows[0])
    assert draft.value()["tags"] == ["one"]


def test_a_variant_starts_with_what_tells_it_apart():
    circle = {"type": "object", "properties": {"kind": {"const": "circle"}, "r": {"type": "number"}},
              "required": ["kind", "r"]}  # fmt: skip
    square = {"type": "object", "properties": {"kind": {"const": "square"}, "side": {"type": "number"}},
              "required": ["kind", "side"]}  # fmt: skip
    draft = Draft.fresh(form({"shape": {"oneOf": [circle, square]}}, ["shape"]))
    draft.parts["shape"].choose([1])
    draft.parts["shape"].parts[""].parts["side"].enter("2")
    assert draft.value() == {"shape": {"kind": "square", "side": 2}}
    assert problems(draft) == []


def test_a_value_that_fits_two_of_one_of_is_told():
    draft = Draft.fresh(form({"x": {"oneOf": [{"type": "integer"}, {"type": "number"}]}}))
    draft.parts["x"].parts[""].enter("5")
    assert problems(draft) == [("x", "fits more than one of the variants")]


@pytest.mark.parametrize(
    ("schema", "text", "said"),
    [
        ({"type": "integer"}, "5.5", "must be a whole number"),
        ({"type": "integer"}, "five", "must be a whole number"),
        ({"type": "number"}, "NaN", "must be a number"),
        ({"type": "integer", "minimum": 1}, "0", "must be at least 1"),
        ({"type": "integer", "maximum": 9}, "10", "must be at most 9"),
        ({"type": "number", "exclusiveMinimum": 0}, "0", "must be more than 0"),
        ({"type": "number", "exclusiveMaximum": 1}, "1", "must be less than 1"),
        ({"type": "number", "multipleOf": 0.1}, "0.25", "must be a multiple of 0.1"),
        ({"type": "number", "multipleOf": 0.1}, "0.3", ""),
        ({"type": "string", "minLength": 2}, "a", "must have at least 2 characters"),
        ({"type": "string", "maxLength": 1}, "ab", "must have at most 1 character"),
        ({"type": "string", "pattern": "^[a-z]+$"}, "A", "must match ^[a-z]+$"),
        ({"type": "string", "pattern": "b"}, "abc", ""),
        ({"type": "string", "format": "date"}, "2026-13-01", "must be a date such as 2026-11-24"),
        ({"type": "string", "format": "date-time"}, "2026-11-24T12:00:00Z", ""),
        ({"type": "string", "format": "date-time"}, "2026-11-24", "must be a time such as 2026-11-24T12:00:00Z"),
        ({"type": "string", "format": "email"}, "nobody", "must be an e-mail address"),
        ({"type": "string", "format": "uri"}, "nowhere", "must be a URI such as https://example.org"),
        ({"type": "string", "format": "uuid"}, "1", "must be a UUID"),
        ({"type": "string", "format": "ipv4"}, "1.2.3", "must be an IPv4 address"),
        ({"type": "string", "format": "ipv6"}, "::1", ""),
        ({"type": "string", "format": "unheard-of"}, "x", ""),
        ({}, "{", "is not JSON: Expecting property name enclosed in double quotes, line 1, column 2"),
    ],
)
def test_what_is_wrong_is_told_under_the_field(schema, text, said):
    draft = Draft.fresh(form({"x": schema}))
    draft.parts["x"].enter(text)
    assert problems(draft) == ([("x", said)] if said else [])


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(a*)*b", "a*a*a*a*a*$", "(?=a)b", "(", "(a)\\1"])
def test_a_pattern_that_might_never_end_is_left_to_the_server(pattern):
    started = time.monotonic()
    assert rules.problem({"pattern": pattern}, "a" * 40 + "!") == ""
    assert time.monotonic() - started < 10


# Nothing is lost: random schemas, random entries, judged by a validator that others wrote.


@pytest.mark.parametrize("seed", seeds(60, 300))
def test_form_to_json_to_form_is_the_identity(seed):
    chance = random.Random(seed)
    made = form_of(a_schema(chance))
    value = any_json(chance) if seed % 3 == 0 else a_value(chance, made)
    draft = Draft.of(made, value)
    assert canonical(draft.value()) == canonical(value)
    again = Draft.of(made, draft.value())
    assert canonical(again.value()) == canonical(value)
    assert seen(again) == seen(draft)


@pytest.mark.parametrize("seed", seeds(60, 300))
def test_what_is_entered_survives_json_and_is_what_the_schema_allows(seed):
    chance = random.Random(10_000 + seed)
    schema = a_schema(chance)
    draft = Draft.fresh(form_of(schema))
    type_at_random(chance, draft)
    if problems(draft):
        return
    value = draft.value()
    jsonschema.Draft202012Validator(schema).validate(value)
    assert canonical(Draft.of(draft.field, value).value()) == canonical(value)


@pytest.mark.parametrize("seed", seeds(60, 200))
def test_what_the_validator_refuses_the_form_refuses_too(seed):
    chance = random.Random(20_000 + seed)
    schema = a_schema(chance)
    made = form_of(schema)
    value = a_value(chance, made, wild=True)
    draft = Draft.of(made, value)
    if any(part.given and part.field.kind is Kind.JSON for part in draft.walk()):
        return  # what is entered as JSON is the server's to judge
    if not jsonschema.Draft202012Validator(schema).is_valid(value):
        assert problems(draft), value


def test_random_entries_do_reach_the_validator():
    whole = 0
    for seed in range(300):
        chance = random.Random(10_000 + seed)
        draft = Draft.fresh(form_of(a_schema(chance)))
        type_at_random(chance, draft)
        whole += not problems(draft) and draft.value() is not ABSENT and bool(draft.value())
    assert whole > 60


@pytest.mark.parametrize("seed", seeds(100, 500))
def test_a_schema_that_is_none_is_asked_and_judged_all_the_same(seed):
    chance = random.Random(30_000 + seed)
    schema = {"type": "object", "properties": {"x": junk(chance, 1), "y": junk(chance, 1)}, "required": junk(chance, 4)}
    value = {"x": junk(chance, 3), "y": junk(chance, 3)}
    made = form_of(schema if seed % 2 else junk(chance))
    draft = Draft.of(made, value)
    assert draft.value() == value
    problems(draft)
    problems(Draft.fresh(made))
    tool = {"name": "t", "inputSchema": schema}
    assert isinstance(arguments.signature(tool), str)
    assert arguments.typed(arguments.words(value, schema), schema) == value
    with contextlib.suppress(UsageError):
        arguments.check(value, tool)


def canonical(value):
    return json.dumps(value, sort_keys=True)


def seen(draft):
    """All that is shown of a draft."""
    return [
        (part.field.name, part.given, part.is_null, part.is_default, part.as_json, part.text, part.chosen, part.flag)
        for part in draft.walk()
    ]
