"""The runtime registry: good entries count, bad ones are skipped and named, and no document can do harm."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml

import kaos
from kaos.api import registry
from kaos.api.registry import Runtime


def document(**runtimes: Any) -> str:
    return yaml.safe_dump({"runtimes": {name.replace("_", "-"): entry for name, entry in runtimes.items()}})


def configmap(name: str, text: str | None, labelled: bool = True) -> dict:
    labels = {"kaos.tools/mcp-runtimes": "true"} if labelled else {}
    return {
        "metadata": {"name": name, "labels": labels},
        "data": None if text is None else {"runtimes.yaml": text},
    }


GOOD = {"image": "example/server:1"}


def test_kaos_brings_rawpython_in_its_own_version() -> None:
    runtimes, problems = registry.parse(registry.builtin_text())
    assert problems == []
    assert runtimes["rawpython"].image == f"kaostools/kaos-mcp-rawpython:{kaos.__version__}"
    assert runtimes["rawpython"].paramsEnvVar == "MCP_TOOLS_STRING"
    assert runtimes["rawpython"].local_command == ("python", "-m", "kaos_rawpython")
    assert "{version}" not in registry.builtin_text()


def test_what_is_installed_is_what_is_read_back() -> None:
    cm = registry.configmap("elsewhere")
    assert cm["metadata"]["namespace"] == "elsewhere"
    assert registry.read([cm]).runtimes.keys() == registry.parse(registry.builtin_text())[0].keys()


def test_an_entry_needs_no_more_than_an_image() -> None:
    runtimes, problems = registry.parse(document(time=GOOD))
    assert (runtimes, problems) == ({"time": Runtime("time", image="example/server:1")}, [])
    assert (runtimes["time"].transport, runtimes["time"].port, runtimes["time"].path) == ("http", 8000, "/mcp")


def test_every_field_is_taken() -> None:
    entry = {
        "type": "nodejs", "image": "a/b:1", "package": "npm:x@1", "description": "d", "source": "s", "docs": "u",
        "command": ["run"], "args": ["--port", 8000, 1.5], "transport": "stdio", "port": 9000, "path": "/x",
        "paramsEnvVar": "P", "paramsSchema": {"type": "object"}, "requiredEnv": ["TOKEN"],
        "requiresServiceAccount": True, "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {}}],
        "writableRoot": True, "isolation": "session", "local": {"command": ["npx", "x"]},
    }  # fmt: skip
    runtimes, problems = registry.parse(document(all=entry))
    assert problems == []
    assert runtimes["all"] == Runtime(
        "all", "nodejs", "a/b:1", "npm:x@1", "d", "s", "u", ("run",), ("--port", "8000", "1.5"), "stdio", 9000, "/x",
        "P", {"type": "object"}, ("TOKEN",), True, ({"name": "A", "value": "1"}, {"name": "B", "valueFrom": {}}),
        True, "session", ("npx", "x"),
    )  # fmt: skip
    assert set(entry) | {"name", "local_command"} == {*Runtime.__dataclass_fields__, "local"}, "the test misses a field"


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("text", "must be a mapping"),
        (["a"], "must be a mapping"),
        (None, "must be a mapping"),
        ({}, "needs an image or a package"),
        ({"image": ""}, "needs an image or a package"),
        ({"image": 5}, "image must be text"),
        (GOOD | {"privileged": True}, "unknown field privileged"),
        (GOOD | {"securityContext": {}}, "unknown field securityContext"),
        (GOOD | {"local_command": ["sh"]}, "unknown field local_command"),
        (GOOD | {"name": "other"}, "unknown field name"),
        (GOOD | {3: 4}, "unknown field 3"),
        (GOOD | {"type": "cobol"}, "type must be one of python, nodejs, go, other"),
        (GOOD | {"transport": "sse"}, "transport must be one of http, stdio"),
        (GOOD | {"transport": ["http"]}, "transport must be one of"),
        (GOOD | {"isolation": "none"}, "isolation must be one of shared, session"),
        (GOOD | {"port": 0}, "port must be a number from 1 to 65535"),
        (GOOD | {"port": "8000"}, "port must be"),
        (GOOD | {"port": True}, "port must be"),
        (GOOD | {"path": "mcp"}, "path must begin with /"),
        (GOOD | {"path": "/m cp"}, "path must begin with /"),
        (GOOD | {"command": "python -m x"}, "command must be a list of words"),
        (GOOD | {"args": [{}]}, "args must be a list of words"),
        (GOOD | {"args": ["--verbose", True]}, "args must be a list of words"),
        (GOOD | {"requiredEnv": "TOKEN"}, "requiredEnv must be a list of words"),
        (GOOD | {"writableRoot": "yes"}, "writableRoot must be true or false"),
        (GOOD | {"paramsSchema": []}, "paramsSchema must be a mapping"),
        (GOOD | {"env": {"A": "1"}}, "env must be a list of variables with names"),
        (GOOD | {"env": [{"value": "1"}]}, "env must be a list of variables with names"),
        (GOOD | {"env": [{"name": "A", "value": 1}]}, "variable A needs a value in quotes"),
        (GOOD | {"env": [{"name": "A", "values": "1"}]}, "variable A needs a value in quotes"),
        (GOOD | {"local": ["x"]}, "local must be a mapping"),
        (GOOD | {"local": {"command": "x"}}, "local.command must be a list of words"),
        (GOOD | {"local": {"cwd": "/"}}, "local holds a command, nothing else"),
    ],
)
def test_a_bad_entry_is_skipped_and_named_and_hides_no_other(entry: Any, problem: str) -> None:
    runtimes, problems = registry.parse(document(bad_one=entry, good=GOOD))
    assert list(runtimes) == ["good"]
    (told,) = problems
    assert told.startswith("runtime bad-one: ")
    assert problem in told


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("custom", "this name is reserved"),
        ("package", "this name is reserved"),
        ("python-string", "this name stands for rawpython"),
        ("Raw", "the name must be a DNS label"),
        ("a.b", "the name must be a DNS label"),
        ("a/../b", "the name must be a DNS label"),
        ("<<", "the name must be a DNS label"),
        ("x" * 5000, "the name must be a DNS label"),
    ],
)
def test_some_names_cannot_be_had(name: str, problem: str) -> None:
    runtimes, (told,) = registry.parse(yaml.safe_dump({"runtimes": {name: GOOD, "good": GOOD}}))
    assert list(runtimes) == ["good"]
    assert problem in told
    assert len(told) < 150


def test_of_a_name_given_twice_the_first_counts() -> None:
    text = "runtimes:\n  a: {image: first}\n  b: {image: b}\n  a: {image: second}\n"
    runtimes, problems = registry.parse(text)
    assert runtimes["a"].image == "first"
    assert problems == ["runtime a: defined a second time, in line 4"]


def test_a_field_given_twice_spoils_its_entry_only() -> None:
    runtimes, problems = registry.parse("runtimes:\n  a: {image: x, image: y}\n  b: {image: b}\n")
    assert list(runtimes) == ["b"]
    assert problems == ["runtime a: field image is given twice"]


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system [true]",
        "!!int x",
        "!!int ''",
        "!!bool x",
        "!!timestamp x",
        "2024-13-45",
        "!x 1",
    ],
)
def test_a_tag_spoils_its_entry_only(value: str) -> None:
    runtimes, problems = registry.parse(f"runtimes:\n  a: {{image: x, description: {value}}}\n  b: {{image: b}}\n")
    assert list(runtimes) == ["b"]
    assert len(problems) == 1
    assert problems[0].startswith("runtime a: ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has no mapping `runtimes`"),
        ("a: 1", "has no mapping `runtimes`"),
        ("runtimes: [a]", "has no mapping `runtimes`"),
        ("runtimes:", "has no mapping `runtimes`"),
        ("- runtimes", "has no mapping `runtimes`"),
        ("runtimes", "has no mapping `runtimes`"),
        ("{}", "has no mapping `runtimes`"),
        ("runtimes:\n  a: [\n", "not YAML, line 2"),
        ("runtimes:\n  a: {}\n---\nruntimes: {}\n", "not YAML, line 3"),
        ("runtimes: *x", "not YAML, line 1"),
        ('runtimes: {a: {image: "\x07"}}', "not YAML"),
    ],
)
def test_a_document_that_is_no_registry_says_so(text: str, problem: str) -> None:
    assert registry.parse(text) == ({}, [problem])


_BOMB = "x: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"y{n}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(8)
)


@pytest.mark.parametrize(
    "text",
    [
        _BOMB + "runtimes: {a: {image: x, paramsSchema: {a: *i}}}",
        "runtimes: " + "[" * 1_000_000,
        "runtimes: {a: {image: x, paramsSchema: " + "{a: " * 60_000 + "1" + "}" * 60_000 + "}}",
        "a: &a {runtimes: *a}",
    ],
    ids=["bomb", "brackets", "braces", "circle"],
)
def test_bombs_are_refused_at_once(text: str) -> None:
    began = time.process_time()
    runtimes, problems = registry.parse(text)
    assert time.process_time() - began < 1
    assert runtimes == {}
    assert len(problems) == 1


def test_a_megabyte_of_text_is_read_or_refused_in_a_second() -> None:
    text = document(a=GOOD | {"description": "x" * 1_000_000})
    began = time.process_time()
    runtimes, problems = registry.parse(text)
    assert time.process_time() - began < 1
    assert problems == []
    assert list(runtimes) == ["a"]


def test_no_configmap_is_no_registry() -> None:
    assert registry.read([]) is None
    assert registry.read([configmap("other", document(a=GOOD), labelled=False)]) is None


def test_configmaps_add_up_and_the_system_s_own_comes_first() -> None:
    found = registry.read(
        [
            configmap("a-team", document(ours=GOOD, rawpython=GOOD)),
            configmap("kaos-mcp-runtimes", registry.builtin_text(), labelled=False),
            configmap("b-team", document(ours={"image": "late:1"}, theirs=GOOD)),
        ]
    )
    assert set(found.runtimes) == {*registry.parse(registry.builtin_text())[0], "ours", "theirs"}
    assert found.runtimes["rawpython"].description == "Execute Python code strings as MCP tools"
    assert found.runtimes["ours"].image == "example/server:1"
    assert found.problems == (
        "a-team: runtime rawpython is already defined elsewhere",
        "b-team: runtime ours is already defined elsewhere",
    )


def test_a_broken_configmap_is_named_and_hides_no_other() -> None:
    found = registry.read([configmap("broken", "["), configmap("empty", None), configmap("good", document(a=GOOD))])
    assert list(found.runtimes) == ["a"]
    assert found.problems == ("broken: not YAML, line 1", "empty: has no mapping `runtimes`")


def test_a_label_with_another_value_does_not_count() -> None:
    cm = configmap("x", document(a=GOOD))
    cm["metadata"]["labels"]["kaos.tools/mcp-runtimes"] = "false"
    assert not registry.is_registry(cm)
    assert not registry.is_registry({"metadata": {"name": "x", "labels": None}})
