"""PATCH over HTTP: the three classic patches and server-side apply."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from kaos.kube import strategic_merge
from kaos.local import decoding, options, patches, status
from kaos.local.kinds import Kind
from kaos.local.machinery import Machinery
from kaos.local.paths import ResourcePath
from kaos.local.requests import Request
from kaos.local.schema import invalid
from kaos.local.serving import served

Object = dict[str, Any]

APPLY = "application/apply-patch+yaml"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"


def check_media(kind: Kind, media: str) -> None:
    """Raises ApiStatus 415."""
    if kind.custom and media not in (JSON_PATCH, MERGE, APPLY):
        raise status.unsupported_media_type((JSON_PATCH, MERGE, APPLY))
    if media not in (JSON_PATCH, MERGE, STRATEGIC, APPLY):
        raise status.unsupported_media()


def decoded(raw: bytes, media: str) -> tuple[Any, list[str]]:
    """The patch itself. Raises ApiStatus 400."""
    try:
        patch, duplicates = decoding.decode(raw, APPLY if media == APPLY else "application/json")
    except decoding.BadDocument as error:
        raise status.bad_request(f"error decoding patch: {error}") from None
    if media == JSON_PATCH:
        if not isinstance(patch, list):
            raise _not_a_patch(patch, "[]handlers.jsonPatchOp")
        for operation in patch:
            if not isinstance(operation, dict):
                raise _not_a_patch(operation, "handlers.jsonPatchOp")
    elif not isinstance(patch, dict):
        raise _not_a_patch(patch, "map[string]interface {}")
    return patch, duplicates


def _not_a_patch(patch: Any, wanted: str) -> status.ApiStatus:
    given = {list: "array", dict: "object", str: "string"}.get(type(patch), "number")
    return status.bad_request(f"error decoding patch: json: cannot unmarshal {given} into Go value of type {wanted}")


def patched(kind: Kind, live: Object, patch: Any, media: str) -> Any:
    """The live document with the patch applied. Raises ApiStatus."""
    try:
        if media == JSON_PATCH:
            return patches.json_patch(live, patch)
        if media == MERGE:
            return patches.merge_patch(live, patch)
        return strategic_merge.merge_for(kind.resource.kind, live, patch)
    except patches.PatchFailed:
        raise status.rejected() from None
    except strategic_merge.PatchError as error:
        raise status.ApiStatus(500, "", str(error)) from None


class Patching:
    """Answers PATCH on objects and their status."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    async def patch(
        self, request: web.Request, kind: Kind, where: ResourcePath, subresource: str
    ) -> tuple[Object, Request, bool]:
        """The patched object, how it was asked for, and whether it was created. Raises ApiStatus."""
        media = request.content_type if "Content-Type" in request.headers else ""
        check_media(kind, media)
        if media == APPLY:
            return await self._apply(request, kind, where, subresource)
        how = options.for_write(request, [], "PatchOptions", forced=True)
        live = served(kind, self._machinery.get(kind.resource, where.namespace, where.name))
        patch, duplicates = decoded(await request.read(), media)
        how.duplicates = tuple(duplicates)
        wanted = patched(kind, live, patch, media)
        _check(kind, where.name, live, wanted)
        try:
            made = self._machinery.update(kind.resource, wanted, where.namespace, where.name, how, subresource)
        except status.Undecodable as error:
            raise status.bad_patch(json.dumps(wanted, separators=(",", ":")), error.problem) from None
        return made, how, False

    async def _apply(
        self, request: web.Request, kind: Kind, where: ResourcePath, subresource: str
    ) -> tuple[Object, Request, bool]:
        how = options.for_apply(request)
        raw = await request.read()
        try:
            applied, duplicates = decoding.decode(raw, APPLY)
        except decoding.BadDocument as error:
            raise status.bad_request(f"error decoding YAML: {error}") from None
        how.duplicates = tuple(duplicates)
        if applied is not None and not isinstance(applied, dict):
            given = "array" if isinstance(applied, list) else "string"
            why = f"json: cannot unmarshal {given} into Go value of type map[string]interface {{}}"
            raise status.bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {why}")
        identity = ((applied or {}).get("apiVersion", ""), (applied or {}).get("kind", ""))
        if identity != (kind.resource.api_version, kind.resource.kind):
            group, _, version = identity[0].rpartition("/")
            raise status.bad_request(f"invalid object type: {group}/{version}, Kind={identity[1]}")
        force = options.is_true(request.query.get("force"))
        made, created = self._machinery.apply(
            kind.resource, applied, where.namespace, where.name, force=force, request=how, subresource=subresource
        )
        return made, how, created


def _check(kind: Kind, name: str, live: Object, wanted: Any) -> None:
    """Raises ApiStatus when the patch made something else of the object."""
    if not isinstance(wanted, dict):
        raise status.rejected()
    resource = kind.resource
    errors = [
        invalid(field, wanted.get(field), f"must be {expected}")
        for field, expected in (("apiVersion", resource.api_version), ("kind", resource.kind))
        if wanted.get(field) != expected
    ]
    if errors and kind.custom:
        raise status.invalid(resource, name, errors)
    if errors:
        raise status.bad_patch(json.dumps(wanted, separators=(",", ":")), f"the object is no {resource.kind}")
    meta = wanted.get("metadata")
    if isinstance(meta, dict) and meta.get("resourceVersion") not in (None, "", live["metadata"]["resourceVersion"]):
        raise status.conflict(resource, name)
