"""The form of a resource: what its CRD says of `spec`, with the name before it."""

from __future__ import annotations

import functools
from typing import Any

from kaos.actions.kinds import Kind
from kaos.actions.system import bundled_crds

Object = dict[str, Any]
# What all kinds have, and few people need, comes last.
_SHARED = ("replicas", "suspend", "serviceAccountName", "telemetry", "gatewayRoute", "container", "podSpec")
NAME = "name"


@functools.cache
def schema(kind: Kind) -> Object:
    """A JSON Schema of `{name, **spec}`."""
    definition = next(one for one in bundled_crds() if one["spec"]["names"]["kind"] == kind.title)
    spec = _plain(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"])
    fields = spec["properties"]
    order = [name for name in fields if name not in _SHARED] + [name for name in _SHARED if name in fields]
    name = {"type": "string", "minLength": 1, "maxLength": 53, "description": "How it is called in its namespace."}
    return spec | {
        "properties": {NAME: name, **{field: _undecided(fields[field]) for field in order}},
        "required": [NAME, *spec.get("required", ())],
    }


def _plain(node: Any) -> Any:
    """Without what only Kubernetes understands; the server judges by it in any case."""
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items() if not key.startswith("x-kubernetes-")}
    return [_plain(one) for one in node] if isinstance(node, list) else node


def _undecided(field: Object) -> Object:
    """The server fills in defaults: what a person leaves alone stays out of the manifest."""
    return {key: value for key, value in field.items() if key != "default"}


def value_of(obj: Object) -> Object:
    """What the form holds for an object."""
    return {NAME: (obj.get("metadata") or {}).get("name", ""), **(obj.get("spec") or {})}


def object_of(kind: Kind, value: Object) -> Object:
    """The object that the form stands for."""
    spec = {key: inner for key, inner in value.items() if key != NAME}
    return {
        "apiVersion": kind.resource.api_version,
        "kind": kind.title,
        "metadata": {"name": value.get(NAME, "")},
        "spec": spec,
    }
