"""What a schema demands of one value by itself, in a few words; what is inside objects and lists is not looked at."""

from __future__ import annotations

import datetime
import ipaddress
import json
import re
import uuid
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

Object = dict[str, Any]

# A server's pattern is matched while a person types: one that could take for ever is left to the server.
PATTERN_TEXT = 256
PATTERN_REPEATS = 3

_NAMES = {"integer": "a whole number", "number": "a number", "string": "text", "boolean": "true or false",
          "array": "a list", "object": "an object", "null": "null"}  # fmt: skip


def problem(schema: Object, value: Any) -> str:
    """Why the value does not fit; empty when it does."""
    return next((said for said in (check(schema, value) for check in _CHECKS) if said), "")


def is_type(value: Any, kind: Any) -> bool:
    match kind:
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return not isinstance(value, bool) and (isinstance(value, int) or _is_whole(value))
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case "null":
            return value is None
    return False


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is not true, however deep."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _of_type(schema: Object, value: Any) -> str:
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if kinds == [None] or any(is_type(value, kind) for kind in kinds):
        return ""
    return f"must be {' or '.join(_NAMES.get(kind, kind) if isinstance(kind, str) else str(kind) for kind in kinds)}"


def _of_values(schema: Object, value: Any) -> str:
    if "const" in schema and not same(value, schema["const"]):
        return f"must be {json.dumps(schema['const'], ensure_ascii=False)}"
    values = schema.get("enum")
    if isinstance(values, list) and not any(same(value, one) for one in values):
        return "must be one of those listed"
    return ""


def _of_size(schema: Object, value: Any) -> str:
    if isinstance(value, str):
        return _size(len(value), schema, "minLength", "maxLength", "character")
    if isinstance(value, list):
        if schema.get("uniqueItems") is True and any(
            same(one, other) for index, one in enumerate(value) for other in value[:index]
        ):
            return "must not hold the same twice"
        return _size(len(value), schema, "minItems", "maxItems", "entry")
    return ""


def _size(size: int, schema: Object, least: str, most: str, unit: str) -> str:
    low, high = _number(schema.get(least)), _number(schema.get(most))
    if low is not None and size < low:
        return f"must have at least {_counted(low, unit)}"
    if high is not None and size > high:
        return f"must have at most {_counted(high, unit)}"
    return ""


def _counted(number: float, unit: str) -> str:
    many = f"{unit.removesuffix('y')}ies" if unit.endswith("y") else f"{unit}s"
    return f"{number:g} {unit if number == 1 else many}"


def _of_range(schema: Object, value: Any) -> str:
    if not is_type(value, "number"):
        return ""
    low, high = _number(schema.get("minimum")), _number(schema.get("maximum"))
    above, below = _number(schema.get("exclusiveMinimum")), _number(schema.get("exclusiveMaximum"))
    if low is not None and value < low:
        return f"must be at least {low:g}"
    if high is not None and value > high:
        return f"must be at most {high:g}"
    if above is not None and value <= above:
        return f"must be more than {above:g}"
    if below is not None and value >= below:
        return f"must be less than {below:g}"
    step = _number(schema.get("multipleOf"))
    if step and step > 0 and not _is_multiple(value, step):
        return f"must be a multiple of {step:g}"
    return ""


def _is_multiple(value: float, step: float) -> bool:
    try:
        return Decimal(repr(value)) % Decimal(repr(step)) == 0
    except ArithmeticError:  # the quotient has more digits than can be told
        return True


def _of_pattern(schema: Object, value: Any) -> str:
    pattern = schema.get("pattern")
    if not isinstance(value, str) or not isinstance(pattern, str) or len(value) > PATTERN_TEXT:
        return ""
    found = _compiled(pattern)
    return "" if found is None or found.search(value) else f"must match {pattern}"


@lru_cache(256)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """None for what Python cannot read or might never finish."""
    from re import _parser  # type: ignore[attr-defined]

    try:
        parsed = _parser.parse(pattern)
        if not _is_quick(parsed):
            return None
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return None


def _is_quick(parsed: Any) -> bool:
    """Few repeats, none of them around a choice or another repeat."""
    repeats = 0
    level = [(operator, argument, False) for operator, argument in parsed]
    while level:
        operator, argument, repeated = level.pop()
        name = str(operator)
        if "REPEAT" in name:
            repeats += 1
            if repeated or repeats > PATTERN_REPEATS:
                return False
            inside = [(one, more, argument[1] > 1) for one, more in argument[2]]
        elif name == "BRANCH":
            if repeated:
                return False
            inside = [(one, more, repeated) for branch in argument[1] for one, more in branch]
        elif name == "SUBPATTERN":
            inside = [(one, more, repeated) for one, more in argument[3]]
        elif name in ("IN", "LITERAL", "NOT_LITERAL", "ANY", "AT", "CATEGORY"):
            inside = []
        else:
            return False  # looking around, references: rare, and hard to judge
        level += inside
    return True


def _of_format(schema: Object, value: Any) -> str:
    name = schema.get("format")
    known = _FORMATS.get(name) if isinstance(name, str) else None
    if known is None or not isinstance(value, str):
        return ""
    looks_right, words = known
    try:
        return "" if looks_right(value) else f"must be {words}"
    except ValueError:
        return f"must be {words}"


def _is_moment(text: str) -> bool:
    return (
        bool(re.match(r"\d{4}-\d\d-\d\d[Tt ]", text))
        and datetime.datetime.fromisoformat(text.upper()).tzinfo is not None
    )


def _is_date(text: str) -> bool:
    return len(text) == 10 and bool(datetime.date.fromisoformat(text))


_FORMATS: dict[str, tuple[Callable[[str], Any], str]] = {
    "date-time": (_is_moment, "a time such as 2026-11-24T12:00:00Z"),
    "date": (_is_date, "a date such as 2026-11-24"),
    "email": (lambda text: re.fullmatch(r"[^@\s]+@[^@\s]+", text), "an e-mail address"),
    "uri": (lambda text: urlsplit(text).scheme and " " not in text, "a URI such as https://example.org"),
    "uuid": (lambda text: len(text) == 36 and uuid.UUID(text), "a UUID"),
    "ipv4": (ipaddress.IPv4Address, "an IPv4 address"),
    "ipv6": (ipaddress.IPv6Address, "an IPv6 address"),
}
_CHECKS = (_of_type, _of_values, _of_size, _of_range, _of_pattern, _of_format)


def _number(value: Any) -> float | None:
    return value if is_type(value, "number") else None


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()
