"""A JSON Schema as the fields of a form.

What a form cannot ask without loss (keywords it does not know, cycles, depth) becomes a field for JSON text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import pairwise
from typing import Any

from kaos.tui.forms.rules import problem

Object = dict[str, Any]

DEPTH = 3  # of groups inside groups; what is deeper is JSON
MAX_REFERENCES = 32
MAX_FIELDS = 400  # of one form; what is beyond is JSON


class Kind(Enum):
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "one of"
    CHOICES = "any of"
    ROWS = "list"
    GROUP = "object"
    VARIANT = "variant"
    JSON = "JSON"


class _Absent(Enum):
    ABSENT = "absent"


ABSENT = _Absent.ABSENT


@dataclass(frozen=True)
class Field:
    """One thing to enter. `schema` holds its own rules, references resolved."""

    name: str
    kind: Kind
    schema: Object = field(default_factory=dict)
    required: bool = False
    nullable: bool = False
    secret: bool = False
    default: Any = ABSENT
    options: tuple[Any, ...] = ()  # the values of a choice
    parts: tuple[Field, ...] = ()  # fields of a group, variants of a variant
    item: Field | None = None  # what each row of a list is

    @property
    def description(self) -> str:
        return _text(self.schema.get("description"))

    @property
    def title(self) -> str:
        return _text(self.schema.get("title"))


def form_of(schema: Any) -> Field:
    """The form for the arguments of a tool: a group, or JSON where the schema is no plain object."""
    made = _Reader(schema if isinstance(schema, dict) else {}).field("", schema, True, 0, ())
    if made.kind is Kind.GROUP and not made.nullable:
        return made
    return replace(made, kind=Kind.JSON, parts=(), options=(), item=None, nullable=False, default=ABSENT)


# Keywords that a form honours, and those that rule out nothing.
_RULES = {
    "type", "enum", "const", "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "multipleOf", "items", "minItems", "maxItems", "uniqueItems", "properties", "required",
    "additionalProperties", "anyOf", "oneOf", "allOf", "$ref", "nullable",
}  # fmt: skip
_REMARKS = {
    "title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "$comment", "$id",
    "$schema", "$defs", "definitions", "$anchor", "discriminator", "contentEncoding", "contentMediaType",
}  # fmt: skip
_SIMPLE = {"string": Kind.TEXT, "integer": Kind.INTEGER, "number": Kind.NUMBER, "boolean": Kind.BOOLEAN}
_SECRET_WORDS = {"password", "passwd", "passphrase", "secret", "token", "credential", "credentials", "apikey"}
_SECRET_PAIRS = {("api", "key"), ("access", "key"), ("private", "key"), ("secret", "key")}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds what nobody else may see."""
    words = [word.lower() for word in _WORD.findall(name)]
    return bool(_SECRET_WORDS & set(words)) or any(pair in _SECRET_PAIRS for pair in pairwise(words))


