"""Structural schemas as Kubernetes applies them: default, prune, validate; and what merging must know of a field.

One engine serves built-in kinds (with `$ref` into shared components) and CRDs. Messages are worded as the real API
server words them, since people search for them.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kaos.local import cel, patterns

REF_PREFIX = "#/components/schemas/"
_BLOCKS_RULES = {
    "FieldValueRequired", "FieldValueTypeInvalid", "FieldValueTooLong", "FieldValueTooMany", "FieldValueNotSupported",
}  # fmt: skip
_UNCHECKED = (
    "some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field, as in a Status's causes."""

    field: str
    reason: str  # FieldValueRequired, FieldValueInvalid, FieldValueNotSupported, ...
    message: str

    def cause(self) -> dict[str, str]:
        return {"reason": self.reason, "message": self.message, "field": self.field}


def invalid(field: str, value: Any, detail: str) -> FieldError:
    return FieldError(field, "FieldValueInvalid", f"Invalid value: {_shown(value)}: {detail}")


def required(field: str, detail: str = "") -> FieldError:
    return FieldError(field, "FieldValueRequired", f"Required value{': ' + detail if detail else ''}")


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError(field, "FieldValueDuplicate", f"Duplicate value: {_shown(value)}")


def not_supported(field: str, value: Any, *choices: Any) -> FieldError:
    supported = ", ".join(_shown(choice) for choice in choices)
    message = f"Unsupported value: {_shown(value)}: supported values: {supported}"
    return FieldError(field, "FieldValueNotSupported", message)


