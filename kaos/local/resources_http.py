"""HTTP requests on resources: which method on which path means what, and the writes."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from kaos.kube.resources import NAMESPACES
from kaos.local import auth, decoding, listing, options, patching, scaling, status
from kaos.local.kinds import Kind
from kaos.local.listing import Reading, shaped
from kaos.local.logs_http import PodLogs, send_log
from kaos.local.machinery import Machinery
from kaos.local.negotiation import negotiate
from kaos.local.patching import Patching
from kaos.local.paths import ResourcePath
from kaos.local.rbac import Account, Rights
from kaos.local.responses import reply
from kaos.local.schema import invalid
from kaos.local.serving import served
from kaos.local.watching import Watch

Object = dict[str, Any]

_BODIES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_GO_IDENTITY = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
_DELETED_IS_SHOWN = {"Pod", "Service", "ServiceAccount", "PersistentVolumeClaim", "PersistentVolume", "Namespace"}
_NOT_OFFERED = {"exec": "kubectl exec", "attach": "kubectl attach", "portforward": "kubectl port-forward"}


class Resources:
    """Answers requests on objects."""

    def __init__(self, machinery: Machinery, logs: PodLogs, rights: Rights) -> None:
        self._machinery = machinery
        self._rights = rights
        self._logs = logs
        self._reading = Reading(machinery)
        self._patching = Patching(machinery)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End all watches."""
        self._stopping.set()

    async def handle(
        self, request: web.Request, kind: Kind, where: ResourcePath, account: Account | None
    ) -> web.StreamResponse:
        if bool(where.namespace) != kind.resource.namespaced and (where.name or where.namespace):
            raise status.no_such_path(plain=kind.custom)
        if where.subresource:
            return await self._subresource(request, kind, where)
        if "list" not in kind.verbs:
            return await self._review(request, kind, account)
        if where.name:
            return await self._on_object(request, kind, where)
        return await self._on_collection(request, kind, where)

    async def _on_collection(self, request: web.Request, kind: Kind, where: ResourcePath) -> web.StreamResponse:
        match request.method:
            case "GET" if where.watch or options.is_true(request.query.get("watch")):
                return await self._watch(request, kind, where)
            case "GET":
                return self._reading.many(request, kind, where)
            case "POST" if kind.resource.namespaced and where.namespace is None:
                raise status.no_such_path(plain=True) if kind.custom else status.method_not_allowed()
            case "POST":
                return await self._create(request, kind, where)
            case "DELETE" if "deletecollection" in kind.verbs:
                return await self._delete_collection(request, kind, where)
            case "PUT" | "PATCH" if kind.custom:
                raise status.bad_request("name must be provided")
        raise status.method_not_allowed()

    async def _on_object(self, request: web.Request, kind: Kind, where: ResourcePath) -> web.StreamResponse:
        match request.method:
            case "GET" if where.watch:
                return await self._watch(request, kind, where)
            case "GET":
                return self._reading.one(request, kind, where)
            case "PUT":
                return await self._replace(request, kind, where)
            case "PATCH":
                return await self._patch(request, kind, where)
            case "DELETE":
                return await self._delete(request, kind, where)
        raise status.method_not_allowed()

    async def _watch(self, request: web.Request, kind: Kind, where: ResourcePath) -> web.StreamResponse:
        form = negotiate(request, kind)
        options.check_watch(request.query)
        labels, fields = listing.selection(request.query, kind, where.name)
        include = listing.include_object(request)
        watch = Watch(self._machinery, kind, where.namespace, labels, fields, form, include)
        return await watch.serve(request, self._stopping)

    async def _review(self, request: web.Request, kind: Kind, account: Account | None) -> web.Response:
        if request.method != "POST":
            raise status.method_not_allowed()
        body, _ = await self._body(request, kind)
        return reply(auth.review(kind, body, account, self._rights), 201)

    # Writing.

    async def _body(self, request: web.Request, kind: Kind) -> tuple[Object, list[str]]:
        """The object of the request and its duplicate fields. Raises ApiStatus."""
        media = request.content_type if "Content-Type" in request.headers else "application/json"
        if media not in (_BODIES[:2] if kind.custom else _BODIES):
            raise status.unsupported_media_type(_BODIES)
        raw = await request.read()
        name = kind.resource.kind
        try:
            body, duplicates = decoding.decode(raw, media)
        except decoding.BadDocument as error:
            raise decoding.unrecognized(raw, str(error), name) from None
        if not isinstance(body, dict):
            given = {list: "array", str: "string"}.get(type(body), "number")
            why = f"json: cannot unmarshal {given} into Go value of type {_GO_IDENTITY}"
            raise decoding.unrecognized(raw, why, name)
        _check_identity(kind, body, raw)
        return body, duplicates

    async def _create(self, request: web.Request, kind: Kind, where: ResourcePath) -> web.Response:
        form = negotiate(request, kind)
        how = options.for_write(request, [], "CreateOptions")
        body, duplicates = await self._body(request, kind)
        how.duplicates = tuple(duplicates)
        made = self._machinery.create(kind.resource, body, where.namespace, how)
        return shaped(request, kind, served(kind, made), form, 201, how.warnings)

    async def _replace(self, request: web.Request, kind: Kind, where: ResourcePath, sub: str = "") -> web.Response:
        form = negotiate(request, kind)
        how = options.for_write(request, [], "UpdateOptions")
        body, duplicates = await self._body(request, kind)
        how.duplicates = tuple(duplicates)
        made = self._machinery.update(kind.resource, body, where.namespace, where.name, how, sub)
        return shaped(request, kind, served(kind, made), form, 200, how.warnings)

    async def _patch(self, request: web.Request, kind: Kind, where: ResourcePath, sub: str = "") -> web.Response:
        form = negotiate(request, kind)
        made, how, created = await self._patching.patch(request, kind, where, sub)
        return shaped(request, kind, served(kind, made), form, 201 if created else 200, how.warnings)

    # Deleting.

    async def _delete(self, request: web.Request, kind: Kind, where: ResourcePath) -> web.Response:
        form = negotiate(request, kind)
        wanted = await options.for_delete(request)
        last, gone = self._machinery.delete(kind.resource, where.namespace, where.name, wanted)
        if not gone or kind.resource.kind in _DELETED_IS_SHOWN:
            return shaped(request, kind, served(kind, last), form)
        group = {"group": kind.resource.group} if kind.resource.group else {}
        details = {"name": where.name, **group, "kind": kind.resource.plural, "uid": last["metadata"]["uid"]}
        identity = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return reply(identity | {"details": details})

    async def _delete_collection(self, request: web.Request, kind: Kind, where: ResourcePath) -> web.Response:
        wanted = await options.for_delete(request)
        options.check_list(request.query)
        labels, fields = listing.selection(request.query, kind)
        meta: Object = {"resourceVersion": str(self._machinery.store.revision)}
        found = [stored.obj for stored in self._machinery.select(kind.resource, where.namespace, labels, fields)]
        for obj in found:
            self._machinery.delete(kind.resource, obj["metadata"].get("namespace"), obj["metadata"]["name"], wanted)
        return listing.shaped_list(request, kind, [served(kind, obj) for obj in found], meta, listing.Form())

    # Subresources.

    async def _subresource(self, request: web.Request, kind: Kind, where: ResourcePath) -> web.StreamResponse:
        name, method = where.subresource, request.method
        if name in _NOT_OFFERED and kind.resource.plural == "pods":
            self._machinery.stored(kind.resource, where.namespace, where.name)
            raise status.not_implemented(_NOT_OFFERED[name])
        if name == "log" and kind.resource.plural == "pods":
            return await send_log(request, self._logs, where, self._stopping)
        if name == "scale" and kind.scale:
            return await self._scale(request, kind, where)
        if name == "finalize" and kind.resource == NAMESPACES and method == "PUT":
            return await self._replace(request, kind, where, "finalize")
        if name != "status" or not kind.status:
            raise status.not_found(kind.resource, where.name) if kind.custom else status.no_such_path()
        match method:
            case "GET":
                return self._reading.one(request, kind, where)
            case "PUT":
                return await self._replace(request, kind, where, "status")
            case "PATCH":
                return await self._patch(request, kind, where, "status")
        verb = {"POST": "create", "DELETE": "delete"}.get(method)
        raise status.unsupported(kind.resource, verb) if kind.custom and verb else status.method_not_allowed()

    async def _scale(self, request: web.Request, kind: Kind, where: ResourcePath) -> web.Response:
        live = self._machinery.get(kind.resource, where.namespace, where.name)
        shown = scaling.show(kind, live)
        if request.method == "GET":
            return reply(shown)
        if request.method not in ("PUT", "PATCH"):
            raise status.method_not_allowed()
        if request.method == "PUT":
            how = options.for_write(request, [], "UpdateOptions")
            wanted, _ = patching.decoded(await request.read(), "")
            if wanted.get("kind", "Scale") != "Scale":
                raise status.bad_request("the object provided is no Scale of autoscaling/v1")
        else:
            how = options.for_write(request, [], "PatchOptions")
            patching.check_media(kind, request.content_type)
            media = request.content_type
            patch, _ = patching.decoded(await request.read(), media)
            wanted = patching.patched(kind, shown, patch, patching.MERGE if media == patching.APPLY else media)
        scaled = scaling.write(kind, live, wanted)
        made = self._machinery.update(kind.resource, scaled, where.namespace, where.name, how, "scale")
        return reply(scaling.show(kind, made))


