"""What is said of tools that clients or models trip over: a table of tools and findings."""

from __future__ import annotations

from typing import Any

import pytest

from kaos.actions.project.inspection import Level, findings
from kaos.actions.project.source import BlockingCall

GOOD = {"description": "Greets.", "inputSchema": {"type": "object", "properties": {}}}


def tool(name: str = "hello", properties: dict[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties or {}}
    return GOOD | {"name": name, "inputSchema": schema} | changed


def described(**schema: Any) -> dict[str, Any]:
    return {"who": {"description": "Whom.", "type": "string"} | schema}


CASES = {
    "a good tool": ([tool(properties=described())], []),
    "none at all": ([], ["error: there are no tools"]),
    "twice the same": ([tool(), tool()], ["error hello: 2 tools have this name; clients see one"]),
    "a name with a space": ([tool("say hello")], ["error say hello: the name is against the protocol"]),
    "a name with a dot": ([tool("say.hello")], ["error say.hello: models cannot call it by this name"]),
    "no description": (
        [tool(description=" ")],
        ["warning hello: has no description, by which a model chooses it"],
    ),
    "a silent argument": (
        [tool(properties={"who": {"type": "string"}})],
        ["warning hello: argument who without description"],
    ),
    "an untyped argument": (
        [tool(properties={"who": {"description": "Whom."}})],
        ["warning hello: argument who without type, so anything is accepted"],
    ),
    "a choice is a type": ([tool(properties={"who": {"description": "Whom.", "enum": ["you"]}})], []),
    "no object": (
        [tool(inputSchema={"type": "array"})],
        ["error hello: its arguments are no JSON object"],
    ),
    "a requirement from nowhere": (
        [tool(inputSchema={"type": "object", "required": ["who"]})],
        ["error hello: requires who, which it does not describe"],
    ),
    "a key by its looks": (
        [tool(properties=described(default="sk-abcdefghijklmnopqrstuvwx"))],
        ["error hello: the default of who looks like a secret, and every client sees it"],
    ),
    "a key by its name": (
        [tool(properties={"api_key": {"description": "The key.", "type": "string", "default": "hunter2"}})],
        ["error hello: the default of api_key looks like a secret, and every client sees it"],
    ),
    "no key by default": (
        [tool(properties={"api_key": {"description": "The key.", "type": "string", "default": ""}})],
        [],
    ),
    "a long description": (
        [tool(description="word " * 4000)],
        ["warning hello: its schema takes about 5,022 tokens of every conversation"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_told_what_to_mend(case):
    tools, told = CASES[case]
    found = findings(tools)
    assert [f"{one.level.value} {one.tool}".strip() + f": {one.problem}" for one in found] == told
    assert all(one.cure for one in found)


def test_many_tools_are_told_by_what_they_cost():
    found = findings([tool(f"tool_{number}", description="word " * 700) for number in range(20)])
    assert [one.problem for one in found] == ["all tools together take about 17,952 tokens of every conversation"]


def test_errors_come_first_and_only_calls_in_tools_count():
    calls = [BlockingCall("hello", "time.sleep", "server.py", 7), BlockingCall("helper", "time.sleep", "server.py", 9)]
    found = findings([tool(), tool("a b")], calls)
    assert [one.level for one in found] == [Level.ERROR, Level.WARNING]
    assert found[1].problem == "time.sleep at server.py:7 holds up all other calls"
