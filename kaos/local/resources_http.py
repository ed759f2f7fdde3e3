"""HTTP requests on resources: list, get, create, update, patch, delete, watch, scale, log."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from kaos.kube import selectors, strategic_merge
from kaos.kube.resources import NAMESPACES
from kaos.local import auth, decoding, patches, scaling, status, tables
from kaos.local.kinds import Kind
from kaos.local.machinery import DeleteOptions, Machinery, Request
from kaos.local.negotiation import Form, negotiate
from kaos.local.paths import ResourcePath
from kaos.local.responses import encode, reply
from kaos.local.serving import encoded, served
from kaos.local.watching import Watch

Object = dict[str, Any]

APPLY = "application/apply-patch+yaml"
STRATEGIC = "application/strategic-merge-patch+json"
_PATCHES = ("application/json-patch+json", "application/merge-patch+json", STRATEGIC, APPLY)
_BODIES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
# Fields that may be selected on, besides metadata.name and metadata.namespace.
_FIELDS = {
    "Pod": ("status.phase", "spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.podIP"),
    "Event": (
        "type", "reason", "involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
        "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.fieldPath", "source", "reportingComponent",
        "regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid",
    ),
    "Secret": ("type",),
    "Namespace": ("status.phase",),
    "Service": ("spec.clusterIP", "spec.type"),
    "ReplicaSet": ("status.replicas",),
}  # fmt: skip
_DELETED_IS_SHOWN = {"Pod", "Service", "ServiceAccount", "PersistentVolumeClaim", "PersistentVolume", "Namespace"}


class Resources:
    """Answers requests on objects."""

    def __init__(self, machinery: Machinery, logs: Any) -> None:
        self._machinery = machinery
        self._logs = logs
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End all watches."""
        self._stopping.set()

    async def handle(self, request: web.Request, kind: Kind, where: ResourcePath) -> web.StreamResponse:
        if kind.resource.namespaced and where.name and where.namespace is None:
            raise status.no_such_path()
        if not kind.resource.namespaced and where.namespace is not None:
            raise status.no_such_path()
        if where.subresource:
            return await self._subresource(request, kind, where)
        if "list" not in kind.verbs:
            return await self._review(request, kind)
        match request.method, bool(where.name):
            case "GET" | "HEAD", False:
                return await self._collection(request, kind, where)
            case "GET" | "HEAD", True if where.watch or _true(request.query.get("watch")):
                return await self._watch(request, kind, where, negotiate(request), name=where.name)
            case "GET" | "HEAD", True:
                return self._get(request, kind, where)
            case "POST", False if kind.resource.namespaced and where.namespace is None:
                raise status.method_not_allowed()
            case "POST", False:
                return await self._create(request, kind, where)
            case "DELETE", False if "deletecollection" in kind.verbs:
                return await self._delete_collection(request, kind, where)
            case "PUT", True:
                return await self._replace(request, kind, where)
            case "PATCH", True:
                return await self._patch(request, kind, where)
            case "DELETE", True:
                return await self._delete(request, kind, where)
        raise status.method_not_allowed()

    # Reading.

    def _selection(self, query: Mapping[str, str], kind: Kind, name: str = "") -> tuple[Any, Any]:
        labels = fields = None
        try:
            if query.get("labelSelector"):
                labels = selectors.parse_labels(query["labelSelector"])
            text = query.get("fieldSelector") or ""
            if name:
                text = ",".join(filter(None, [text, f"metadata.name={name}"]))
            if text:
                fields = selectors.parse_fields(text)
        except ValueError as error:
            raise status.bad_request(str(error)) from None
        allowed = ("metadata.name", "metadata.namespace", *_FIELDS.get(kind.resource.kind, ()), *kind.selectable_fields)
        for path, _, _ in fields.terms if fields else ():
            if path not in allowed:
                raise status.bad_request(
                    f'Unable to find "{kind.resource.api_version}, Resource={kind.resource.plural}" that match label '
                    f'selector "{query.get("labelSelector", "")}", field selector "{text}": '
                    f"field label not supported: {path}"
                )
        return labels, fields

    async def _collection(self, request: web.Request, kind: Kind, where: ResourcePath) -> web.StreamResponse:
        form = negotiate(request)
        if where.watch or _true(request.query.get("watch")):
            return await self._watch(request, kind, where, form)
        query = request.query
        self._check_version(query)
        labels, fields = self._selection(query, kind)
        found = self._machinery.select(kind.resource, where.namespace, labels, fields)
        meta: Object = {"resourceVersion": str(self._machinery.store.revision)}
        found = self._page(found, query, meta)
        if form.kind == "Table":
            shown = tables.table(
                kind, (served(kind, s.obj) for s in found), meta, query.get("includeObject", "Metadata")
            )
            return _formed(shown, form)
        if form.kind.startswith("PartialObjectMetadata"):
            items = [tables.partial(stored.obj) for stored in found]
            identity = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
            return _formed({**identity, "metadata": meta, "items": items}, form)
        head = encode({"kind": kind.list_kind, "apiVersion": kind.resource.api_version, "metadata": meta})
        parts = [item if isinstance(item := encoded(kind, s), bytes) else encode(item) for s in found]
        body = head[:-1] + b',"items":[' + b",".join(parts) + b"]}"
        return _formed(json.loads(body), form) if form.yaml else reply(body)

    def _check_version(self, query: Mapping[str, str]) -> None:
        asked, match = query.get("resourceVersion") or "", query.get("resourceVersionMatch")
        current = self._machinery.store.revision
        if asked and not asked.isdecimal():
            raise status.bad_request(f"Invalid value: {asked!r}: invalid resource version")
        if asked and int(asked) > current:
            raise status.too_large_version(int(asked), current)
        if match == "Exact" and asked and int(asked) < self._machinery.store.oldest:
            raise status.expired(self._machinery.store.oldest, int(asked))

    def _page(self, found: list[Any], query: Mapping[str, str], meta: Object) -> list[Any]:
        token = query.get("continue")
        if token:
            try:
                mark = json.loads(base64.urlsafe_b64decode(token))
                start = (mark["namespace"], mark["name"])
                revision = int(mark["rv"])
            except (ValueError, KeyError, TypeError):
                raise status.bad_request("continue key is not valid") from None
            if revision < self._machinery.store.oldest:
                raise status.expired_continue()
            found = [stored for stored in found if _place(stored.obj) > start]
            meta["resourceVersion"] = str(revision)
        limit = int(query.get("limit") or 0)
        if limit and len(found) > limit:
            namespace, name = _place(found[limit - 1].obj)
            mark = {"rv": meta["resourceVersion"], "namespace": namespace, "name": name}
            meta["continue"] = base64.urlsafe_b64encode(encode(mark)).decode()
            if not (query.get("labelSelector") or query.get("fieldSelector")):
                meta["remainingItemCount"] = len(found) - limit
            found = found[:limit]
        return found

    async def _watch(
        self, request: web.Request, kind: Kind, where: ResourcePath, form: Form, name: str = ""
    ) -> web.StreamResponse:
        labels, fields = self._selection(request.query, kind, name)
        include = request.query.get("includeObject", "Metadata")
        watch = Watch(self._machinery, kind, where.namespace, labels, fields, form, include)
        return await watch.serve(request, self._stopping)

    def _get(self, request: web.Request, kind: Kind, where: ResourcePath) -> web.Response:
        form = negotiate(request)
        stored = self._machinery.stored(kind.resource, where.namespace, where.name)
        if form.kind == "Table":
            meta = {"resourceVersion": stored.obj["metadata"]["resourceVersion"]}
            include = request.query.get("includeObject", "Metadata")
            return _formed(tables.table(kind, [served(kind, stored.obj)], meta, include), form)
        if form.kind.startswith("PartialObjectMetadata"):
            return _formed(tables.partial(stored.obj), form)
        return _formed(served(kind, stored.obj), form) if form.yaml else reply(encoded(kind, stored))

    # Writing.

    def _request(self, request: web.Request, duplicates: list[str]) -> Request:
        query = request.query
        dry_run = query.get("dryRun", "")
        if dry_run not in ("", "All"):
            raise status.bad_request(f'Invalid value: ["{dry_run}"]: must be one of: All')
        validation = query.get("fieldValidation") or "Warn"
        if validation not in ("Ignore", "Warn", "Strict"):
            raise status.bad_request(f"invalid fieldValidation {validation!r}")
        manager = query.get("fieldManager") or request.headers.get("User-Agent", "").split("/")[0] or "unknown"
        return Request(manager[:128], bool(dry_run), validation, tuple(duplicates))

    async def _body(self, request: web.Request, kind: Kind) -> tuple[Object, list[str]]:
        media = request.content_type if "Content-Type" in request.headers else "application/json"
        if media not in ("application/json", "application/yaml"):
            raise status.unsupported_media_type(media, _BODIES)
        body, duplicates = decoding.decode(await request.read(), media, kind.resource.kind)
        if not isinstance(body, dict):
            raise status.bad_request(
                f"the object provided is unrecognized (must be of type {kind.resource.kind}): "
                "couldn't get version/kind; json parse error: cannot unmarshal a value that is no object"
            )
        self._check_identity(kind, body)
        return body, duplicates

    def _check_identity(self, kind: Kind, body: Object) -> None:
        given = (body.get("apiVersion") or kind.resource.api_version, body.get("kind") or kind.resource.kind)
        if given == (kind.resource.api_version, kind.resource.kind):
            return
        name, version = kind.resource.kind, kind.resource.version
        group, _, given_version = given[0].rpartition("/")
        raise status.bad_request(
            f'{given[1]} in version "{given_version}" cannot be handled as a {name}: '
            f"expected {kind.resource.api_version}, Kind={name}; got {group or 'core'}/{given_version or version}"
        )

    async def _review(self, request: web.Request, kind: Kind) -> web.Response:
        if request.method != "POST":
            raise status.method_not_allowed()
        body, _ = await self._body(request, kind)
        identity = {"kind": kind.resource.kind, "apiVersion": kind.resource.api_version}
        return reply(identity | auth.review(kind.resource.kind, body), 201)

    async def _create(self, request: web.Request, kind: Kind, where: ResourcePath) -> web.Response:
        form = negotiate(request)
        body, duplicates = await self._body(request, kind)
        how = self._request(request, duplicates)
        made = self._machinery.create(kind.resource, body, where.namespace, how)
        return self._written(kind, made, form, how, 201)

    def _written(self, kind: Kind, obj: Object, form: Form, how: Request, code: int = 200) -> web.Response:
        shown = served(kind, obj)
        if form.kind == "Table":
            shown = tables.table(kind, [shown], {"resourceVersion": obj["metadata"].get("resourceVersion", "")})
        elif form.kind:
            shown = tables.partial(shown)
        return _formed(shown, form, code, how.warnings)

    async def _replace(self, request: web.Request, kind: Kind, where: ResourcePath, sub: str = "") -> web.Response:
        form = negotiate(request)
        body, duplicates = await self._body(request, kind)
        how = self._request(request, duplicates)
        made = self._machinery.update(kind.resource, body, where.namespace, where.name, how, sub)
        return self._written(kind, made, form, how)

    async def _patch(self, request: web.Request, kind: Kind, where: ResourcePath, sub: str = "") -> web.Response:
        form = negotiate(request)
        media = request.content_type
        accepted = tuple(m for m in _PATCHES if not (kind.custom and m == STRATEGIC))
        if media not in accepted:
            raise status.unsupported_media_type(media, accepted)
        if media == APPLY:
            return await self._apply(request, kind, where, sub, form)
        patch, duplicates = decoding.decode(await request.read(), "application/json", kind.resource.kind)
        how = self._request(request, duplicates)
        live = served(kind, self._machinery.get(kind.resource, where.namespace, where.name))
        patched = self._patched(kind, live, patch, media)
        if patched.get("metadata", {}).get("resourceVersion") not in (None, "", live["metadata"]["resourceVersion"]):
            raise status.conflict(kind.resource, where.name)
        made = self._machinery.update(kind.resource, patched, where.namespace, where.name, how, sub)
        return self._written(kind, made, form, how)

    def _patched(self, kind: Kind, live: Object, patch: Any, media: str) -> Object:
        try:
            match media:
                case "application/json-patch+json":
                    if not isinstance(patch, list):
                        raise status.bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
                    patched = patches.json_patch(live, patch)
                case "application/merge-patch+json":
                    patched = patches.merge_patch(live, patch)
                case _:
                    patched = strategic_merge.merge_for(kind.resource.kind, live, patch)
        except patches.PatchFailed as error:
            raise status.ApiStatus(
                422, "Invalid", f"the server rejected our request due to an error in our request: {error}"
            ) from None
        except strategic_merge.PatchError as error:
            raise status.bad_request(str(error)) from None
        if not isinstance(patched, dict):
            raise status.bad_request("the patched document is not an object")
        self._check_identity(kind, patched)
        return patched

    async def _apply(self, request: web.Request, kind: Kind, where: ResourcePath, sub: str, form: Form) -> web.Response:
        if not request.query.get("fieldManager"):
            why = 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
            raise status.ApiStatus(422, "Invalid", why)
        applied, duplicates = decoding.decode(await request.read(), APPLY, kind.resource.kind)
        if not isinstance(applied, dict):
            raise status.bad_request("error decoding YAML: the applied configuration is not an object")
        self._check_identity(kind, applied)
        how = self._request(request, duplicates)
        force = _true(request.query.get("force"))
        made, created = self._machinery.apply(
            kind.resource, applied, where.namespace, where.name, force=force, request=how, subresource=sub
        )
        return self._written(kind, made, form, how, 201 if created else 200)

    # Deleting.

    async def _options(self, request: web.Request) -> DeleteOptions:
        raw = await request.read()
        body: Object = {}
        if raw.strip():
            body, _ = decoding.decode(raw, request.content_type, "DeleteOptions")
            body = body if isinstance(body, dict) else {}
        query = request.query
        grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
        if (policy := body.get("propagationPolicy") or query.get("propagationPolicy")) is None:
            policy = "Orphan" if body.get("orphanDependents") else "Background"
        if policy not in ("Background", "Foreground", "Orphan"):
            raise status.ApiStatus(
                422,
                "Invalid",
                f'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "{policy}"',
            )
        preconditions = body.get("preconditions") or {}
        return DeleteOptions(
            propagation=policy,
            grace_period_s=None if grace is None else int(grace),
            uid=preconditions.get("uid"),
            resource_version=preconditions.get("resourceVersion"),
            dry_run=bool(body.get("dryRun") or query.get("dryRun")),
        )

    async def _delete(self, request: web.Request, kind: Kind, where: ResourcePath) -> web.Response:
        options = await self._options(request)
        last, gone = self._machinery.delete(kind.resource, where.namespace, where.name, options)
        if not gone or kind.resource.kind in _DELETED_IS_SHOWN:
            return reply(served(kind, last))
        group = {"group": kind.resource.group} if kind.resource.group else {}
        details = {"name": where.name, **group, "kind": kind.resource.plural, "uid": last["metadata"]["uid"]}
        identity = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return reply(identity | {"details": details})

    async def _delete_collection(self, request: web.Request, kind: Kind, where: ResourcePath) -> web.Response:
        options = await self._options(request)
        labels, fields = self._selection(request.query, kind)
        deleted = []
        for stored in self._machinery.select(kind.resource, where.namespace, labels, fields):
            meta = stored.obj["metadata"]
            last, _ = self._machinery.delete(kind.resource, meta.get("namespace"), meta["name"], options)
            deleted.append(served(kind, last))
        meta = {"resourceVersion": str(self._machinery.store.revision)}
        identity = {"kind": kind.list_kind, "apiVersion": kind.resource.api_version}
        return reply({**identity, "metadata": meta, "items": deleted})

    # Subresources.

    async def _subresource(self, request: web.Request, kind: Kind, where: ResourcePath) -> web.StreamResponse:
        name, method = where.subresource, request.method
        if name in ("exec", "attach", "portforward") and kind.resource.plural == "pods":
            raise status.not_implemented(f"kubectl {name.replace('portforward', 'port-forward')}")
        if name == "log" and kind.resource.plural == "pods":
            return await self._log(request, where)
        if name == "scale" and kind.scale:
            return await self._scale(request, kind, where)
        if name == "finalize" and kind.resource == NAMESPACES and method == "PUT":
            return await self._replace(request, kind, where, "finalize")
        if name != "status" or not kind.status:
            raise status.no_such_path()
        match method:
            case "GET":
                return self._get(request, kind, where)
            case "PUT":
                return await self._replace(request, kind, where, "status")
            case "PATCH":
                return await self._patch(request, kind, where, "status")
        raise status.method_not_allowed()

    async def _scale(self, request: web.Request, kind: Kind, where: ResourcePath) -> web.Response:
        live = self._machinery.get(kind.resource, where.namespace, where.name)
        shown = scaling.show(kind, live)
        if request.method == "GET":
            return reply(shown)
        raw = await request.read()
        if request.method == "PUT":
            wanted, duplicates = decoding.decode(raw, "application/json", "Scale")
        elif request.method == "PATCH":
            media = request.content_type
            patch, duplicates = decoding.decode(raw, APPLY if media == APPLY else "application/json", "Scale")
            merged = patches.json_patch if media == "application/json-patch+json" else patches.merge_patch
            wanted = merged(shown, patch)
        else:
            raise status.method_not_allowed()
        how = self._request(request, duplicates)
        scaled = scaling.write(kind, live, wanted)
        made = self._machinery.update(kind.resource, scaled, where.namespace, where.name, how)
        return reply(scaling.show(kind, made))

    async def _log(self, request: web.Request, where: ResourcePath) -> web.StreamResponse:
        if request.method != "GET":
            raise status.method_not_allowed()
        query = dict(request.query)
        stream = self._logs.stream(where.namespace, where.name, query.get("container", ""), query)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        response.enable_chunked_encoding()
        first = await anext(stream, None)
        await response.prepare(request)
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            if first is not None:
                await response.write(first)
                await self._pump(stream, response, stop)
        finally:
            stop.cancel()
            await stream.aclose()
        await response.write_eof()
        return response

    async def _pump(self, stream: Any, response: web.StreamResponse, stop: asyncio.Future[Any]) -> None:
        while True:
            chunk = asyncio.ensure_future(anext(stream, None))
            await asyncio.wait({chunk, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not chunk.done():
                chunk.cancel()
                await asyncio.wait({chunk})
                return
            if (data := chunk.result()) is None:
                return
            await response.write(data)


def _true(text: str | None) -> bool:
    return text in ("true", "1")


def _place(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _formed(value: Any, form: Form, code: int = 200, warnings: list[str] | tuple[str, ...] = ()) -> web.Response:
    if form.yaml:
        import yaml

        return reply(yaml.safe_dump(value, sort_keys=False).encode(), code, "application/yaml", warnings)
    return reply(value, code, warnings=warnings)