class _Reader:
    def __init__(self, root: Object) -> None:
        self._root = root
        self._left = MAX_FIELDS

    def field(self, name: str, schema: Any, required: bool, depth: int, within: tuple[str, ...]) -> Field:
        self._left -= 1
        plain, within = self._resolve(schema, within)
        if plain is None or self._left <= 0:
            about = {key: schema[key] for key in ("title", "description") if isinstance(schema, dict) and key in schema}
            return Field(name, Kind.JSON, about, required, secret=is_secret_name(name))
        plain, nullable = _without_null(plain)
        made = self._shape(name, plain, depth, within)
        hidden = plain.get("format") == "password" or plain.get("writeOnly") is True or is_secret_name(name)
        return replace(
            made,
            name=name,
            required=required,
            nullable=nullable and made.kind is not Kind.JSON,
            default=plain.get("default", ABSENT),
            secret=hidden and made.kind in (Kind.TEXT, Kind.JSON),
        )

    def _shape(self, name: str, schema: Object, depth: int, within: tuple[str, ...]) -> Field:
        json_text = Field(name, Kind.JSON, schema)
        if not all(key in _RULES or key in _REMARKS or key.startswith("x-") for key in schema):
            return json_text
        variants = schema.get("anyOf") or schema.get("oneOf")
        if variants is not None:
            return self._variant(name, schema, variants, depth, within)
        if "const" in schema or "enum" in schema:
            values = [schema["const"]] if "const" in schema else schema["enum"]
            options = tuple(value for value in values if not problem(schema, value)) if _is_list(values) else ()
            return Field(name, Kind.CHOICE, schema, options=options) if options else json_text
        match _type(schema):
            case "object":
                return self._group(name, schema, depth, within)
            case "array":
                return self._list(name, schema, depth, within)
            case str() as kind if kind in _SIMPLE:
                return Field(name, _SIMPLE[kind], schema)
            case list() as kinds if all(isinstance(kind, str) for kind in kinds):
                rules = {key: value for key, value in schema.items() if key in _RULES}
                remarks = {key: value for key, value in schema.items() if key in _REMARKS}
                return self._variant(name, remarks, [rules | {"type": kind} for kind in kinds], depth, within)
        return json_text

    def _variant(self, name: str, schema: Object, variants: Any, depth: int, within: tuple[str, ...]) -> Field:
        beside = set(schema) & _RULES - {"anyOf", "oneOf"}
        if not _is_list(variants) or beside or ("anyOf" in schema and "oneOf" in schema) or depth > DEPTH:
            return Field(name, Kind.JSON, schema)
        parts = tuple(self.field(name, one, True, depth, within) for one in variants)
        if len(parts) == 1:
            about = {key: schema[key] for key in ("title", "description") if key in schema}
            return replace(parts[0], schema=parts[0].schema | about)
        return Field(name, Kind.VARIANT, schema, parts=parts)

    def _group(self, name: str, schema: Object, depth: int, within: tuple[str, ...]) -> Field:
        properties, required = schema.get("properties") or {}, schema.get("required") or []
        well_formed = isinstance(properties, dict) and isinstance(required, list)
        open_ended = not properties and schema.get("additionalProperties", depth > 0) is not False
        if not well_formed or open_ended or depth > DEPTH or not set(map(str, required)) <= set(properties):
            return Field(name, Kind.JSON, schema)
        parts = tuple(self.field(key, part, key in required, depth + 1, within) for key, part in properties.items())
        return Field(name, Kind.GROUP, schema, parts=parts)

    def _list(self, name: str, schema: Object, depth: int, within: tuple[str, ...]) -> Field:
        if "items" not in schema or depth > DEPTH:
            return Field(name, Kind.JSON, schema)
        item = self.field("", schema["items"], True, depth + 1, within)
        if item.kind is Kind.CHOICE and not item.nullable and len(item.options) > 1:
            return Field(name, Kind.CHOICES, schema, options=item.options, item=item)
        if item.kind is Kind.JSON:
            return Field(name, Kind.JSON, schema)
        return Field(name, Kind.ROWS, schema, item=item)

    def _resolve(self, schema: Any, within: tuple[str, ...]) -> tuple[Object | None, tuple[str, ...]]:
        """The schema itself in place of references to it, and the references that lead here; None for a cycle."""
        for _ in range(MAX_REFERENCES):
            if not isinstance(schema, dict):
                return None, within
            reference = schema.get("$ref")
            if reference is not None:
                if not isinstance(reference, str) or reference in within:
                    return None, within
                within = (*within, reference)
                target = self._target(reference)
                if target is None or not _mergeable(target, schema):
                    return None, within
                schema = target | {key: value for key, value in schema.items() if key != "$ref"}
            elif "allOf" in schema:
                merged, within = self._merged(schema, within)
                return merged, within
            else:
                return schema, within
        return None, within

    def _merged(self, schema: Object, within: tuple[str, ...]) -> tuple[Object | None, tuple[str, ...]]:
        """What `allOf` says together, where no two parts speak of the same."""
        parts = schema["allOf"]
        whole = {key: value for key, value in schema.items() if key != "allOf"}
        if not _is_list(parts):
            return None, within
        for part in parts:
            plain, within = self._resolve(part, within)
            if plain is None or not _mergeable(plain, whole):
                return None, within
            whole = plain | whole
        return whole, within

    def _target(self, reference: str) -> Object | None:
        if reference == "#":
            return self._root
        if not reference.startswith("#/"):
            return None
        target: Any = self._root
        for part in reference[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            target = target.get(key) if isinstance(target, dict) else None
        return target if isinstance(target, dict) else None


def _mergeable(one: Object, other: Object) -> bool:
    """Whether two schemas for the same value set no rule twice, so that one dictionary can hold both."""
    return not any(key in other and other[key] != one[key] for key in one.keys() & _RULES)


def _without_null(schema: Object) -> tuple[Object, bool]:
    """The schema of what is not null, and whether null is allowed beside it."""
    if schema.get("nullable") is True:
        schema = {key: value for key, value in schema.items() if key != "nullable"}
        return _without_null(schema)[0], True
    for key in ("anyOf", "oneOf"):
        options = schema.get(key)
        if _is_list(options):
            rest = [one for one in options if not (isinstance(one, dict) and one.get("type") == "null")]
            if len(rest) < len(options) and rest:
                return schema | {key: rest}, True
    kinds = schema.get("type")
    if isinstance(kinds, list) and "null" in kinds and len(kinds) > 1:
        rest = [kind for kind in kinds if kind != "null"]
        schema = schema | {"type": rest[0] if len(rest) == 1 else rest}
        values = schema.get("enum")
        if _is_list(values):
            return schema | {"enum": [value for value in values if value is not None]}, None in values
        return schema, True
    return schema, False


def _type(schema: Object) -> Any:
    """The type, or what it must be by the rules that are given; None for anything."""
    if "type" in schema:
        return schema["type"]
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else None


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def walk(made: Field) -> Iterator[Field]:
    yield made
    for part in (*made.parts, *((made.item,) if made.item else ())):
        yield from walk(part)
