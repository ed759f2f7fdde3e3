"""Schemas, values and entries by chance, for the promises that hold for all of them."""

from __future__ import annotations

import random
from typing import Any

from kaos.tui.forms.draft import Draft
from kaos.tui.forms.schema import Field, Kind

WORDS = ("", "oak", "pine", "größe", "a b", "null", "5", "true", "quote'\"", "$(x)")
NUMBERS = (0, 1, -3, 7, 400, 2.5, 2.0, 1e3, 10**20)


def a_schema(chance: random.Random) -> dict[str, Any]:
    """The arguments of a tool."""
    found = _object(chance, 0)
    found["$defs"] = {"Word": {"type": "string", "description": "a word"}, "Size": _object(chance, 2)}
    return found


def _object(chance: random.Random, depth: int) -> dict[str, Any]:
    names = chance.sample("abcdefg", chance.randint(1, 4))
    found: dict[str, Any] = {"type": "object", "properties": {name: _any(chance, depth + 1) for name in names}}
    if chance.random() < 0.7:
        found["required"] = chance.sample(names, chance.randint(0, len(names)))
    if chance.random() < 0.5:
        found["additionalProperties"] = chance.random() < 0.3
    return found


def _any(chance: random.Random, depth: int) -> dict[str, Any]:
    made = chance.choice([_text, _number, _boolean, _enum, _list, _nullable, _union, _reference, _loose, _nested])
    found = made(chance, depth)
    if chance.random() < 0.2:
        found["default"] = chance.choice([None, "oak", 3, True, [], {}])
    return found


def _text(chance: random.Random, depth: int) -> dict[str, Any]:
    return {"type": "string"} | chance.choice([{}, {}, {"minLength": 1}, {"maxLength": 3}, {"pattern": "^[a-z]*$"}])


def _number(chance: random.Random, depth: int) -> dict[str, Any]:
    limits = chance.choice([{}, {}, {"minimum": 0}, {"maximum": 5}, {"exclusiveMinimum": 0, "multipleOf": 0.5}])
    return {"type": chance.choice(["integer", "number"])} | limits


def _boolean(chance: random.Random, depth: int) -> dict[str, Any]:
    return {"type": "boolean"}


def _enum(chance: random.Random, depth: int) -> dict[str, Any]:
    return chance.choice([
        {"enum": ["oak", "pine"]}, {"enum": [1, 2.5, "1", True, None]}, {"const": "circle"},
        {"type": "string", "enum": ["oak", 3]},
    ])  # fmt: skip


def _list(chance: random.Random, depth: int) -> dict[str, Any]:
    limits = chance.choice([{}, {"minItems": 1}, {"maxItems": 2}, {"uniqueItems": True}])
    return {"type": "array", "items": _any(chance, depth + 1) if depth < 4 else {"type": "string"}} | limits


def _nullable(chance: random.Random, depth: int) -> dict[str, Any]:
    if chance.random() < 0.5:
        return {"type": [chance.choice(["string", "integer", "boolean"]), "null"]}
    return {"anyOf": [_any(chance, depth + 1) if depth < 4 else {"type": "string"}, {"type": "null"}]}


def _union(chance: random.Random, depth: int) -> dict[str, Any]:
    if depth >= 4:
        return {"type": ["string", "integer"]}
    return {chance.choice(["anyOf", "oneOf"]): [_any(chance, depth + 1) for _ in range(chance.randint(1, 3))]}


def _reference(chance: random.Random, depth: int) -> dict[str, Any]:
    return {"$ref": chance.choice(["#/$defs/Word", "#/$defs/Size"] if depth < 2 else ["#/$defs/Word"])}


def _loose(chance: random.Random, depth: int) -> dict[str, Any]:
    return {"title": "Anything"}


def _nested(chance: random.Random, depth: int) -> dict[str, Any]:
    return _object(chance, depth) if depth < 5 else {"type": "string"}


def any_json(chance: random.Random, depth: int = 0) -> Any:
    """Any JSON at all."""
    match chance.randint(0, 5 if depth < 3 else 3):
        case 0:
            return chance.choice(WORDS)
        case 1:
            return chance.choice(NUMBERS)
        case 2:
            return chance.choice([True, False])
        case 3:
            return None
        case 4:
            return [any_json(chance, depth + 1) for _ in range(chance.randint(0, 3))]
    return {chance.choice("abcxyz"): any_json(chance, depth + 1) for _ in range(chance.randint(0, 3))}


