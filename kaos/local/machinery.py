"""The API inside the process: what create, update, patch, delete, list and watch mean for every kind.

Synchronous and single-threaded: call it on the daemon's event loop only. The HTTP server and the controllers use the
same methods, so nothing that the one refuses can be done by the other.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from kaos.kube import times
from kaos.kube.resources import CUSTOMRESOURCEDEFINITIONS, Resource
from kaos.kube.selectors import FieldSelector, LabelSelector
from kaos.local import admission, defaults, definitions, managed, status
from kaos.local.deletion import Deletion, is_held
from kaos.local.kinds import Kind, Kinds
from kaos.local.requests import DeleteOptions, Request, WatchEvent
from kaos.local.serving import served
from kaos.local.store import Key, Store, Stored

Object = dict[str, Any]


class Machinery:
    """Every operation of the API on one store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.kinds = Kinds()
        self._deletion = Deletion(self)
        self._load_definitions()

    # Reading.

    def key(self, kind: Kind, namespace: str | None, name: str) -> Key:
        return (kind.collection, (namespace or "") if kind.resource.namespaced else "", name)

    def stored(self, resource: Resource, namespace: str | None, name: str) -> Stored:
        """The present object with its encoding. Raises ApiStatus 404."""
        kind = self.kinds.of(resource)
        found = self.store.get(self.key(kind, namespace, name))
        if found is None:
            raise status.not_found(resource, name)
        return found

    def get(self, resource: Resource, namespace: str | None, name: str) -> Object:
        """A copy of the present object. Raises ApiStatus 404."""
        return served(self.kinds.of(resource), json.loads(self.stored(resource, namespace, name).encoded))

    def find(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        """A copy of the present object, or None."""
        kind = self.kinds.of(resource)
        found = self.store.get(self.key(kind, namespace, name))
        return served(kind, json.loads(found.encoded)) if found is not None else None

    def select(
        self,
        resource: Resource,
        namespace: str | None = None,
        labels: LabelSelector | None = None,
        fields: FieldSelector | None = None,
        at: int | None = None,
    ) -> list[Stored]:
        """The stored objects that match, ordered by namespace and name. Not to be changed by the caller.

        With `at` as they were at that revision. Raises ApiStatus 410 when it is forgotten.
        """
        kind = self.kinds.of(resource)
        scope = namespace if resource.namespaced else None
        return [
            stored
            for _, stored in self.store.items(kind.collection, scope or None, at)
            if matches(served(kind, stored.obj), labels, fields)
        ]

    def list(
        self, resource: Resource, namespace: str | None = None, labels: LabelSelector | None = None
    ) -> list[Object]:
        """Copies of the objects that match."""
        kind = self.kinds.of(resource)
        return [served(kind, json.loads(stored.encoded)) for stored in self.select(resource, namespace, labels)]

    def controlled_by(self, owner: Object, resource: Resource) -> list[Object]:
        """Copies of the objects whose controller that object of their namespace is."""
        kind, uid = self.kinds.of(resource), owner["metadata"]["uid"]
        return [
            served(kind, json.loads(stored.encoded))
            for _, stored in self.store.items(kind.collection, owner["metadata"]["namespace"])
            if any(o["uid"] == uid and o.get("controller") for o in stored.obj["metadata"].get("ownerReferences") or ())
        ]

    async def watch(self, *resources: Resource) -> AsyncIterator[WatchEvent]:
        """Every object of these resources as ADDED, then what happens to them. Not to be changed by the caller."""
        collections = {self.kinds.of(resource).collection for resource in resources}
        with self.store.subscribe(limit=1_000_000) as changes:
            present = [s.obj for name in collections for _, s in self.store.items(name)]
            for obj in present:
                yield WatchEvent("ADDED", obj)
            while (change := await changes.get()) is not None:
                if change.key[0] in collections:
                    yield WatchEvent(change.kind, change.stored.obj)

    # Writing.

    def create(
        self, resource: Resource, obj: Object, namespace: str | None = None, request: Request | None = None
    ) -> Object:
        """Create the object and return it as stored. Raises ApiStatus."""
        request = request or Request()
        kind = self.kinds.of(resource)
        if "create" not in kind.verbs:
            raise status.terminating(resource)
        obj = admission.received(kind, obj, request)
        meta = obj["metadata"]
        admission.place(kind, meta, namespace)
        if meta.pop("resourceVersion", None):
            raise status.version_on_create()
        admission.generate_name(meta)
        for name in (*admission.KEPT_BY_THE_SERVER, "managedFields"):
            meta.pop(name, None)
        return self._create(kind, obj, request, applied=False)

    def _create(self, kind: Kind, obj: Object, request: Request, *, applied: bool) -> Object:
        """The end of every creation, by POST or by apply."""
        blank = admission.blank(kind)
        if kind.status and not kind.keeps_status:
            _carry(obj, blank, "status")
        admission.default(kind, obj)
        if not applied:
            managed.record_update(blank, obj, manager=request.manager, schema=kind.schema())
        meta = obj["metadata"]
        meta["uid"] = str(uuid.uuid4())
        meta["creationTimestamp"] = times.now()
        if kind.keeps_generation:
            meta["generation"] = 1
        admission.consent(kind, obj, self.find)
        defaults.prepare(kind.resource.kind, obj)
        admission.validate(kind, obj, None)
        if kind.resource == CUSTOMRESOURCEDEFINITIONS:
            definitions.accept(obj)
        key = self.key(kind, meta.get("namespace"), meta["name"])
        if (present := self.store.get(key)) is not None:
            raise status.already_exists(kind.resource, meta["name"], present.obj)
        return obj if request.dry_run else self.put(kind, key, obj)

    def put(self, kind: Kind, key: Key, obj: Object) -> Object:
        """Store the object in its storage version; returns it as it was given, with its revision."""
        stored = self.store.put(key, served(self.kinds.storage(kind), json.loads(json.dumps(obj))))
        self.after_write(kind)
        obj["metadata"]["resourceVersion"] = str(stored.revision)
        return obj

    def update(
        self, resource: Resource, obj: Object, namespace: str | None, name: str, request: Request | None = None,
        subresource: str = "",
    ) -> Object:  # fmt: skip
        """Replace the object (or its status) and return it as stored. Raises ApiStatus, 409 on a stale version."""
        request = request or Request()
        kind = self.kinds.of(resource)
        old = self.get(resource, namespace, name)
        obj = admission.received(kind, obj, request)
        meta, before = obj["metadata"], old["metadata"]
        admission.place(kind, meta, namespace)
        if meta.setdefault("name", name) != name:
            raise status.other_name(meta["name"], name)
        if meta.get("uid") and meta["uid"] != before["uid"]:
            key = "/".join(["/registry", *filter(None, self.key(kind, namespace, name))])
            raise status.other_uid(resource, name, key, meta["uid"], before["uid"])
        if meta.get("resourceVersion") and meta["resourceVersion"] != before["resourceVersion"]:
            raise status.conflict(resource, name)
        if not meta.get("resourceVersion") and kind.updates_need_a_version:
            raise status.version_needed(resource, name)
        return self._write(kind, obj, old, request, subresource, applied=False)

    def _write(
        self, kind: Kind, obj: Object, old: Object, request: Request, subresource: str, *, applied: bool
    ) -> Object:
        """Commit `obj` in place of `old`: keep what may not change, default, validate, count generations."""
        for name in admission.KEPT_BY_THE_SERVER:
            _carry(obj["metadata"], old["metadata"], name)
        obj["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        obj = _with_subresource(kind, obj, old, subresource)
        admission.default(kind, obj)
        if not applied:
            part = subresource if kind.status or subresource == "scale" else ""
            # A real server notes no time for a claim by scale.
            now = "" if subresource == "scale" else None
            managed.record_update(old, obj, manager=request.manager, schema=kind.schema(), subresource=part, now=now)
        if not subresource:
            defaults.keep(kind.resource.kind, obj, old)
        admission.generation(kind, obj, old)
        admission.validate(kind, obj, old)
        if kind.resource == CUSTOMRESOURCEDEFINITIONS and not subresource:
            definitions.accept(obj)
        if request.dry_run or _same(obj, old):
            return obj if request.dry_run else old
        meta = obj["metadata"]
        key = self.key(kind, meta.get("namespace"), meta["name"])
        if meta.get("deletionTimestamp") and not is_held(kind, obj):
            return self._deletion.carry_out(kind, key, obj)
        return self.put(kind, key, obj)

    def apply(
        self, resource: Resource, applied: Object, namespace: str | None, name: str, *, force: bool, request: Request,
        subresource: str = "",
    ) -> tuple[Object, bool]:  # fmt: skip
        """Server-side apply; returns the object and whether it was created. Raises ApiStatus, 409 on conflicts."""
        kind = self.kinds.of(resource)
        live = self.find(resource, namespace, name)
        if live is None and subresource:
            raise status.not_found(resource, name)
        meta = applied.get("metadata") or {}
        if meta.get("managedFields"):
            raise status.bad_request("metadata.managedFields must be nil")
        if live is not None and meta.get("resourceVersion") not in (None, "", live["metadata"]["resourceVersion"]):
            raise status.conflict(resource, name)
        if live is None and meta.get("uid"):
            raise status.no_such_uid(resource, name, meta["uid"])
        configuration = _configuration(kind, applied, subresource)
        try:
            merged = managed.apply(
                live, configuration, manager=request.manager, force=force, schema=kind.schema(), subresource=subresource
            )
        except managed.NotMergeable as error:
            raise status.not_mergeable(applied, str(error)) from None
        except managed.ApplyConflict as refused:
            causes = [
                {"reason": "FieldManagerConflict", "message": f"conflict with {c.owner}", "field": c.field}
                for c in refused.conflicts
            ]
            raise status.apply_conflict(str(refused), causes) from None
        merged = admission.received(kind, merged, request)
        admission.place(kind, merged["metadata"], namespace)
        if merged["metadata"].setdefault("name", name) != name:
            raise status.other_name(merged["metadata"]["name"], name)
        if live is None:
            return self._create(kind, merged, request, applied=True), True
        return self._write(kind, merged, live, request, subresource, applied=True), False

    def mutate(
        self, resource: Resource, namespace: str | None, name: str, change: Callable[[Object], None],
        subresource: str = "",
    ) -> Object:  # fmt: skip
        """Read, let `change` edit the copy, write. The controllers' way; it cannot conflict on one event loop."""
        obj = self.get(resource, namespace, name)
        change(obj)
        return self.update(resource, obj, namespace, name, subresource=subresource)

    def mutate_status(
        self, resource: Resource, namespace: str | None, name: str, change: Callable[[Object], None]
    ) -> Object:
        return self.mutate(resource, namespace, name, change, subresource="status")

    def delete(
        self, resource: Resource, namespace: str | None, name: str, options: DeleteOptions | None = None
    ) -> tuple[Object, bool]:
        """Delete the object; returns its last state and whether it is gone at once. Raises ApiStatus."""
        return self._deletion.delete(self.kinds.of(resource), namespace, name, options or DeleteOptions())

    # Custom kinds.

    def after_write(self, kind: Kind) -> None:
        """A definition that came, changed or went changes what is served."""
        if kind.resource == CUSTOMRESOURCEDEFINITIONS:
            self._load_definitions()

    def _load_definitions(self) -> None:
        self.kinds.replace_custom(self._custom_kinds())

    def _custom_kinds(self) -> Iterable[Kind]:
        stored = self.store.items("customresourcedefinitions.apiextensions.k8s.io")
        return [kind for _, s in stored for kind in definitions.kinds(s.obj)]


def _carry(obj: Object, old: Object, name: str) -> None:
    """`name` as it was in the old object, or not at all."""
    if name in old:
        obj[name] = old[name]
    else:
        obj.pop(name, None)


def _with_subresource(kind: Kind, obj: Object, old: Object, subresource: str) -> Object:
    """The part of `obj` that the subresource may change, the rest as it was."""
    if subresource == "status":
        meta = {**(old["metadata"] if kind.custom else obj["metadata"])}
        if not kind.custom and kind.resource.kind == "Deployment":
            _carry(meta, old["metadata"], "labels")
        _carry(meta, obj["metadata"], "managedFields")
        written = {**old, "metadata": meta}
        _carry(written, obj, "status")
        return written
    if kind.status:
        _carry(obj, old, "status")
    return obj


def _configuration(kind: Kind, applied: Object, subresource: str) -> Object:
    """What of the applied configuration counts: no identity, no status unless it is the one applied."""
    identity = {"apiVersion": kind.resource.api_version, "kind": kind.resource.kind}
    meta = {
        key: value
        for key, value in (applied.get("metadata") or {}).items()
        if key not in ("resourceVersion", "uid", "creationTimestamp", "generation")
    }
    left_out = "spec" if subresource == "status" else "status" if kind.status and not kind.keeps_status else ""
    return {**{key: value for key, value in applied.items() if key != left_out}, **identity, "metadata": meta}


def matches(obj: Object, labels: LabelSelector | None, fields: FieldSelector | None) -> bool:
    if labels is not None and not labels.matches(obj["metadata"].get("labels")):
        return False
    return fields is None or fields.matches(obj)


def _same(obj: Object, old: Object) -> bool:
    """Whether a write would change nothing but the time of a claim."""

    def bare(value: Object) -> Object:
        claims = [
            {k: v for k, v in item.items() if k != "time"} for item in value["metadata"].get("managedFields") or ()
        ]
        return {**value, "metadata": {**value["metadata"], "managedFields": claims}}

    return bare(obj) == bare(old)
