"""Arguments of a tool call: read from a command line, given their types by the tool's schema, and checked by it.

The check knows the part of JSON Schema that tools use (types, required and unknown names, enums, nested objects and
lists, anyOf, references); what it does not know it lets pass, for the server judges in the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from kaos.errors import UsageError
from kaos.kube import sanitize
from kaos.kube.names import nearest

Object = dict[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "array": (list,),
    "object": (dict,), "null": (type(None),),
}  # fmt: skip
_A = {"integer": "an integer", "array": "a list", "object": "an object", "null": "null", "boolean": "true or false"}
_DEPTH = 32
_SHOWN = 60


def parse_json(text: str, what: str) -> Any:
    """JSON as it is meant for a tool. Raises UsageError that names the place."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise UsageError(f"{what} is not JSON: {error.msg}, line {error.lineno}, column {error.colno}.", "") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{what} is not JSON: {error}.", "") from None


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON value")


def parse_object(text: str, what: str) -> Object:
    found = parse_json(text, what)
    if not isinstance(found, dict):
        raise UsageError(f'{what} must be a JSON object such as {{"a": 2}}, not {_a(found)}.', "")
    return found


def split(words: Iterable[str]) -> list[tuple[str, str, bool]]:
    """`key=value` and `key:=json` as (key, text, whether the text is JSON). Raises UsageError."""
    found = []
    for word in words:
        key, equals, text = word.partition("=")
        literal = key.endswith(":")
        key = key.removesuffix(":")
        if not equals or not key:
            raise UsageError(f"{word!r} is no argument.", "Write key=value, key:=json, or --args JSON.")
        if any(key == other for other, _, _ in found):
            raise UsageError(f"Argument {key} is given twice.", "")
        found.append((key, text, literal))
    return found


def typed(words: Iterable[str], schema: Object) -> Object:
    """The arguments that words on a command line stand for. Raises UsageError."""
    schema = _sound(schema)
    properties = schema.get("properties") or {}
    return {
        key: parse_json(text, f"Argument {key}") if literal else _typed(key, text, properties.get(key) or {}, schema)
        for key, text, literal in split(words)
    }


def _sound(schema: Any, depth: int = 0) -> Object:
    """The schema without what is no JSON Schema: a server may send anything."""
    if not isinstance(schema, dict) or depth > _DEPTH:
        return {}
    found = {key: value for key, value in schema.items() if key not in _SHAPES or _SHAPES[key](value)}
    for key in ("properties", "$defs", "definitions"):
        if key in found:
            found[key] = {name: _sound(part, depth + 1) for name, part in found[key].items()}
    for key in ("anyOf", "oneOf"):
        if key in found:
            found[key] = [_sound(part, depth + 1) for part in found[key]]
    if "items" in found:
        found["items"] = _sound(found["items"], depth + 1)
    return found


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_SHAPES: dict[str, Callable[[Any], bool]] = {
    "type": lambda value: isinstance(value, str) or _is_texts(value),
    "properties": lambda value: isinstance(value, dict),
    "required": _is_texts,
    "enum": lambda value: isinstance(value, list) and bool(value),
    "anyOf": lambda value: isinstance(value, list),
    "oneOf": lambda value: isinstance(value, list),
    "items": lambda value: isinstance(value, dict),
    "$ref": lambda value: isinstance(value, str),
    "$defs": lambda value: isinstance(value, dict),
    "definitions": lambda value: isinstance(value, dict),
}


def words(arguments: Object, schema: Object) -> list[str]:
    """The words of a command line that `typed` makes these arguments of; control characters stand as JSON escapes.

    Raises ValueError for a name that no word can carry."""
    schema = _sound(schema)
    properties = schema.get("properties") or {}
    return [_word(key, value, properties.get(key) or {}, schema) for key, value in arguments.items()]


def _word(key: str, value: Any, schema: Object, root: Object) -> str:
    if not key or "=" in key or key.endswith(":") or key.startswith("-") or sanitize.line(key) != key:
        raise ValueError(f"{key!r} cannot stand before an equals sign")
    text = value if isinstance(value, str) else json.dumps(value)
    if sanitize.line(text) == text:
        try:
            meant = _typed(key, text, schema, root)
        except UsageError:
            meant = _NO
        if type(meant) is type(value) and meant == value and not isinstance(value, dict | list):
            return f"{key}={text}"
    return f"{key}:={json.dumps(value)}".replace("\x7f", "\\u007f")


def _typed(key: str, text: str, schema: Object, root: Object) -> Any:
    """The text as the first type of the schema that it fits; text that fits none is left for `check` to name."""
    types = _types(schema, root)
    for kind in ("null", "boolean", "integer", "number"):
        if kind in types and "string" not in types:
            value = _scalar(text, kind)
            if value is not _NO:
                return value
    structured = types & {"array", "object"}
    if structured and "string" not in types:
        try:
            return parse_json(text, f"Argument {key}")
        except UsageError:
            wanted = " or ".join(map(_named, sorted(structured)))
            example = f"{key}:='[1, 2]'" if "array" in structured else f"{key}:='{{\"a\": 1}}'"
            raise UsageError(f"Argument {key} must be {wanted} in JSON.", f"For example: {example}") from None
    return text


