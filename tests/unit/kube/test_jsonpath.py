"""JSONPath: what kubectl finds in an object is what is found here; a path that is none is refused."""

from __future__ import annotations

import time
from typing import Any

import pytest

from kaos.kube.jsonpath import evaluate

NODE = {
    "kind": "Node",
    "metadata": {"name": "n", "labels": {"a": "1", "x.y/z": "2"}, "generation": 3},
    "status": {
        "conditions": [
            {"type": "Memory", "status": "False", "count": 1},
            {"type": "Disk", "status": "False", "count": 5},
            {"type": "Ready", "status": "True", "count": 10, "since": {"time": "now"}},
        ],
        "empty": [],
        "nothing": None,
        "off": False,
        "a": {"b": {"name": "deep"}},
    },
}
CONDITIONS = NODE["status"]["conditions"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".metadata.name", ["n"]),
        ("metadata.name", ["n"]),
        ("{.metadata.name}", ["n"]),
        ("{ .metadata.name }", ["n"]),
        ("$.metadata.name", ["n"]),
        ("{@.metadata.name}", ["n"]),
        (".metadata.labels.x\\.y/z", ["2"]),
        (".metadata.labels['x.y/z']", ["2"]),
        ('.metadata.labels["x.y/z"]', ["2"]),
        ("['metadata']['name']", ["n"]),
        (".metadata.labels", [{"a": "1", "x.y/z": "2"}]),
        (".metadata.labels.*", ["1", "2"]),
        (".metadata.labels[*]", ["1", "2"]),
        (".missing", []),
        (".missing.more[0].x", []),
        (".status.nothing", [None]),
        (".status.off", [False]),
        (".status.empty", [[]]),
        (".status.empty[*]", []),
        (".status.empty[0]", []),
        (".status.conditions[*].type", ["Memory", "Disk", "Ready"]),
        (".status.conditions[0].type", ["Memory"]),
        (".status.conditions[-1].type", ["Ready"]),
        (".status.conditions[99].type", []),
        (".status.conditions[-99].type", []),
        (".status.conditions[0:2].type", ["Memory", "Disk"]),
        (".status.conditions[1:].type", ["Disk", "Ready"]),
        (".status.conditions[:-1].type", ["Memory", "Disk"]),
        (".status.conditions[::2].type", ["Memory", "Ready"]),
        (".status.conditions[5:1].type", []),
        (".status.conditions[0,2].type", ["Memory", "Ready"]),
        (".status.conditions[*]['type','status']", ["Memory", "Disk", "Ready", "False", "False", "True"]),
        (".status.conditions.type", []),
        (".metadata[0]", []),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type=='Ready')].status", ["True"]),
        ('.status.conditions[?( @.type == "Ready" )].status', ["True"]),
        ('.status.conditions[?(@.status!="True")].type', ["Memory", "Disk"]),
        (".status.conditions[?(@.count>4)].type", ["Disk", "Ready"]),
        (".status.conditions[?(@.count>=5)].type", ["Disk", "Ready"]),
        (".status.conditions[?(@.count<5)].type", ["Memory"]),
        (".status.conditions[?(@.count<=5)].type", ["Memory", "Disk"]),
        ('.status.conditions[?(@.count>"x")].type', []),
        (".status.conditions[?(@.since)].type", ["Ready"]),
        (".status.conditions[?(@.since.time=='now')].type", ["Ready"]),
        (".status.conditions[?(@.nope)].type", []),
        (".status.conditions[?(@.type=='a)b')].type", []),
        ("..type", ["Memory", "Disk", "Ready"]),
        (".status..name", ["deep"]),
        (".status.a..*", [{"name": "deep"}, "deep"]),
        ("{}", [NODE]),
        ("{.}", [NODE]),
        ("", [NODE]),
    ],
)
def test_what_kubectl_finds_is_found(path: str, found: list[Any]) -> None:
    assert evaluate(path, NODE) == found


@pytest.mark.parametrize(
    "path",
    [
        "{.metadata.name",
        "[",
        ".a[",
        ".a]",
        ".a[x]",
        ".a[1",
        ".a b",
        ".a[?(@.b",
        ".a[?(b==1)]",
        ".a['b]",
        "{.a}{.b}",
        '.a[?(@.type=="Ready" && @.status=="True")]',
        '.a[?(@.b =~ "(x+)+y")]',
        ".a[?(@.b==)]",
        ".a[1,x]",
        ".a[::0]",
        "!!",
        "[?(" + "(" * 500,
        "." * 5000 + "[",
        "a" * 5000 + "[",
    ],
)
def test_a_path_that_is_none_is_refused_at_once(path: str) -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match="JSONPath"):
        evaluate(path, NODE)
    assert time.process_time() - began < 0.5


def test_odd_objects_find_nothing() -> None:
    for odd in (None, 5, "text", [], {}, [[{"a": 1}]]):
        assert evaluate(".status.conditions[0].type", odd) == []


def test_a_thousand_objects_take_no_time() -> None:
    began = time.process_time()
    for _ in range(1000):
        evaluate('.status.conditions[?(@.type=="Ready")].status', NODE)
    assert time.process_time() - began < 0.2
