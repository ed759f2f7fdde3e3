"""Paths and `:` commands lead where they say, and every place has a path that leads back to it."""

from __future__ import annotations

import importlib

import pytest

from kaos.errors import UsageError
from kaos.tui import places
from kaos.tui.places import Place

PATHS = {
    "": Place("home"),
    "mcp": Place("list", "mcp"),
    "agents": Place("list", "agent"),
    "demo/mcp": Place("list", "mcp", "demo"),
    "mcp/calculator": Place("detail", "mcp", None, "calculator"),
    "demo/mcp/calculator": Place("detail", "mcp", "demo", "calculator"),
    "mcp/calculator/yaml": Place("detail", "mcp", None, "calculator", "yaml"),
    "mcp/calculator/tools": Place("tools", "mcp", None, "calculator"),
    "mcp/calculator/tools/add": Place("invoke", "mcp", None, "calculator", "add"),
    "demo/agent/helper/chat/7f3": Place("chat", "agent", "demo", "helper", "7f3"),
    "logs/mcp/calculator": Place("logs", "mcp", None, "calculator"),
    "operator/logs": Place("logs", "operator"),
    "runtimes": Place("runtimes"),
    "runtimes/slack": Place("runtime", item="slack"),
    "map": Place("map"),
    "deploy/agent": Place("deploy", "agent"),
    "mcp/calculator/rbac": Place("rbac", "mcp", None, "calculator"),
    "accounts": Place("accounts"),
}


@pytest.mark.parametrize(("path", "place"), PATHS.items(), ids=PATHS)
def test_a_path_names_a_place(path, place):
    assert places.parse(path) == place
    assert places.parse(place.path) == place


TYPED = {
    "mcp": (Place("list", "mcp"), ""),
    "mcp demo": (Place("list", "mcp", "demo"), ""),
    "mcp /calc": (Place("list", "mcp"), "calc"),
    "mcp list -n demo": (Place("list", "mcp", "demo"), ""),
    "mcp tools calculator": (Place("tools", "mcp", None, "calculator"), ""),
    "mcp describe calculator -n demo": (Place("detail", "mcp", "demo", "calculator"), ""),
    "mcp invoke calculator add": (Place("invoke", "mcp", None, "calculator", "add"), ""),
    "agent chat helper": (Place("chat", "agent", None, "helper"), ""),
    "chat helper": (Place("chat", "agent", None, "helper"), ""),
    "logs mcp/calculator -n demo -f": (Place("logs", "mcp", "demo", "calculator"), ""),
    "logs calculator": (Place("logs", "mcp", None, "calculator"), ""),
    "why": (Place("why"), ""),
    "why agent/helper": (Place("why", "agent", None, "helper"), ""),
    "map demo": (Place("map", namespace="demo"), ""),
    "rt": (Place("runtimes"), ""),
    "rbac": (Place("accounts"), ""),
    "rbac calculator": (Place("rbac", "mcp", None, "calculator"), ""),
}


@pytest.mark.parametrize(("text", "expected"), TYPED.items(), ids=TYPED)
def test_what_is_typed_leads_there(text, expected):
    assert places.typed(text) == expected


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("mpc", "Did you mean: mcp"),
        ("mcp/calculator/chat", "There is: overview"),
        ("tools", "mcp/NAME/tools"),
        ("agent/helper/resources", "There is:"),
        ("map/mcp", ""),
    ],
)
def test_what_names_nothing_is_told(text, hint):
    with pytest.raises(UsageError) as told:
        places.parse(text)
    assert hint in told.value.cure


@pytest.mark.parametrize("view", places.SCREENS)
def test_every_view_has_a_screen(view):
    module, _, name = places.SCREENS[view].partition(":")
    assert getattr(importlib.import_module(module), name)
