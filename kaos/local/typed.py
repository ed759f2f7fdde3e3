"""What the Go types behind a real API server do to a built-in object on its way in.

JSON of a wrong type is refused in the words of Go's decoder; null is no value; a struct that Go holds by value is there
even when nobody gave it; zero values that Go leaves out are left out; times and quantities are written in one way. The
published schemas tell most of it: a property whose default is `{}`, `""`, `0` or `false` is a value that is always
there.
"""

from __future__ import annotations

import base64
import binascii
import copy
from datetime import UTC, datetime
from typing import Any

from kaos.kube import quantities
from kaos.local.schema import Schema

Object = dict[str, Any]

_JSON_NAMES = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
# Fields that Go holds by value and leaves out when they are zero. All other numbers and booleans are pointers or always
# there, and the latter have a default.
_LEFT_OUT_WHEN_ZERO = {
    "hostNetwork", "hostPID", "hostIPC", "readOnly", "stdin", "stdinOnce", "tty", "paused",
    "publishNotReadyAddresses", "unschedulable", "minReadySeconds", "hostPort", "nodePort", "initialDelaySeconds",
    "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold", "count", "generation",
    "observedGeneration", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas",
    "fullyLabeledReplicas",
}  # fmt: skip
# Times that Go writes even when there is none.
_NULL_TIMES = {
    "Event": ("eventTime", "firstTimestamp", "lastTimestamp", "deprecatedFirstTimestamp", "deprecatedLastTimestamp"),
    "PodCondition": ("lastProbeTime", "lastTransitionTime"),
}
_POINTERS_TO_TEXT = {"storageClassName", "appProtocol", "volumeAttributesClassName"}
_QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_LAYOUTS = {"Time": "2006-01-02T15:04:05Z07:00", "MicroTime": "2006-01-02T15:04:05.000000Z07:00"}


class Mistyped(ValueError):
    """The document does not fit the type; the text is Go's."""


def decode(schema: Schema, obj: Object, *path: str) -> Object:
    """A copy of the object as Go would write it after reading it. Unknown fields stay. Raises Mistyped."""
    return _struct(schema, obj, path)


def blank(schema: Schema) -> Object:
    """An object with nothing in it, as Go holds it: also the lists that it always writes are there, empty."""
    return _with_lists(schema, decode(schema, {}))


def _with_lists(schema: Schema, made: Object) -> Object:
    for name in schema.node.get("required") or ():
        if name not in made and (child := schema.child(name)) is not None and child.node.get("type") == "array":
            made[name] = []
    for name, value in made.items():
        if isinstance(value, dict):
            _with_lists(schema.child(name), value)
    return made


def _struct(schema: Schema, value: Any, path: tuple[str, ...], holder: str = "") -> Object:
    if not isinstance(value, dict):
        raise _mistyped(value, holder, path, f"v1.{schema.name}")
    properties = schema.node.get("properties") or {}
    made = {}
    for name, item in value.items():
        child = schema.child(name) if name in properties else None
        if item is None:
            continue
        if child is None:
            made[name] = copy.deepcopy(item)
            continue
        item = _value(child, item, (*path, name), schema.name)
        if not _left_out(child, name, item):
            made[name] = item
    for name, declared in properties.items():
        if "default" in declared and made.get(name) in (None, "", 0):
            made[name] = _zero(schema.child(name), declared["default"])
    for name in _NULL_TIMES.get(schema.name, ()):
        if name in properties:
            made.setdefault(name, None)
    return made


def _zero(schema: Schema, default: Any) -> Any:
    return _struct(schema, {}, ()) if default == {} and schema.node.get("properties") else copy.deepcopy(default)


def _left_out(schema: Schema, name: str, value: Any) -> bool:
    if "default" in schema.node:
        return False
    if value == "":
        return name not in _POINTERS_TO_TEXT
    if value == []:
        return True
    if value == {}:
        return "properties" not in schema.node and isinstance(schema.node.get("additionalProperties"), dict)
    return value in (0, False) and name in _LEFT_OUT_WHEN_ZERO


def _value(schema: Schema, value: Any, path: tuple[str, ...], holder: str) -> Any:
    match schema.name:
        case "Quantity":
            return _quantity(value)
        case "Time" | "MicroTime" if isinstance(value, str):
            return _time(value, schema.name)
    node = schema.node
    if node.get("format") == "int-or-string" or node.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise _mistyped(value, "", (), "string")
        return value
    match node.get("type"):
        case "object" if node.get("properties"):
            return _struct(schema, value, path, holder)
        case "object" if isinstance(node.get("additionalProperties"), dict):
            return _map(schema, value, path, holder)
        case "array":
            if not isinstance(value, list):
                raise _mistyped(value, holder, path, _go_type(schema))
            item = schema.items
            return [_value(item, part, path, holder) for part in value] if item else copy.deepcopy(value)
        case "string" if node.get("format") == "byte":
            return _bytes(value, holder, path)
        case "string" | "boolean" | "integer" | "number" as wanted:
            if not _fits(value, wanted):
                raise _mistyped(value, holder, path, _go_type(schema))
    return copy.deepcopy(value)


def _map(schema: Schema, value: Any, path: tuple[str, ...], holder: str) -> Object:
    if not isinstance(value, dict):
        raise _mistyped(value, holder, path, _go_type(schema))
    child = schema.child("")
    zero: Any = "" if child.node.get("type") == "string" else {}
    return {name: zero if item is None else _value(child, item, path, holder) for name, item in value.items()}


def _fits(value: Any, wanted: str) -> bool:
    match wanted:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _go_type(schema: Schema) -> str:
    node = schema.node
    match node.get("type"):
        case "array":
            return f"[]{_go_type(schema.items)}" if schema.items else "[]interface {}"
        case "object" if isinstance(node.get("additionalProperties"), dict):
            return f"map[string]{_go_type(schema.child(''))}"
        case "object":
            return f"v1.{schema.name}"
        case "integer":
            return node.get("format", "int64")
        case "boolean":
            return "bool"
        case "number":
            return "float64"
    return "string"


def _mistyped(value: Any, holder: str, path: tuple[str, ...], wanted: str) -> Mistyped:
    given = _JSON_NAMES[type(value)]
    where = f"struct field {holder}.{'.'.join(path)}" if path else "value"
    return Mistyped(f"json: cannot unmarshal {given} into Go {where} of type {wanted}")


def _quantity(value: Any) -> str:
    try:
        return quantities.canonical(value)
    except ValueError:
        raise Mistyped(_QUANTITY) from None


def _time(text: str, kind: str) -> str:
    layout = _LAYOUTS[kind]
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
    except ValueError:
        raise Mistyped(f'parsing time "{text}" as "{layout}": cannot parse "{text}" as "2006"') from None
    if kind == "Time":
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if "." not in text:
        rest = text[19:]
        raise Mistyped(f'parsing time "{text}" as "{layout}": cannot parse "{rest}" as ".000000"')
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _bytes(value: Any, holder: str, path: tuple[str, ...]) -> str:
    if not isinstance(value, str):
        raise _mistyped(value, holder, path, "[]uint8")
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        wrong = next((i for i, letter in enumerate(value) if not _is_base64(letter)), len(value))
        raise Mistyped(f"illegal base64 data at input byte {wrong}") from None
    return value


def _is_base64(letter: str) -> bool:
    return letter.isascii() and (letter.isalnum() or letter in "+/=")
