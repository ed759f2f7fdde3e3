"""Reading over HTTP: one object, lists with selectors and pages, and the forms they are shown in."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from kaos.kube import selectors
from kaos.kube.selectors import FieldSelector, LabelSelector
from kaos.local import options, status, tables
from kaos.local.kinds import Kind
from kaos.local.machinery import Machinery
from kaos.local.negotiation import Form, negotiate
from kaos.local.paths import ResourcePath
from kaos.local.responses import encode, reply
from kaos.local.serving import encoded, encoded_item, served, without_identity
from kaos.local.store import Stored

Object = dict[str, Any]

# Fields that may be selected on, besides metadata.name and metadata.namespace.
_FIELDS = {
    "Pod": (
        "status.phase", "spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "spec.schedulerName",
        "status.podIP",
    ),
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


def selection(
    query: Mapping[str, str], kind: Kind, name: str = ""
) -> tuple[LabelSelector | None, FieldSelector | None]:
    """The label and field selectors of a request. Raises ApiStatus 400."""
    labels = fields = None
    text = ",".join(filter(None, [query.get("fieldSelector"), f"metadata.name={name}" if name else ""]))
    try:
        if query.get("labelSelector"):
            labels = selectors.parse_labels(query["labelSelector"])
        if text:
            fields = selectors.parse_fields(text)
    except ValueError as error:
        raise status.bad_request(str(error)) from None
    allowed = ("metadata.name", "metadata.namespace", *_FIELDS.get(kind.resource.kind, ()), *kind.selectable_fields)
    for path, _, _ in fields.terms if fields else ():
        if path not in allowed:
            raise status.bad_request(f"field label not supported: {path}")
    return labels, fields


class Reading:
    """Answers GET on objects and collections."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    def one(self, request: web.Request, kind: Kind, where: ResourcePath) -> web.Response:
        form = negotiate(request, kind)
        stored = self._machinery.stored(kind.resource, where.namespace, where.name)
        if form.is_plain:
            return reply(encoded(kind, stored))
        return shaped(request, kind, served(kind, stored.obj), form)

    def many(self, request: web.Request, kind: Kind, where: ResourcePath) -> web.Response:
        form = negotiate(request, kind)
        query = request.query
        options.check_list(query)
        page = _Page.of(query)
        revision = self._revision(query) if page is None else page.revision
        labels, fields = selection(query, kind)
        try:
            found = self._machinery.select(kind.resource, where.namespace, labels, fields, at=revision)
        except status.ApiStatus:
            if page is None:
                raise
            raise status.expired_continue() from None
        if page is not None:
            found = [stored for stored in found if _place(stored.obj) > page.after]
        meta: Object = {"resourceVersion": str(revision)}
        found = _cut(found, query, meta)
        if not form.is_plain:
            return shaped_list(request, kind, [served(kind, stored.obj) for stored in found], meta, form)
        head = encode(_head(kind, meta))
        parts = b",".join(encoded_item(kind, stored) for stored in found)
        return reply(head[:-1] + b',"items":[' + parts + b"]}")

    def _revision(self, query: Mapping[str, str]) -> int:
        """The revision to show: the present one, unless an older one is asked for exactly. Raises ApiStatus 504."""
        asked = int(query.get("resourceVersion") or 0)
        present = self._machinery.store.revision
        if asked > present:
            raise status.too_large_version(asked, present)
        return asked if query.get("resourceVersionMatch") == "Exact" else present


def _cut(found: list[Stored], query: Mapping[str, str], meta: Object) -> list[Stored]:
    """No more objects than are asked for; `meta` then says where to go on."""
    limit = options.number(query, "limit")
    if not limit or limit < 0 or len(found) <= limit:
        return found
    meta["continue"] = _Page(int(meta["resourceVersion"]), _place(found[limit - 1].obj)).mark()
    if not (query.get("labelSelector") or query.get("fieldSelector")):
        meta["remainingItemCount"] = len(found) - limit
    return found[:limit]


@dataclass(frozen=True)
class _Page:
    """Where a later page of a list starts, and the revision that all its pages show."""

    revision: int
    after: tuple[str, str]

    @classmethod
    def of(cls, query: Mapping[str, str]) -> _Page | None:
        """The page that a continue mark asks for. Raises ApiStatus 400."""
        if not (mark := query.get("continue")):
            return None
        try:
            told = json.loads(base64.urlsafe_b64decode(mark + "=" * (-len(mark) % 4)))
            return cls(int(told["rv"]), (told["namespace"], told["name"]))
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise status.bad_request("invalid continue token: continue key is not valid") from None

    def mark(self) -> str:
        told = json.dumps({"rv": self.revision, "namespace": self.after[0], "name": self.after[1]})
        return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def _place(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _head(kind: Kind, meta: Object) -> Object:
    # A list of custom objects always shows where it goes on, even nowhere.
    shown = {"continue": "", **meta} if kind.custom else meta
    return {"kind": kind.list_kind, "apiVersion": kind.resource.api_version, "metadata": shown}


# Forms.


def shaped(
    request: web.Request, kind: Kind, obj: Object, form: Form, code: int = 200, warnings: Iterable[str] = ()
) -> web.Response:
    """One object in the form that was asked for."""
    if form.kind == "Table":
        meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        obj = tables.table(kind, [obj], meta, include_object(request), form.version)
    elif form.kind == "PartialObjectMetadata":
        obj = tables.partial(obj)
    elif form.kind:
        raise status.not_a_list(form.kind, kind.resource)
    return _reply(obj, form, code, warnings)


def shaped_list(request: web.Request, kind: Kind, objects: list[Object], meta: Object, form: Form) -> web.Response:
    if form.kind == "Table":
        return _reply(tables.table(kind, objects, meta, include_object(request), form.version), form)
    if form.kind == "PartialObjectMetadataList":
        identity = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
        items = [tables.partial(obj) for obj in objects]
        return _reply({**identity, "metadata": meta, "items": items or None}, form)
    if form.kind:
        raise status.is_a_list(form.kind, kind.resource)
    items = objects if kind.custom else [without_identity(obj) for obj in objects]
    return _reply({**_head(kind, meta), "items": items}, form)


def include_object(request: web.Request) -> str:
    asked = request.query.get("includeObject", "")
    if asked not in ("", "Metadata", "Object", "None"):
        what = f"includeObject: Invalid value: \"{asked}\": must be 'Metadata', 'Object', 'None', or empty"
        raise status.bad_request(f"Unable to convert to Table as requested: {what}")
    return asked or "Metadata"


def _reply(value: Object, form: Form, code: int = 200, warnings: Iterable[str] = ()) -> web.Response:
    if form.yaml:
        import yaml

        return reply(yaml.safe_dump(value, sort_keys=False).encode(), code, "application/yaml", warnings)
    return reply(value, code, warnings=warnings)
