"""JSONPath as kubectl's `-o jsonpath` and a CRD's printer columns use it.

Fields, quoted keys, `[*]`, indexes, slices, unions, filters `?(@.type=="Ready")`, `..`, and in templates
`{range ...}{end}`, quoted text and plain text around the braces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

Step = Callable[[list[Any]], list[Any]]

_TOKEN = re.compile(
    r"""\.\.(?P<recursive>[\w$-]+|\*)?
      | \.(?P<field>(?:[\w$-]|\\.)+|\*)
      | \[(?P<bracket>(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\((?:[^()'"]|'[^']*'|"[^"]*")*\)|[^\]'"()])*)\]
      | (?P<bare>(?:[\w$-]|\\.)+)""",
    re.VERBOSE,
)
_FILTER = re.compile(r"\?\(\s*@(?P<path>.*?)\s*(?:(?P<op>==|!=|<=|>=|<|>|=~)\s*(?P<value>.+?)\s*)?\)")


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
    if re.fullmatch(r"(-?\d*):(-?\d*)(:(-?\d*))?", text):
        bounds = slice(*(int(part) if part else None for part in text.split(":")))
        return lambda values: [item for value in values if isinstance(value, list) for item in value[bounds]]
    raise ValueError(f"cannot read JSONPath index [{text}]")


def _union(steps: list[Step]) -> Step:
    if len(steps) == 1:
        return steps[0]
    return lambda values: [item for value in values for step in steps for item in step([value])]


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
            case ">=":
                return value >= wanted
            case _:
                return re.search(str(wanted), str(value)) is not None
    except TypeError:
        return False


def render(template: str, obj: Any) -> str:
    """A template as `-o jsonpath=` takes it. Raises ValueError."""
    if "{" not in template:
        template = f"{{{template}}}"
    return "".join(_render(_parts(template), obj))


def _parts(template: str) -> list[tuple[str, str]]:
    parts, position = [], 0
    while position < len(template):
        start = template.find("{", position)
        if start < 0:
            parts.append(("text", template[position:]))
            break
        if start > position:
            parts.append(("text", template[position:start]))
        end = _closing(template, start)
        parts.append(("expression", template[start + 1 : end].strip()))
        position = end + 1
    return parts


def _closing(template: str, start: int) -> int:
    quote = ""
    for position in range(start, len(template)):
        character = template[position]
        if quote:
            quote = "" if character == quote and template[position - 1] != "\\" else quote
        elif character in "'\"":
            quote = character
        elif character == "}":
            return position
    raise ValueError(f"unclosed action in JSONPath template {template!r}")


def _render(parts: list[tuple[str, str]], obj: Any) -> Iterator[str]:
    position = 0
    while position < len(parts):
        kind, content = parts[position]
        if kind == "text":
            yield content
        elif content.startswith("range"):
            end = _matching_end(parts, position)
            for item in evaluate(content.removeprefix("range").strip(), obj):
                yield from _render(parts[position + 1 : end], item)
            position = end
        elif content[:1] in "'\"":
            yield content[1:-1].encode().decode("unicode_escape") if content.isascii() else content[1:-1]
        elif content != "end":
            yield " ".join(_text(value) for value in evaluate(content, obj))
        position += 1


def _matching_end(parts: list[tuple[str, str]], start: int) -> int:
    depth = 0
    for position in range(start, len(parts)):
        kind, content = parts[position]
        if kind == "expression" and content.startswith("range"):
            depth += 1
        elif kind == "expression" and content == "end":
            depth -= 1
            if depth == 0:
                return position
    raise ValueError("{range} without {end} in JSONPath template")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))
