"""Strategic merge: a patch on a pod-shaped object in which lists of named things merge by name.

The merge keys are those of the Kubernetes API types (`patchMergeKey` in the published OpenAPI), found by the name
of the field and, where one name means two things, by the field around it. Directives: `$patch: delete|replace|merge`,
`$retainKeys`, `$setElementOrder/<list>`, `$deleteFromPrimitiveList/<list>`; null deletes a key.
"""

from __future__ import annotations

import copy
from typing import Any

from kaos.kube import gotext

# A list of objects under this field merges by this key; other lists of objects are replaced whole.
_MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "resourceClaims": "name",
    "resourceClaimStatuses": "name",
    "schedulingGates": "name",
    "secrets": "name",
    "ownerReferences": "uid",
    "conditions": "type",
    "podIPs": "ip",
    "hostIPs": "ip",
    "allocatedResourcesStatus": "name",
}
# The same, for fields whose name means several things: by the field (or kind) around them.
_KEYS_BY_PLACE = {
    "ports": {
        "containers": "containerPort",
        "initContainers": "containerPort",
        "ephemeralContainers": "containerPort",
        "spec": "port",
    },
    "imagePullSecrets": {"": "name", "spec": "name"},
    "addresses": {"status": "type"},
}
# Lists of plain values that merge as sets, and the field around them.
_PRIMITIVE_SETS = {"finalizers": "metadata", "podCIDRs": "spec"}

_DIRECTIVES = ("$patch", "$retainKeys", "$setElementOrder/", "$deleteFromPrimitiveList/")


class PatchError(ValueError):
    """The patch itself is wrong; the text says where."""


def merge(base: dict[str, Any], patch: dict[str, Any], field: str = "", *, as_server: bool = False) -> dict[str, Any]:
    """`base` with `patch` applied; neither is changed. `field` names the field (or kind) that holds them.

    New items of lists come last; `as_server` puts them where an API server does, before what it alone knows of.
    """
    if not isinstance(patch, dict):
        raise PatchError(f"a patch must be an object, not {type(patch).__name__}")
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise PatchError(f"unknown patch type: {directive} in map: {gotext.shown(patch)}")
    result = copy.deepcopy(base)
    for key, value in patch.items():
        if key.startswith(_DIRECTIVES):
            if key != "$patch" and not isinstance(value, list):
                raise PatchError(f"{key} must be a list")
            continue
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merge(_as_object(result.get(key)), value, key, as_server=as_server)
        elif isinstance(value, list):
            result[key] = _merge_list(key, field, result.get(key), value, as_server)
        else:
            result[key] = value
    _delete_primitives(result, patch)
    _order(result, base, patch, field)
    if (kept := patch.get("$retainKeys")) is not None:
        result = {key: value for key, value in result.items() if key in kept}
    return result


def merge_for(kind: str, base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """`merge` for a whole object of a built-in kind. Identity (apiVersion, kind) stays."""
    return merge(base, patch, kind, as_server=True)


def _as_object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def merge_key(field: str, around: str) -> str | None:
    """The key by which the list `field` merges, or None when it is replaced whole."""
    places = _KEYS_BY_PLACE.get(field)
    return _MERGE_KEYS.get(field) if places is None else places.get(around)


def _merge_list(field: str, around: str, base: Any, patch: list[Any], as_server: bool) -> list[Any]:
    base = base if isinstance(base, list) else []
    if _PRIMITIVE_SETS.get(field) == around:
        merged = base + [item for item in patch if item not in base]
        return _zipped(merged, base, patch, None) if as_server else merged
    if not all(isinstance(item, dict) for item in patch):
        return copy.deepcopy(patch)
    key = merge_key(field, around)
    if any(item.get("$patch") == "replace" for item in patch):
        return [copy.deepcopy(item) for item in patch if "$patch" not in item]
    if key is None:
        return copy.deepcopy(patch)
    merged = _merge_objects(field, key, base, patch, as_server)
    return _zipped(merged, base, patch, key) if as_server else merged


def _merge_objects(field: str, key: str, base: list[Any], patch: list[dict[str, Any]], as_server: bool) -> list[Any]:
    result = copy.deepcopy(base)
    for item in patch:
        if key not in item:
            raise PatchError(f"map: {gotext.shown(item)} does not contain declared merge key: {key}")
        position = next(
            (i for i, old in enumerate(result) if isinstance(old, dict) and old.get(key) == item[key]), None
        )
        if item.get("$patch") == "merge":
            raise PatchError("merging lists cannot yet be specified in the patch")
        if item.get("$patch") == "delete":
            result = [old for old in result if not (isinstance(old, dict) and old.get(key) == item[key])]
        elif position is None:
            result.append(merge({}, item, field, as_server=as_server))
        else:
            result[position] = merge(result[position], item, field, as_server=as_server)
    return result


def _zipped(merged: list[Any], base: list[Any], wanted: list[Any], key: str | None) -> list[Any]:
    """As an API server orders: what is wanted in that order, zipped with the rest, by where both were in `base`.

    What is new is wanted, and goes before the rest.
    """

    def name(item: Any) -> Any:
        return item.get(key) if key is not None and isinstance(item, dict) else item

    held = [name(item) for item in base]
    asked = [name(item) for item in wanted]
    left = sorted((item for item in merged if name(item) in asked), key=lambda item: asked.index(name(item)))
    right = [item for item in merged if name(item) not in asked]
    result = []
    while left and right:
        first, other = name(left[0]), name(right[0])
        ours = first not in held or other not in held or held.index(first) < held.index(other)
        result.append((left if ours else right).pop(0))
    return result + left + right


def _delete_primitives(result: dict[str, Any], patch: dict[str, Any]) -> None:
    for directive, values in patch.items():
        field = directive.removeprefix("$deleteFromPrimitiveList/")
        if field != directive and isinstance(result.get(field), list):
            result[field] = [value for value in result[field] if value not in values]


def _order(result: dict[str, Any], base: dict[str, Any], patch: dict[str, Any], around: str) -> None:
    for directive, wanted in patch.items():
        field = directive.removeprefix("$setElementOrder/")
        if field != directive and isinstance(result.get(field), list):
            held = base.get(field) if isinstance(base.get(field), list) else []
            result[field] = _zipped(result[field], held, wanted, merge_key(field, around))
