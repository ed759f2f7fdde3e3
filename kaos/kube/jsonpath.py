"""JSONPath as kubectl and a CRD's printer columns use it.

Fields, quoted keys, `[*]`, indexes, slices, unions, filters `?(@.type=="Ready")` and `..`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

Step = Callable[[list[Any]], list[Any]]

_NAME = r"(?:[^\s.,()\[\]$@{}\\'\"?!&|]|\\.)+"
_TOKEN = re.compile(
    rf"""\.\.(?P<recursive>{_NAME})?
      | \.(?P<field>{_NAME})
      | \[(?P<bracket>(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\((?:[^()'"]|'[^']*'|"[^"]*")*\)|[^\]'"()])*)\]
      | (?P<bare>{_NAME})""",
    re.VERBOSE,
)
_FILTER = re.compile(
    r"""\?\(\s*@(?P<path>[^=!<>&|]*?)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<value>'[^']*'|"[^"]*"|[\w.+-]+)\s*)?\)"""
)


def evaluate(expression: str, obj: Any) -> list[Any]:
    """All values that the path finds in `obj`; a missing field finds nothing. Raises ValueError for a bad path."""
    found = [obj]
    for step in _compile(expression):
        found = step(found)
    return found


@lru_cache(maxsize=512)
def _compile(expression: str) -> tuple[Step, ...]:
    text = expression.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1].strip()
    text = text.removeprefix("$").removeprefix("@")
    steps: list[Step] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None and text[position] == "." and position == len(text) - 1:
            break
        if match is None:
            raise ValueError(f"cannot read JSONPath {expression!r} at {text[position:]!r}")
        if match["bracket"] is not None:
            steps.append(_bracket(match["bracket"].strip()))
        elif match[0].startswith(".."):
            steps.append(_descend(match["recursive"]))
        else:
            name = re.sub(r"\\(.)", r"\1", match["field"] or match["bare"])
            steps.append(_every if name == "*" else _get(name))
        position = match.end()
    return tuple(steps)


def _get(name: str) -> Step:
    return lambda values: [value[name] for value in values if isinstance(value, dict) and name in value]


def _every(values: list[Any]) -> list[Any]:
    return [item for value in values for item in _items(value)]


def _items(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else []


def _descend(name: str | None) -> Step:
    def walk(value: Any) -> Iterator[Any]:
        yield value
        for item in _items(value):
            yield from walk(item)

    def step(values: list[Any]) -> list[Any]:
        everything = [item for value in values for item in walk(value)]
        return everything if name is None else _every(everything) if name == "*" else _get(name)(everything)

    return step


def _bracket(text: str) -> Step:
    if text == "*":
        return _every
    if text.startswith("?"):
        return _filter(text)
    parts = re.findall(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^,]+", text)
    return _union([_one(part.strip()) for part in parts])


def _one(text: str) -> Step:
    if text[:1] in "'\"":
        return _get(re.sub(r"\\(.)", r"\1", text[1:-1]))
    if re.fullmatch(r"-?\d+", text):
        index = int(text)
        return lambda values: [
            value[index] for value in values if isinstance(value, list) and -len(value) <= index < len(value)
        ]
    if re.fullmatch(r"(-?\d*):(-?\d*)(:([1-9]\d*)?)?", text):
        bounds = slice(*(int(part) if part else None for part in text.split(":")))
        return lambda values: [item for value in values if isinstance(value, list) for item in value[bounds]]
    raise ValueError(f"cannot read JSONPath index [{text}]")


def _union(steps: list[Step]) -> Step:
    if len(steps) == 1:
        return steps[0]
    return lambda values: [item for step in steps for item in step(values)]


def _filter(text: str) -> Step:
    match = _FILTER.fullmatch(text)
    if not match:
        raise ValueError(f"cannot read JSONPath filter [{text}]")
    path, operator = match["path"], match["op"]
    wanted = _literal(match["value"]) if operator else None

    def holds(item: Any) -> bool:
        found = evaluate(path, item) if path else [item]
        if operator is None:
            return bool(found)
        return any(_compare(value, operator, wanted) for value in found)

    return lambda values: [item for value in values for item in _items(value) if holds(item)]


def _literal(text: str) -> Any:
    if text[:1] in "'\"":
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        return text


def _compare(value: Any, operator: str, wanted: Any) -> bool:
    try:
        match operator:
            case "==":
                return value == wanted
            case "!=":
                return value != wanted
            case "<":
                return value < wanted
            case "<=":
                return value <= wanted
            case ">":
                return value > wanted
            case _:
                return value >= wanted
    except TypeError:
        return False
