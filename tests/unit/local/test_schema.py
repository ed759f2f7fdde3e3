"""Structural schemas: what the parity suite does not reach through HTTP."""

from __future__ import annotations

import pytest

from kaos.local.schema import Schema

RULED = {
    "type": "object",
    "properties": {
        "n": {
            "type": "integer",
            "x-kubernetes-validations": [{"rule": "self >= oldSelf", "message": "n cannot shrink"}],
        },
        "list": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "v": {"type": "integer"}},
                "x-kubernetes-validations": [{"rule": "self.v == oldSelf.v", "message": "v is fixed"}],
            },
        },
    },
}


def messages(schema: dict, value, old=None) -> list[str]:
    return [f"{error.field}: {error.message}" for error in Schema(schema).validate(value, old)]


def test_transition_rules_compare_with_what_was_there():
    assert messages(RULED, {"n": 1}) == []
    assert messages(RULED, {"n": 1}, {"n": 2}) == ['n: Invalid value: "integer": n cannot shrink']
    assert messages(RULED, {"n": 1}, {}) == []


def test_items_of_a_map_list_are_compared_by_their_key():
    old = {"list": [{"name": "a", "v": 1}, {"name": "b", "v": 2}]}
    assert messages(RULED, {"list": [{"name": "b", "v": 2}, {"name": "c", "v": 9}]}, old) == []
    assert messages(RULED, {"list": [{"name": "b", "v": 3}]}, old) == ['list[0]: Invalid value: "object": v is fixed']


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [("^a$", "a", "a\n"), ("b+", "abbc", "ac"), (r"^[a-z$]+$", "a$b", "a$b\n"), (r"\$", "$", "a")],
)
def test_patterns_mean_what_they_mean_to_go(pattern, fits, does_not):
    schema = {"type": "object", "properties": {"s": {"type": "string", "pattern": pattern}}}
    assert messages(schema, {"s": fits}) == []
    assert len(messages(schema, {"s": does_not})) == 1


def test_defaults_fill_maps_lists_and_what_is_null():
    part = {"type": "object", "properties": {"x": {"type": "integer", "default": 1}}}
    schema = Schema(
        {
            "type": "object",
            "properties": {
                "map": {"type": "object", "additionalProperties": part},
                "list": {"type": "array", "items": part},
                "deep": {**part, "default": {}},
                "no": {"type": "string"},
                "null": {"type": "string", "nullable": True, "default": "d"},
            },
        }
    )
    value = {"map": {"a": {}}, "list": [{}, {"x": 2}], "no": None, "null": None}
    schema.default(value)
    assert value == {"map": {"a": {"x": 1}}, "list": [{"x": 1}, {"x": 2}], "deep": {"x": 1}, "null": None}


def test_defaults_are_copies():
    schema = Schema({"type": "object", "properties": {"a": {"type": "array", "default": [1]}}})
    one, two = {}, {}
    schema.default(one)
    schema.default(two)
    one["a"].append(2)
    assert two == {"a": [1]}


def test_pruning_names_what_it_removes():
    schema = Schema(
        {
            "type": "object",
            "properties": {
                "a": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "string"}}}},
                "m": {"type": "object", "additionalProperties": {"type": "object", "properties": {}}},
                "free": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": True,
                    "properties": {"k": {"type": "object", "properties": {"x": {"type": "string"}}}},
                },
            },
        }
    )
    value = {"a": [{"x": "1", "y": 2}], "m": {"k": {}}, "free": {"any": {"deep": 1}, "k": {"x": "1", "z": 2}}, "b": 1}
    assert sorted(schema.prune(value)) == ["a[0].y", "b", "free.k.z"]
    assert value == {"a": [{"x": "1"}], "m": {"k": {}}, "free": {"any": {"deep": 1}, "k": {"x": "1"}}}