_NO = object()


def _scalar(text: str, kind: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return _NO
    return value if _is(value, kind) else _NO


def _types(schema: Object, root: Object, depth: int = 0) -> set[str]:
    """Every type that a value may have by this schema."""
    schema = _resolve(schema, root)
    if depth > _DEPTH:
        return set()
    options = schema.get("anyOf") or schema.get("oneOf") or ()
    types = set().union(*(_types(option, root, depth + 1) for option in options if isinstance(option, dict)))
    own = schema.get("type")
    types |= {own} if isinstance(own, str) else set(own or ())
    if not types and (values := schema.get("enum")):
        types = {name for value in values for name in _TYPES if _is(value, name)}
    return types


def check(arguments: Object, tool: Object) -> None:
    """Raises UsageError naming the first argument that the tool's schema does not allow."""
    schema = _sound(tool.get("inputSchema"))
    known = schema.get("properties") or {}
    name = tool.get("name", "")
    for key in arguments:
        if key not in known and not _takes_others(schema):
            like = nearest(key, known)
            hint = f"Did you mean {like}?" if like else f"It takes: {signature(tool)}"
            raise UsageError(f"Tool {name} takes no argument {key}.", hint)
    for key in schema.get("required") or ():
        if key not in arguments:
            raise UsageError(f"Tool {name} needs the argument {key}.", f"It takes: {signature(tool)}")
    for key, value in arguments.items():
        if key in known and (wrong := _wrong(value, known[key], schema, 0)):
            place, why = wrong
            raise UsageError(f"Argument {key}{place} of tool {name} {why}.", f"It takes: {signature(tool)}")


def _takes_others(schema: Object) -> bool:
    """Whether names that are not listed are welcome. A list of names without a word on others is meant as complete."""
    others = schema.get("additionalProperties")
    return bool("patternProperties" in schema or others or (others is None and "properties" not in schema))


def _wrong(value: Any, schema: Any, root: Object, depth: int) -> tuple[str, str] | None:
    """Where inside the value and why it does not fit, or None."""
    if not isinstance(schema, dict) or depth > _DEPTH:
        return None
    schema = _resolve(schema, root)
    options = schema.get("anyOf") or schema.get("oneOf")
    if options and all(_wrong(value, option, root, depth + 1) for option in options):
        wanted = _types(schema, root)
        return "", f"must be {' or '.join(_named(kind) for kind in sorted(wanted))}, not {_shown(value)}"
    if "enum" in schema and value not in schema["enum"]:
        return "", f"must be one of {', '.join(map(json.dumps, schema['enum']))}, not {_shown(value)}"
    if "const" in schema and value != schema["const"]:
        return "", f"must be {json.dumps(schema['const'])}, not {_shown(value)}"
    types = {schema["type"]} if isinstance(schema.get("type"), str) else set(schema.get("type") or ())
    if types and not any(_is(value, kind) for kind in types):
        return "", f"must be {' or '.join(_named(kind) for kind in sorted(types))}, not {_shown(value)}"
    if isinstance(value, dict):
        return _wrong_inside(value, schema, root, depth)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            if found := _wrong(item, schema["items"], root, depth + 1):
                return f"[{index}]{found[0]}", found[1]
    return None


def _wrong_inside(value: Object, schema: Object, root: Object, depth: int) -> tuple[str, str] | None:
    known = schema.get("properties") or {}
    for key in schema.get("required") or ():
        if key not in value:
            return "", f"lacks {key}"
    for key, item in value.items():
        if key in known:
            if found := _wrong(item, known[key], root, depth + 1):
                return f".{key}{found[0]}", found[1]
        elif schema.get("additionalProperties") is False:
            return "", f"has no place for {key}"
    return None


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(kind, (object,)))


def _resolve(schema: Object, root: Object) -> Object:
    for _ in range(_DEPTH):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        target: Any = root
        for part in reference[2:].split("/"):
            target = target.get(part) if isinstance(target, dict) else None
        if not isinstance(target, dict):
            return {}
        schema = target
    return {}


def _a(value: Any) -> str:
    return next((_named(kind) for kind in ("boolean", "integer", *_TYPES) if _is(value, kind)), "a value")


def _named(kind: str) -> str:
    return _A.get(kind, f"a {kind}")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def signature(tool: Object) -> str:
    """The arguments in short: `a: integer, b?: string`; a question mark for what may be left out."""
    schema = _sound(tool.get("inputSchema"))
    required = set(schema.get("required") or ())
    parts = []
    for name, about in (schema.get("properties") or {}).items():
        types = sorted(_types(about, schema) - {"null"}) if isinstance(about, dict) else []
        parts.append(f"{name}{'' if name in required else '?'}: {'|'.join(types) or 'any'}")
    return ", ".join(parts) or "nothing"
