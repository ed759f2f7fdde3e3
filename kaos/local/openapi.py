"""OpenAPI v3 documents, one a group and version: what kubectl needs to explain, validate and apply."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from kaos.local import schemas
from kaos.local.discovery import GIT_VERSION
from kaos.local.kinds import Kind, Kinds
from kaos.local.schema import REF_PREFIX

Object = dict[str, Any]

_QUERY = {
    "dryRun": "string",
    "fieldManager": "string",
    "fieldValidation": "string",
    "force": "boolean",
    "labelSelector": "string",
    "fieldSelector": "string",
    "limit": "integer",
    "continue": "string",
    "resourceVersion": "string",
    "resourceVersionMatch": "string",
    "timeoutSeconds": "integer",
    "watch": "boolean",
    "allowWatchBookmarks": "boolean",
    "sendInitialEvents": "boolean",
}
_METADATA = {"allOf": [{"$ref": REF_PREFIX + schemas.OBJECT_META}]}
_READ = ("labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "timeoutSeconds", "watch")
_WRITE = ("dryRun", "fieldManager", "fieldValidation")
_PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)


def index(kinds: Kinds) -> Object:
    """The index: a hashed URL for each document."""
    paths = {}
    for group, versions in kinds.groups().items():
        for version in versions:
            path = f"apis/{group}/{version}" if group else f"api/{version}"
            digest = hashlib.sha256(json.dumps(document(kinds, group, version)).encode()).hexdigest().upper()
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return {"paths": paths}


def document(kinds: Kinds, group: str, version: str) -> Object | None:
    """The document of one group and version; None when it is not served."""
    served = [kind for (g, v, _), kind in sorted(kinds.by_path.items()) if (g, v) == (group, version)]
    if not served:
        return None
    components: Object = {}
    paths: Object = {}
    for kind in served:
        name = _component(kind)
        components.update(_shapes(kind, name))
        for path, operations in _paths(kind, name):
            paths[path] = operations
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": GIT_VERSION},
        "paths": paths,
        "components": {"schemas": components},
    }


def _gvk(kind: Kind) -> Object:
    return {"group": kind.resource.group, "kind": kind.resource.kind, "version": kind.resource.version}


def _component(kind: Kind) -> str:
    if kind.custom:
        reversed_group = ".".join(reversed(kind.resource.group.split(".")))
        return f"{reversed_group}.{kind.resource.version}.{kind.resource.kind}"
    key = f"{kind.resource.api_version}/{kind.resource.kind}"
    return schemas.data()["kinds"][key]


def _shapes(kind: Kind, name: str) -> Object:
    """The kind's component with all that it refers to."""
    if kind.custom:
        node = _published(json.loads(json.dumps(kind.schema().node)))
        node["properties"]["metadata"] = _METADATA
        shapes = {name: node, f"{name}List": _list_of(kind, name)}
        if kind.selectable_fields:
            selectable = [{"fieldPath": field} for field in kind.selectable_fields]
            shapes[name]["x-kubernetes-selectable-fields"] = selectable
            shapes[f"{name}List"]["x-kubernetes-selectable-fields"] = selectable
        queue = [schemas.OBJECT_META, schemas.LIST_META]
    else:
        shapes = {}
        queue = [name]
    published = schemas.data()["schemas"]
    while queue:
        wanted = queue.pop()
        if wanted not in shapes:
            shapes[wanted] = json.loads(json.dumps(published[wanted]))
            queue += _references(shapes[wanted])
    shapes[name]["x-kubernetes-group-version-kind"] = [_gvk(kind)]
    return shapes


def _list_of(kind: Kind, name: str) -> Object:
    gvk = {"group": kind.resource.group, "kind": kind.list_kind, "version": kind.resource.version}
    return {
        "description": f"{kind.list_kind} is a list of {kind.resource.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"allOf": [{"$ref": REF_PREFIX + schemas.LIST_META}]},
            "items": {"type": "array", "items": {"allOf": [{"$ref": REF_PREFIX + name}]}},
        },
        "x-kubernetes-group-version-kind": [gvk],
    }


def _published(node: Object) -> Object:
    """A schema of a CRD as clients are told of it: with the shapes that its extensions mean. Changed in place."""
    if node.get("x-kubernetes-int-or-string") and "type" not in node:
        node.setdefault("anyOf", [{"type": "integer"}, {"type": "string"}])
    if node.get("x-kubernetes-embedded-resource"):
        text = {"type": "string"}
        node["properties"] = {**(node.get("properties") or {}), "apiVersion": text, "kind": text, "metadata": _METADATA}
        node["required"] = ["kind", "apiVersion", *(node.get("required") or ())]
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            _published(node[key])
    for child in (node.get("properties") or {}).values():
        _published(child)
    return node


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].removeprefix(REF_PREFIX)
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _paths(kind: Kind, name: str) -> Iterator[tuple[str, Object]]:
    collection = kind.resource.path("{namespace}" if kind.resource.namespaced else None)
    if "list" not in kind.verbs:
        yield collection, {"post": _operation(kind, name, "post", _WRITE)}
        return
    many = {"get": _operation(kind, name, "list", _READ), "post": _operation(kind, name, "post", _WRITE)}
    yield collection, many
    if kind.resource.namespaced:
        yield kind.resource.path(), {"get": _operation(kind, name, "list", _READ)}
    one = {
        "get": _operation(kind, name, "get", ()),
        "put": _operation(kind, name, "put", _WRITE),
        "patch": _operation(kind, name, "patch", (*_WRITE, "force")),
        "delete": _operation(kind, name, "delete", ("dryRun",)),
    }
    yield f"{collection}/{{name}}", one
    if kind.status:
        yield f"{collection}/{{name}}/status", {verb: one[verb] for verb in ("get", "put", "patch")}


def _operation(kind: Kind, name: str, action: str, query: tuple[str, ...]) -> Object:
    content = {"application/json": {"schema": {"$ref": REF_PREFIX + name}}}
    made: Object = {
        "parameters": [{"name": q, "in": "query", "schema": {"type": _QUERY[q], "uniqueItems": True}} for q in query],
        "responses": {"200": {"description": "OK", "content": content}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(kind),
    }
    if action in ("post", "put"):
        made["requestBody"] = {"content": content}
    elif action == "patch":
        # kubectl sends a strategic patch wherever one is offered here.
        offered = _PATCH_TYPES[:-1] if kind.custom else _PATCH_TYPES
        made["requestBody"] = {"content": {media: {"schema": {"type": "object"}} for media in offered}}
    return made
