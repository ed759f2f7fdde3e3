"""The scale subresource: one small object that shows and sets the number of replicas of any kind."""

from __future__ import annotations

from typing import Any

from kaos.kube import selectors
from kaos.local import status
from kaos.local.kinds import Kind
from kaos.local.schema import FieldError, invalid

Object = dict[str, Any]


def _at(obj: Any, path: str) -> Any:
    for key in path.split("."):
        obj = obj.get(key) if isinstance(obj, dict) else None
    return obj


def show(kind: Kind, obj: Object) -> Object:
    """The Scale of an object."""
    meta = obj["metadata"]
    kept = {k: meta[k] for k in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp") if k in meta}
    if kind.custom:
        selector = _at(obj, kind.scale.selector) if kind.scale.selector else None
    else:
        selector = selectors.text_of(obj["spec"].get("selector"))
    shown: Object = {"replicas": _at(obj, kind.scale.status) or 0}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": kept,
        "spec": {"replicas": replicas} if (replicas := _at(obj, kind.scale.spec)) else {},
        "status": shown | ({"selector": selector} if selector else {}),
    }


def write(kind: Kind, obj: Object, scale: Object) -> Object:
    """The object with the replicas that the Scale asks for. Raises ApiStatus."""
    name = obj["metadata"]["name"]
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise status.bad_request(f"spec.replicas of the Scale must be a whole number, not {replicas!r}")
    if replicas < 0 and not kind.custom:
        raise status.bad_scale(name, [invalid("spec.replicas", replicas, "must be greater than or equal to 0")])
    asked = (scale.get("metadata") or {}).get("resourceVersion")
    if asked:
        obj["metadata"]["resourceVersion"] = asked
    *around, last = kind.scale.spec.split(".")
    holder = obj
    for key in around:
        holder = holder.setdefault(key, {})
    holder[last] = replicas
    return obj


def check(kind: Kind, obj: Object) -> list[FieldError]:
    """What keeps the scale subresource from reading a custom object."""
    if kind.scale is None:
        return []
    errors = []
    for path in (kind.scale.spec, kind.scale.status):
        error = _replicas_error(obj, path)
        if error is not None:
            errors.append(invalid(f".{path}", *error))
    return errors


def _replicas_error(obj: Object, path: str) -> tuple[int, str] | None:
    """(value, what is wrong with it)."""
    *around, last = path.split(".")
    holder: Any = obj
    for key in around:
        holder = holder.get(key)
        if holder is None:
            return None
        if not isinstance(holder, dict):
            return 0, f".{path} accessor error: {_go(holder)}, expected map[string]interface{{}}"
    value = holder.get(last)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        return 0, f".{path} accessor error: {_go(value)}, expected int64"
    return (value, "should be a non-negative integer") if value < 0 else None


def _go(value: Any) -> str:
    match value:
        case str():
            return f"{value} is of the type string"
        case bool():
            return f"{str(value).lower()} is of the type bool"
        case float():
            return f"{value:g} is of the type float64"
        case list():
            return f"[{' '.join(str(item) for item in value)}] is of the type []interface {{}}"
    return f"{value} is of the type int64"