def _check_identity(kind: Kind, body: Object, raw: bytes) -> None:
    """Raises ApiStatus when the body says that it is something else than the URL does."""
    resource = kind.resource
    api_version, name = body.get("apiVersion"), body.get("kind")
    if kind.custom:
        if not name:
            text = raw.decode(errors="replace")
            raise status.bad_request(
                f"the object provided is unrecognized (must be of type {resource.kind}): Object 'Kind' is missing in "
                f"'{text}' ({decoding.shortened(text)})"
            )
        if api_version != resource.api_version:
            raise status.bad_request(
                f"the API version in the data ({api_version or ''}) does not match the expected API version "
                f"({resource.api_version})"
            )
        if name != resource.kind:
            given = type(resource)(resource.group, resource.version, resource.plural, name)
            wrong = invalid("kind", name, f"must be {resource.kind}")
            raise status.invalid(given, body.get("metadata", {}).get("name", ""), [wrong])
        return
    if (api_version or resource.api_version, name or resource.kind) == (resource.api_version, resource.kind):
        return
    version = (api_version or resource.api_version).rpartition("/")[2]
    if version != resource.version:
        scheme = "pkg/runtime/scheme.go:110"
        why = f'no kind "{name}" is registered for version "{api_version}" in scheme "{scheme}"'
    else:
        package = resource.group.partition(".")[0] or "core"
        why = f"converting ({version}.{name}) to ({package}.{resource.kind}): unknown conversion"
    raise status.bad_request(f'{name} in version "{version}" cannot be handled as a {resource.kind}: {why}')
