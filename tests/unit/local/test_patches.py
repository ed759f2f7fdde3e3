"""JSON patch and merge patch."""

from __future__ import annotations

import copy

import pytest

from kaos.local.patches import PatchFailed, json_patch, merge_patch

DOCUMENT = {"a": {"b": [1, 2, 3]}, "x/y": 1, "t~u": 2, "n": None}


@pytest.mark.parametrize(
    ("patch", "result"),
    [
        ({"a": None}, {}),
        ({"b": 1}, {"a": {"x": 1}, "b": 1}),
        ({"a": {"y": 2}}, {"a": {"x": 1, "y": 2}}),
        ({"a": {"x": None}}, {"a": {}}),
        ({"a": [1]}, {"a": [1]}),
        ({"b": {"c": None}}, {"a": {"x": 1}, "b": {}}),
        ([1], [1]),
    ],
)
def test_merge_patch(patch, result):
    before = {"a": {"x": 1}}
    assert merge_patch(before, patch) == result
    assert before == {"a": {"x": 1}}


@pytest.mark.parametrize(
    ("operation", "changed"),
    [
        ({"op": "add", "path": "/a/b/-", "value": 4}, {"a": {"b": [1, 2, 3, 4]}}),
        ({"op": "add", "path": "/a/b/0", "value": 0}, {"a": {"b": [0, 1, 2, 3]}}),
        ({"op": "add", "path": "/a/c", "value": {}}, {"a": {"b": [1, 2, 3], "c": {}}}),
        ({"op": "replace", "path": "/x~1y", "value": 9}, {"x/y": 9}),
        ({"op": "replace", "path": "/t~0u", "value": 9}, {"t~u": 9}),
        ({"op": "replace", "path": "/a/b/1", "value": 9}, {"a": {"b": [1, 9, 3]}}),
        ({"op": "remove", "path": "/a/b/0"}, {"a": {"b": [2, 3]}}),
        ({"op": "copy", "from": "/a/b/0", "path": "/first"}, {"first": 1}),
        ({"op": "move", "from": "/x~1y", "path": "/a/b/0"}, {"a": {"b": [1, 1, 2, 3]}}),
        ({"op": "test", "path": "/n", "value": None}, {}),
    ],
)
def test_json_patch(operation, changed):
    before = copy.deepcopy(DOCUMENT)
    after = json_patch(before, [operation])
    wanted = {**DOCUMENT, **changed}
    if operation["op"] == "move":
        wanted.pop("x/y")
    assert after == wanted
    assert before == DOCUMENT


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/x~1y", "value": 2},
        {"op": "remove", "path": "/no"},
        {"op": "remove", "path": "/a/b/3"},
        {"op": "add", "path": "/no/deeper", "value": 1},
        {"op": "add", "path": "/a/b/9", "value": 1},
        {"op": "replace", "path": "/a/b/9", "value": 1},
        {"op": "replace", "path": "/x~1y/deeper", "value": 1},
        {"op": "add", "path": "relative", "value": 1},
        {"op": "copy", "path": "/x"},
        {"op": "move", "from": "/no", "path": "/x"},
        {"op": "fly", "path": "/a"},
        {"op": "add"},
        {},
    ],
)
def test_a_json_patch_that_cannot_be_carried_out_fails_whole(operation):
    before = copy.deepcopy(DOCUMENT)
    with pytest.raises(PatchFailed):
        json_patch(before, [{"op": "add", "path": "/first", "value": 1}, operation])
    assert before == DOCUMENT
