"""The scale subresource: one small object that shows and sets the number of replicas of any kind."""

from __future__ import annotations

from typing import Any

from kaos.local import status
from kaos.local.kinds import Kind

Object = dict[str, Any]


def _at(obj: Any, path: str) -> Any:
    for key in path.split("."):
        obj = obj.get(key) if isinstance(obj, dict) else None
    return obj


def show(kind: Kind, obj: Object) -> Object:
    """The Scale of an object."""
    meta = obj["metadata"]
    kept = {k: meta[k] for k in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp") if k in meta}
    selector = _at(obj, kind.scale.selector) if kind.scale.selector else None
    if not selector and not kind.custom:
        labels = (obj["spec"].get("selector") or {}).get("matchLabels") or {}
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
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
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        raise status.ApiStatus(
            422, "Invalid",
            f'Scale.autoscaling "{obj["metadata"]["name"]}" is invalid: spec.replicas: Invalid value: {replicas}: '
            "must be greater than or equal to 0",
        )  # fmt: skip
    asked = (scale.get("metadata") or {}).get("resourceVersion")
    if asked:
        obj["metadata"]["resourceVersion"] = asked
    *around, last = kind.scale.spec.split(".")
    holder = obj
    for key in around:
        holder = holder.setdefault(key, {})
    holder[last] = replicas
    return obj
