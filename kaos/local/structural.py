"""Whether the schema of a CRD is structural: typed everywhere, with rules that compile and defaults that fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kaos.local import cel, patterns
from kaos.local.schema import FieldError, Schema, invalid, not_supported, required

_FORBIDDEN = ("$ref", "definitions", "dependencies", "patternProperties", "id")
_TYPES = ("object", "array", "string", "integer", "number", "boolean")


def check(node: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """What is wrong with the schema and everything in it."""
    anything = node.get("x-kubernetes-int-or-string") or node.get("x-kubernetes-preserve-unknown-fields")
    if not node.get("type") and not anything:
        yield required(f"{path}.type", "must not be empty for specified object fields")
    elif node.get("type") and node["type"] not in _TYPES:
        yield not_supported(f"{path}.type", node["type"], *sorted(_TYPES))
    for field in _FORBIDDEN:
        if field in node:
            yield FieldError(f"{path}.{field}", "FieldValueForbidden", f"Forbidden: {field} is not supported")
    if (pattern := node.get("pattern")) is not None:
        try:
            patterns.compiled(pattern)
        except ValueError as error:
            yield invalid(f"{path}.pattern", pattern, f"must be a valid regular expression, but isn't: {error}")
    if node.get("type") == "array" and not node.get("items"):
        yield required(f"{path}.items", "must be specified")
    if node.get("properties") and isinstance(node.get("additionalProperties"), dict):
        detail = "Forbidden: additionalProperties and properties are mutual exclusive"
        yield FieldError(f"{path}.additionalProperties", "FieldValueForbidden", detail)
    yield from _keys(node, path)
    yield from _rules(node, path)
    yield from _default(node, path)
    for name, child in (node.get("properties") or {}).items():
        yield from check(child, f"{path}.properties[{name}]")
    if isinstance(node.get("items"), dict):
        yield from check(node["items"], f"{path}.items")
    if isinstance(node.get("additionalProperties"), dict):
        yield from check(node["additionalProperties"], f"{path}.additionalProperties")


def _keys(node: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if node.get("x-kubernetes-list-type") != "map":
        return
    keys = node.get("x-kubernetes-list-map-keys")
    if not keys:
        yield required(f"{path}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map")
    items = node.get("items") or {}
    for key in keys or ():
        declared = (items.get("properties") or {}).get(key)
        if declared is None:
            detail = "entries must all be names of item properties"
            yield invalid(f"{path}.x-kubernetes-list-map-keys", key, detail)
        elif "default" not in declared and key not in (items.get("required") or ()):
            detail = (
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            )
            yield required(f"{path}.items.properties[{key}].default", detail)


def _rules(node: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for position, rule in enumerate(node.get("x-kubernetes-validations") or ()):
        for field in ("rule", "messageExpression"):
            if not (text := rule.get(field)):
                continue
            try:
                cel.compile_rule(text)
            except cel.CelError as error:
                here = f"{path}.x-kubernetes-validations[{position}].{field}"
                yield invalid(here, text, f"compilation failed: {error}")


def _default(node: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if "default" not in node:
        return
    for error in Schema({key: value for key, value in node.items() if key != "default"}).validate(node["default"]):
        where = f".{error.field}" if error.field else ""
        yield FieldError(f"{path}.default{where}", error.reason, error.message)