def a_value(chance: random.Random, made: Field, wild: bool = False) -> Any:
    """A value of about the field's shape; parts of it may be anything."""
    if chance.random() < (0.05 if wild else 0.15):
        return any_json(chance)
    if made.nullable and chance.random() < 0.2:
        return None
    match made.kind:
        case Kind.TEXT:
            return chance.choice(WORDS)
        case Kind.INTEGER | Kind.NUMBER:
            return chance.choice(NUMBERS)
        case Kind.BOOLEAN:
            return chance.choice([True, False])
        case Kind.CHOICE:
            return chance.choice(made.options)
        case Kind.CHOICES:
            return [chance.choice(made.options) for _ in range(chance.randint(0, 3))]
        case Kind.ROWS:
            return [a_value(chance, made.item, wild) for _ in range(chance.randint(0, 3))]
        case Kind.GROUP:
            given = [part for part in made.parts if chance.random() < (0.9 if part.required else 0.5)]
            return {part.name: a_value(chance, part, wild) for part in given}
        case Kind.VARIANT:
            return a_value(chance, chance.choice(made.parts), wild)
    kind = made.schema.get("type")
    return any_json(chance) if kind is None else {"string": "x", "array": [], "object": {}}.get(str(kind))


def type_at_random(chance: random.Random, draft: Draft) -> None:
    """Use the form as a person without a plan does."""
    made = draft.field
    if chance.random() < (0.0 if draft.parent is None else 0.05 if made.required else 0.4):
        return
    if made.nullable and chance.random() < 0.2:
        draft.nullify(True)
        return
    match made.kind:
        case Kind.TEXT:
            draft.enter(chance.choice(WORDS))
        case Kind.INTEGER:
            draft.enter(chance.choice(["1", "3", "-2", "2.0", "x", ""]))
        case Kind.NUMBER:
            draft.enter(chance.choice(["1", "2.5", "1e2", "-0.1", ""]))
        case Kind.BOOLEAN:
            draft.switch(chance.choice([True, False, None]))
        case Kind.CHOICE:
            draft.choose([chance.randrange(len(made.options))])
        case Kind.CHOICES:
            draft.choose(chance.sample(range(len(made.options)), chance.randint(0, len(made.options))))
        case Kind.ROWS:
            for _ in range(chance.randint(0, 2)):
                type_at_random(chance, draft.add_row())
        case Kind.VARIANT:
            draft.choose([chance.randrange(len(made.parts))])
            type_at_random(chance, draft.parts[""])
        case Kind.GROUP:
            for part in draft.parts.values():
                type_at_random(chance, part)
        case Kind.JSON if "type" not in made.schema and "anyOf" not in made.schema and "oneOf" not in made.schema:
            draft.enter(chance.choice(["1", "null", '{"a": 1}', "[]", "{"]))


KEYWORDS = (
    "type", "properties", "required", "items", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "default", "minimum",
    "minLength", "pattern", "format", "additionalProperties", "nullable", "title", "description", "$defs",
    "multipleOf", "minItems", "uniqueItems", "exclusiveMinimum",
)  # fmt: skip


def junk(chance: random.Random, depth: int = 0) -> Any:
    """What a server might send in place of a schema."""
    match chance.randint(0, 9 if depth < 5 else 5):
        case 0:
            return chance.choice(["string", "object", "array", "null", "#", "#/$defs/a", "#/properties/x", "(", ""])
        case 1:
            return chance.choice([0, -1, 2.5, 1e308, 10**30])
        case 2 | 3:
            return chance.choice([True, False, None])
        case 4:
            return chance.choice(["string", "object", "integer"])
        case 5:
            return []
        case 6:
            return [junk(chance, depth + 1) for _ in range(chance.randint(0, 3))]
    keys = [chance.choice(KEYWORDS if chance.random() < 0.7 else ("x", "a", "y")) for _ in range(chance.randint(0, 4))]
    return {key: junk(chance, depth + 1) for key in keys}
