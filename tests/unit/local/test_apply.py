"""Server-side apply and managed fields, without a server: who owns what after which write."""

from __future__ import annotations

from typing import Any

import pytest

from kaos.local import fieldsets, managed
from kaos.local.schema import Schema

STRING = {"type": "string"}
SCHEMA = Schema(
    {
        "type": "object",
        "properties": {
            "metadata": {
                "type": "object",
                "properties": {
                    "name": STRING,
                    "labels": {"type": "object", "additionalProperties": STRING},
                    "finalizers": {"type": "array", "items": STRING, "x-kubernetes-list-type": "set"},
                },
            },
            "spec": {
                "type": "object",
                "properties": {
                    "a": STRING,
                    "b": STRING,
                    "atomic": {"type": "array", "items": STRING},
                    "whole": {"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": STRING},
                    "parts": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["name"],
                        "items": {"type": "object", "properties": {"name": STRING, "v": STRING, "w": STRING}},
                    },
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            },
        },
    }
)


def obj(**spec: Any) -> dict:
    return {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": spec}


def apply(live: dict | None, manager: str, force: bool = False, **spec: Any) -> dict:
    return managed.apply(live, obj(**spec), manager=manager, force=force, schema=SCHEMA, now="now")


def update(live: dict, manager: str, **spec: Any) -> dict:
    made = {**live, "spec": spec}
    managed.record_update(live, made, manager=manager, schema=SCHEMA, now="then")
    return made


def owned(made: dict) -> dict[str, list[str]]:
    """Manager -> what it owns, readable."""
    return {claim.manager: sorted(fieldsets.readable(path) for path in claim.fields) for claim in managed.entries(made)}


def test_the_first_apply_owns_what_it_sets():
    made = apply(None, "a", a="1", parts=[{"name": "p", "v": "1"}], whole={"k": "v"})
    assert owned(made) == {
        "a": [
            ".spec.a",
            '.spec.parts[name="p"]',
            '.spec.parts[name="p"].name',
            '.spec.parts[name="p"].v',
            ".spec.whole",
        ]
    }


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ({"a": "1"}, {"b": "2"}, {"a": "1", "b": "2"}),
        ({"a": "1"}, {"a": "1"}, {"a": "1"}),
        (
            {"parts": [{"name": "p", "v": "1"}]},
            {"parts": [{"name": "q"}]},
            {"parts": [{"name": "p", "v": "1"}, {"name": "q"}]},
        ),
        (
            {"parts": [{"name": "p", "v": "1"}]},
            {"parts": [{"name": "p", "w": "2"}]},
            {"parts": [{"name": "p", "v": "1", "w": "2"}]},
        ),
        ({"free": {"x": 1}}, {"free": {"y": {"z": 2}}}, {"free": {"x": 1, "y": {"z": 2}}}),
        ({"atomic": ["x"]}, {"atomic": ["x"]}, {"atomic": ["x"]}),
    ],
)
def test_what_two_managers_apply_goes_together(first, second, together):
    assert apply(apply(None, "a", **first), "b", **second)["spec"] == together