def _shown(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _type_name(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


class Schema:
    """One schema node with the components that its references name."""

    __slots__ = ("_children", "_ruled", "components", "name", "node")

    def __init__(self, node: Mapping[str, Any], components: Mapping[str, Any] | None = None) -> None:
        self.components = components or {}
        self.name = ""  # the type's, where a reference tells it
        while "$ref" in node:
            self.name = node["$ref"].rpartition(".")[2]
            node = {
                **self.components[node["$ref"].removeprefix(REF_PREFIX)],
                **{k: v for k, v in node.items() if k != "$ref"},
            }
        self.node = node
        self._children: dict[str, Schema | None] = {}
        self._ruled: bool | None = None

    # What merging must know.

    def child(self, field: str) -> Schema | None:
        """The schema of a field (or of a map's values); None when nothing is known of it."""
        if field not in self._children:
            node = (self.node.get("properties") or {}).get(field)
            if node is None and isinstance(self.node.get("additionalProperties"), dict):
                node = self.node["additionalProperties"]
            self._children[field] = None if node is None else Schema(node, self.components)
        return self._children[field]

    @property
    def items(self) -> Schema | None:
        if "[]" not in self._children:
            node = self.node.get("items")
            self._children["[]"] = Schema(node, self.components) if isinstance(node, dict) else None
        return self._children["[]"]

    @property
    def list_type(self) -> str:
        """atomic, set or map. A built-in list without a type merges as its patch strategy says."""
        declared = self.node.get("x-kubernetes-list-type")
        if declared:
            return declared
        if "merge" in self.node.get("x-kubernetes-patch-strategy", ""):
            return "map" if "x-kubernetes-patch-merge-key" in self.node else "set"
        return "atomic"

    @property
    def list_keys(self) -> tuple[str, ...]:
        keys = self.node.get("x-kubernetes-list-map-keys")
        return tuple(keys) if keys else (self.node.get("x-kubernetes-patch-merge-key", "name"),)

    @property
    def is_atomic_map(self) -> bool:
        return self.node.get("x-kubernetes-map-type") == "atomic"

    @property
    def preserves_unknown(self) -> bool:
        if self.node.get("x-kubernetes-preserve-unknown-fields"):
            return True
        extra = self.node.get("additionalProperties")
        if extra is True:
            return True
        # A built-in object without any field of its own (`RawExtension`, `JSON`) holds anything.
        return (
            "properties" not in self.node and not isinstance(extra, dict) and self.node.get("type") in (None, "object")
        )

    # Defaulting.

    def default(self, value: Any) -> None:
        """Fill in the defaults of absent fields, in place; null is the same as absent where it is no value."""
        if isinstance(value, dict):
            for name, node in (self.node.get("properties") or {}).items():
                child = self.child(name)
                if name in value and value[name] is None and not child.node.get("nullable"):
                    del value[name]
                if name not in value and "default" in child.node:
                    value[name] = copy.deepcopy(child.node["default"])
                if name in value and node is not None:
                    child.default(value[name])
            if isinstance(self.node.get("additionalProperties"), dict):
                known = self.node.get("properties") or {}
                for name, item in value.items():
                    if name not in known:
                        self.child(name).default(item)
        elif isinstance(value, list) and self.items:
            for item in value:
                self.items.default(item)

    # Pruning.

    def prune(self, value: Any, path: str = "") -> list[str]:
        """Remove unknown fields in place and return their paths."""
        if isinstance(value, list):
            if not self.items:
                return []
            return [gone for i, item in enumerate(value) for gone in self.items.prune(item, f"{path}[{i}]")]
        if not isinstance(value, dict):
            return []
        removed: list[str] = []
        preserved = self.preserves_unknown
        for name in list(value):
            child = self.child(name)
            here = f"{path}.{name}" if path else name
            if child is not None:
                removed += child.prune(value[name], here)
            elif self.node.get("x-kubernetes-embedded-resource") and name in ("apiVersion", "kind", "metadata"):
                continue
            elif not preserved:
                del value[name]
                removed.append(here)
        return removed

    # Validation.

    def validate(self, value: Any, old: Any = None, path: str = "") -> list[FieldError]:
        """Everything wrong with `value`, in the server's order; transition rules see `old` when it is given."""
        errors = list(self._check(value, path)) + list(self._duplicates(value, path))
        if self.has_rules():
            if any(error.reason in _BLOCKS_RULES for error in errors):
                errors.append(FieldError("<nil>", "FieldValueInvalid", f"Invalid value: null: {_UNCHECKED}"))
            elif not errors:
                errors += self._rules(value, _ABSENT if old is None else old, path)
        return errors

    def has_rules(self) -> bool:
        """Whether any CEL rule stands in this schema. Only CRDs have them, and never behind a reference."""
        if self._ruled is None:
            self._ruled = _mentions_rules(self.node)
        return self._ruled

    def _check(self, value: Any, path: str) -> Iterator[FieldError]:
        node = self.node
        if value is None:
            if not node.get("nullable") and path and self.name not in ("Time", "MicroTime"):
                yield self._type_error(value, path)
            return
        fits = self._type_fits(value)
        if not fits:
            yield self._type_error(value, path)
        if "enum" in node and value not in node["enum"]:
            yield not_supported(path, value, *node["enum"])
        if not fits:
            return
        match value:
            case bool():
                pass
            case str():
                yield from self._check_string(value, path)
            case int() | float():
                yield from self._check_number(value, path)
            case list():
                yield from self._check_list(value, path)
            case dict():
                yield from self._check_object(value, path)
        yield from self._check_combined(value, path)

    def _type_fits(self, value: Any) -> bool:
        if self.node.get("x-kubernetes-int-or-string") or self.node.get("format") == "int-or-string":
            return isinstance(value, (int, str)) and not isinstance(value, bool)
        match self.node.get("type"):
            case "object":
                return isinstance(value, dict)
            case "array":
                return isinstance(value, list)
            case "string":
                return isinstance(value, str)
            case "boolean":
                return isinstance(value, bool)
            case "integer":
                whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
                return whole and not isinstance(value, bool)
            case "number":
                return isinstance(value, (int, float)) and not isinstance(value, bool)
        return True

    def _type_error(self, value: Any, path: str) -> FieldError:
        both = self.node.get("x-kubernetes-int-or-string") or self.node.get("format") == "int-or-string"
        wanted = "integer,string" if both else self.node.get("type", "object")
        given = _shown(_type_name(value))
        message = f"Invalid value: {given}: {path} in body must be of type {wanted}: {given}"
        return FieldError(path, "FieldValueTypeInvalid", message)

    def _check_string(self, value: str, path: str) -> Iterator[FieldError]:
        node = self.node
        # Only the first of these is told.
        if (limit := node.get("maxLength")) is not None and len(value) > limit:
            yield FieldError(path, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")
        elif (limit := node.get("minLength")) is not None and len(value) < limit:
            yield invalid(path, value, f"{path} in body should be at least {limit} chars long")
        elif (pattern := node.get("pattern")) is not None and not patterns.compiled(pattern).search(value):
            yield invalid(path, value, f"{path} in body should match '{pattern}'")
        if (form := node.get("format")) in _FORMATS and not _FORMATS[form](value):
            message = f"Invalid value: {_shown(value)}: {path} in body must be of type {form}: {_shown(value)}"
            yield FieldError(path, "FieldValueTypeInvalid", message)

    def _check_number(self, value: float, path: str) -> Iterator[FieldError]:
        node = self.node
        if (limit := node.get("maximum")) is not None:
            if node.get("exclusiveMaximum") and value >= limit:
                yield invalid(path, value, f"{path} in body should be less than {limit}")
            elif value > limit:
                yield invalid(path, value, f"{path} in body should be less than or equal to {limit}")
        if (limit := node.get("minimum")) is not None:
            if node.get("exclusiveMinimum") and value <= limit:
                yield invalid(path, value, f"{path} in body should be greater than {limit}")
            elif value < limit:
                yield invalid(path, value, f"{path} in body should be greater than or equal to {limit}")
        if (step := node.get("multipleOf")) and value % step:
            yield invalid(path, value, f"{path} in body should be a multiple of {step}")

    def _check_list(self, value: list[Any], path: str) -> Iterator[FieldError]:
        if (limit := self.node.get("maxItems")) is not None and len(value) > limit:
            yield FieldError(path, "FieldValueTooMany", f"Too many: {len(value)}: must have at most {_items(limit)}")
        if (limit := self.node.get("minItems")) is not None and len(value) < limit:
            yield invalid(path, len(value), f"{path} in body should have at least {limit} items")
        if self.items:
            for position, item in enumerate(value):
                yield from self.items._check(item, f"{path}[{position}]")

    def _check_object(self, value: dict[str, Any], path: str) -> Iterator[FieldError]:
        node = self.node
        if (limit := node.get("maxProperties")) is not None and len(value) > limit:
            yield FieldError(path, "FieldValueTooMany", f"Too many: {len(value)}: must have at most {_items(limit)}")
        if (limit := node.get("minProperties")) is not None and len(value) < limit:
            yield invalid(path, len(value), f"{path} in body should have at least {limit} properties")
        wanted = tuple(node.get("required") or ())
        if node.get("x-kubernetes-embedded-resource"):
            wanted += ("apiVersion", "kind")
        for name in wanted:
            if value.get(name) is None and not (name in value and self._nullable(name)):
                yield required(_join(path, name))
        for name, item in value.items():
            child = self.child(name)
            if child is not None and not (item is None and name in wanted):
                yield from child._check(item, _join(path, name))

    def _nullable(self, name: str) -> bool:
        child = self.child(name)
        return child is not None and bool(child.node.get("nullable"))

    def _check_combined(self, value: Any, path: str) -> Iterator[FieldError]:
        if self.node.get("x-kubernetes-int-or-string") or self.node.get("format") == "int-or-string":
            return
        for node in self.node.get("allOf") or ():
            yield from Schema(node, self.components)._check(value, path)
        if nodes := self.node.get("anyOf"):
            found = self._alternatives(nodes, value, path)
            if all(found):
                yield _combined(path, "must validate at least one schema (anyOf)")
                yield from min(found, key=len)
        if nodes := self.node.get("oneOf"):
            found = self._alternatives(nodes, value, path)
            fitting = sum(not errors for errors in found)
            if fitting != 1:
                count = f"{fitting} valid alternatives" if fitting else "none valid"
                yield _combined(path, f"must validate one and only one schema (oneOf). Found {count}")
                yield from min(found, key=len)
        if (node := self.node.get("not")) is not None and not self._alternatives([node], value, path)[0]:
            yield _combined(path, "must not validate the schema (not)")

    def _alternatives(self, nodes: Sequence[Mapping[str, Any]], value: Any, path: str) -> list[list[FieldError]]:
        """What each of the nodes finds wrong."""
        return [list(Schema(node, self.components)._check(value, path)) for node in nodes]

    def _duplicates(self, value: Any, path: str) -> Iterator[FieldError]:
        if isinstance(value, dict):
            for name, item in value.items():
                if isinstance(item, (dict, list)) and (child := self.child(name)) is not None:
                    yield from child._duplicates(item, _join(path, name))
        elif isinstance(value, list):
            declared = self.node.get("x-kubernetes-list-type")
            seen: list[Any] = []
            for position, item in enumerate(value):
                key = item
                if declared == "map" and isinstance(item, dict):
                    key = {name: item.get(name) for name in sorted(self.list_keys)}
                if declared in ("set", "map") and key in seen:
                    yield duplicate(f"{path}[{position}]", key)
                seen.append(key)
                if self.items and isinstance(item, (dict, list)):
                    yield from self.items._duplicates(item, f"{path}[{position}]")

    def _rules(self, value: Any, old: Any, path: str) -> Iterator[FieldError]:
        for rule in self.node.get("x-kubernetes-validations") or ():
            if error := self._broken(rule, value, old, path):
                yield error
        if isinstance(value, dict):
            before = old if isinstance(old, dict) else {}
            for name, item in value.items():
                if (child := self.child(name)) is not None and child.has_rules():
                    yield from child._rules(item, before.get(name, _ABSENT), _join(path, name))
        elif isinstance(value, list) and self.items and self.items.has_rules():
            for position, item in enumerate(value):
                yield from self.items._rules(item, self._correlated(item, old), f"{path}[{position}]")

    def _correlated(self, item: Any, old: Any) -> Any:
        """The old item that a list-map's item was, if any."""
        if self.list_type != "map" or not isinstance(old, list) or not isinstance(item, dict):
            return _ABSENT
        keys = self.list_keys
        return next((o for o in old if isinstance(o, dict) and all(o.get(k) == item.get(k) for k in keys)), _ABSENT)

    def _broken(self, rule: Mapping[str, Any], value: Any, old: Any, path: str) -> FieldError | None:
        text = rule["rule"]
        if "oldSelf" in text and old is _ABSENT and not rule.get("optionalOldSelf"):
            return None
        variables = (value,) if old is _ABSENT else (value, old)
        try:
            if cel.evaluate(text, *variables) is True:
                return None
            message = rule.get("message") or f"failed rule: {' '.join(text.split())}"
            if rule.get("messageExpression"):
                message = cel.evaluate(rule["messageExpression"], *variables)
        except cel.CelError as error:
            message = f"rule evaluation error: {error}: {text}" if not rule.get("message") else rule["message"]
        return _broken_rule(path + rule.get("fieldPath", ""), rule.get("reason", "FieldValueInvalid"), value, message)


def _broken_rule(field: str, reason: str, value: Any, message: str) -> FieldError:
    match reason:
        case "FieldValueRequired":
            text = f"Required value: {message}"
        case "FieldValueForbidden":
            text = f"Forbidden: {message}"
        case "FieldValueDuplicate":
            text = f"Duplicate value: {_shown(_type_name(value))}"
        case _:
            text = f"Invalid value: {_shown(_type_name(value))}: {message}"
    return FieldError(field or "<nil>", reason, text)


def _combined(path: str, detail: str) -> FieldError:
    return FieldError("<nil>", "FieldValueInvalid", f'Invalid value: "": "{path}" {detail}')


def _mentions_rules(node: Any) -> bool:
    if isinstance(node, Mapping):
        return "x-kubernetes-validations" in node or any(_mentions_rules(value) for value in node.values())
    return isinstance(node, list) and any(_mentions_rules(value) for value in node)


def _items(limit: int) -> str:
    return f"{limit} item" if limit == 1 else f"{limit} items"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _is_date_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return "T" in text.upper()


_FORMATS = {"date-time": _is_date_time}
