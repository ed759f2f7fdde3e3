"""Which of the offered tools a person's words ask for, and with which arguments: no understanding, only plain rules.

Words ask for a tool when they hold its name (a blank may stand for `_` and `-`, a server's prefix may be left out), or
when they ask for a sum, difference, product or quotient and a tool is named after that. Arguments are taken from
`name=value`, numbers and quoted texts, in the order in which they stand; a text that is asked for without quotes is
what follows the tool's name. A tool whose required arguments are not all there is not called.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
Call = tuple[str, Object]
READ = 2000  # characters of the words: nobody asks for a sum in more

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.]*\w)")
_QUOTED = re.compile(r"(?<!\w)([\"'])(.+?)\1(?!\w)|“(.+?)”", re.DOTALL)
_NAMED = re.compile(r"(?<!\w)(\w+)=(\"[^\"]*\"|'[^']*'|\S+)")
_SUM = re.compile(r"-?\d+(?:\.\d+)?(?:\s*[-+*/]\s*-?\d+(?:\.\d+)?)+")
# What a tool may be called -> how people ask for it.
_ARITHMETIC = (
    ({"add", "addition", "sum", "plus"}, r"\d\s*(?:\+|plus)\s*-?\d|\b(?:add|sum)\b"),
    ({"subtract", "subtraction", "minus", "difference"}, r"\d\s*(?:-|−|minus)\s*-?\d|\b(?:subtract|difference)\b"),
    ({"multiply", "multiplication", "times", "product"}, r"\d\s*(?:\*|×|x|times)\s*-?\d|\b(?:multiply|product)\b"),
    ({"divide", "division", "quotient"}, r"\d\s*(?:/|÷|divided by)\s*-?\d|\b(?:divide|quotient)\b"),
    ({"calculate", "calculator", "evaluate"}, _SUM.pattern),
)


def wished(words: str, tools: list[Object]) -> Call | None:
    """The call that the words ask for."""
    words = words[:READ]
    for tool, rest in (*_named(words, tools), *_meant(words, tools)):
        arguments = _arguments(_parameters(tool), words, rest)
        if arguments is not None:
            return tool["name"], arguments
    return None


def offered(name: str, tools: list[Object]) -> str | None:
    """What the tool of this name is really called: names may have got a server's prefix."""
    names = [tool["name"] for tool in tools]
    return next((one for one in names if name in (one, _own(one))), None)


def any_call(words: str, tools: list[Object]) -> Call:
    """The call that the words ask for, or of the first tool, for a caller who insists on one."""
    first, begun = tools[0], words[:READ]
    return wished(words, tools) or (first["name"], _arguments(_parameters(first), begun, begun) or {})


def _own(name: str) -> str:
    return re.split(r"__|\.", name)[-1]


def _named(words: str, tools: list[Object]) -> Iterator[tuple[Object, str]]:
    """Tools whose name stands in the words, the longest name first, and what follows it there."""
    for tool in sorted(tools, key=lambda one: -len(one["name"])):
        for name in (tool["name"], _own(tool["name"])):
            pattern = r"[\s_-]".join(re.escape(part) for part in re.split(r"[_-]", name))
            if found := re.search(rf"(?<![\w-]){pattern}(?![\w-])", words, re.IGNORECASE):
                yield tool, words[found.end() :].strip(" \t\n:,.")
                break


def _meant(words: str, tools: list[Object]) -> Iterator[tuple[Object, str]]:
    """Tools whose name is a kind of arithmetic that the words ask for."""
    for names, asked in _ARITHMETIC:
        if re.search(asked, words, re.IGNORECASE):
            for tool in tools:
                if names & set(re.split(r"[_\W]+", _own(tool["name"]).lower())):
                    yield tool, words


def _parameters(tool: Object) -> Object:
    schema = tool.get("parameters")
    return schema if isinstance(schema, dict) else {}


def _arguments(schema: Object, words: str, rest: str) -> Object | None:
    """Arguments that fit the schema; None when a required one is not in the words."""
    fields = schema.get("properties")
    required = schema.get("required")
    required = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    named = {name: value.strip("\"'") for name, value in _NAMED.findall(words)}
    numbers = [json.loads(text) for text in _NUMBER.findall(words)]
    texts = [one or other for _, one, other in _QUOTED.findall(words)]
    found: Object = {}
    for name, field in fields.items() if isinstance(fields, dict) else ():
        value = _value(field, named.get(name), numbers, texts)
        if value is None and name in required and _type(field) == "string":
            sum_ = _SUM.search(words)
            value = sum_[0] if sum_ and name == "expression" else rest or None
        if value is not None:
            found[name] = value
    return None if any(name not in found for name in required) else found


def _value(field: Any, given: str | None, numbers: list[Any], texts: list[str]) -> Any:
    """The next value of the field's type; None when there is none."""
    kind = _type(field)
    if given is not None:
        try:
            return given if kind == "string" else json.loads(given)
        except ValueError:
            return given
    if kind == "integer":
        numbers[:] = [int(number) if number == int(number) else number for number in numbers]
        at = next((n for n, number in enumerate(numbers) if isinstance(number, int)), None)
        return None if at is None else numbers.pop(at)
    if kind == "number":
        return numbers.pop(0) if numbers else None
    if kind == "array":
        taken = texts if _type(field.get("items")) == "string" else numbers
        value, taken[:] = list(taken), []
        return value or None
    return texts.pop(0) if kind == "string" and texts else None


def _type(field: Any) -> str:
    """The JSON type of a parameter; of several the first that is not null."""
    if not isinstance(field, dict):
        return ""
    options = field.get("anyOf") if isinstance(field.get("anyOf"), list) else [field]
    kinds = [option.get("type") for option in options if isinstance(option, dict)]
    return next((kind for kind in kinds if isinstance(kind, str) and kind != "null"), "")