@pytest.mark.parametrize(
    ("first", "second", "fields"),
    [
        ({"a": "1"}, {"a": "2"}, [".spec.a"]),
        ({"atomic": ["x"]}, {"atomic": ["y"]}, [".spec.atomic"]),
        ({"whole": {"k": "1"}}, {"whole": {"l": "1"}}, [".spec.whole"]),
        ({"parts": [{"name": "p", "v": "1"}]}, {"parts": [{"name": "p", "v": "2"}]}, ['.spec.parts[name="p"].v']),
        ({"free": {"x": 1}}, {"free": {"x": 2}}, [".spec.free.x"]),
        ({"a": "1", "b": "1"}, {"a": "2", "b": "2"}, [".spec.a", ".spec.b"]),
    ],
)
def test_what_two_managers_want_otherwise_is_a_conflict_unless_forced(first, second, fields):
    live = apply(None, "a", **first)
    with pytest.raises(managed.ApplyConflict) as refused:
        apply(live, "b", **second)
    assert [conflict.field for conflict in refused.value.conflicts] == fields
    forced = apply(live, "b", force=True, **second)
    for key, value in second.items():
        assert forced["spec"][key] == value
    assert not set(owned(forced).get("a", [])) & set(fields)


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        ({"a": "1", "b": "2"}, {"a": "1"}, {"a": "1"}),
        ({"parts": [{"name": "p"}, {"name": "q"}]}, {"parts": [{"name": "q"}]}, {"parts": [{"name": "q"}]}),
        ({"parts": [{"name": "p", "v": "1"}]}, {"a": "1"}, {"a": "1"}),
        (
            {"parts": [{"name": "p", "v": "1", "w": "2"}]},
            {"parts": [{"name": "p", "v": "1"}]},
            {"parts": [{"name": "p", "v": "1"}]},
        ),
        ({"free": {"x": {"y": 1}}}, {"a": "1"}, {"a": "1"}),
        ({"whole": {"k": "v"}, "a": "1"}, {"a": "1"}, {"a": "1"}),
    ],
)
def test_what_a_manager_leaves_out_goes(before, after, left):
    assert apply(apply(None, "a", **before), "a", **after)["spec"] == left


def test_what_another_owns_too_stays():
    live = apply(apply(None, "a", a="1", b="2"), "b", b="2")
    assert apply(live, "a", a="1")["spec"] == {"a": "1", "b": "2"}


def test_an_update_takes_what_it_changes_and_no_more():
    live = apply(None, "a", a="1", b="2")
    made = update(live, "u", a="9", b="2")
    assert owned(made) == {"a": [".spec.b"], "u": [".spec.a"]}
    with pytest.raises(managed.ApplyConflict, match=r'conflict with "u" using v1: \.spec\.a'):
        apply(made, "a", a="1", b="2")


def test_an_update_that_removes_leaves_no_claim_behind():
    made = update(apply(None, "a", a="1", parts=[{"name": "p"}]), "u", a="1")
    assert owned(made) == {"a": [".spec.a"]}


def test_an_unchanged_apply_keeps_its_time():
    live = apply(None, "a", a="1")
    again = managed.apply(live, obj(a="1"), manager="a", force=False, schema=SCHEMA, now="later")
    assert again == live


def test_claims_can_be_dropped():
    live = apply(None, "a", a="1")
    made = {**live, "metadata": {**live["metadata"], "managedFields": []}}
    managed.record_update(live, made, manager="u", schema=SCHEMA)
    assert "managedFields" not in made["metadata"]


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"nosuch": 1}, ".spec.nosuch: field not declared in schema"),
        ({"parts": [{"name": "p"}, {"name": "p"}]}, '.spec.parts: duplicate entries for key [name="p"]'),
        ({"whole": [1]}, ".spec.whole: expected map, got &{[1]}"),
        ({"parts": [{"name": "p", "no": 1}]}, '.spec.parts[name="p"].no: field not declared in schema'),
        ({"x": 1, "y": 2}, "errors:\n  .spec.x: field not declared in schema\n  .spec.y: field not declared in schema"),
    ],
)
def test_what_does_not_fit_the_schema_cannot_be_applied(spec, why):
    with pytest.raises(managed.NotMergeable) as refused:
        apply(None, "a", **spec)
    assert str(refused.value) == why


def test_field_sets_survive_their_stored_form():
    paths = fieldsets.of_applied({"spec": {"parts": [{"name": "p", "v": "1"}], "free": {"x": {"y": 1}}}}, SCHEMA)
    assert fieldsets.from_fields(fieldsets.to_fields(paths)) == paths


def test_paths_are_told_as_the_real_server_tells_them():
    paths = {("f:b", "f:c"), ("f:z",), ("f:a",), ("f:b", "f:a", "f:x")}
    assert fieldsets.in_order(paths) == [("f:a",), ("f:z",), ("f:b", "f:c"), ("f:b", "f:a", "f:x")]
