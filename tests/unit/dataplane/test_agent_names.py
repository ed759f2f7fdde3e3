"""Every tool has a name of its own that OpenAI's protocol takes, and a lying server cannot take another's."""

from __future__ import annotations

import re

import pytest

from kaos.dataplane.agent.tools import fitting_name, names_apart


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        ([("a", "add")], ["add"]),
        ([("a", "add"), ("b", "sub")], ["add", "sub"]),
        ([("a", "add"), ("b", "add")], ["a__add", "b__add"]),
        ([("a", "add"), ("b", "add"), ("b", "sub")], ["a__add", "b__add", "sub"]),
        ([("a", "x.y"), ("b", "x/y")], ["a__x_y", "b__x_y"]),
        ([("a", "delegate_to_worker")], ["a__delegate_to_worker"]),
        ([], []),
    ],
)
def test_the_servers_name_comes_before_a_tools_where_two_would_be_the_same(tools, names):
    assert names_apart(tools, reserved=["delegate_to_worker"]) == names


@pytest.mark.parametrize(
    "tools",
    [
        [("a", "add"), ("b", "add"), ("b", "a__add")],
        [("a", "x.y"), ("a", "x/y")],
        [("a", "t" * 200), ("a", "t" * 201)],
        [("a", "é"), ("a", "ü"), ("b", "é")],
        [("a", "a__add"), ("a", "add"), ("b", "add")],
    ],
)
def test_names_are_never_the_same(tools):
    names = names_apart(tools)
    assert len(set(names)) == len(tools)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in names)


@pytest.mark.parametrize("name", ["add", "x" * 64, "a-b_C9"])
def test_a_good_name_stays_as_it_is(name):
    assert fitting_name(name) == name
