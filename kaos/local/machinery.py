"""The API inside the process: what create, update, patch, delete, list and watch mean for every kind.

Synchronous and single-threaded: call it on the daemon's event loop only. The HTTP server and the controllers use the
same methods, so nothing that the one refuses can be done by the other.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from kaos.kube import times
from kaos.kube.resources import CUSTOMRESOURCEDEFINITIONS, NAMESPACES, Resource
from kaos.kube.selectors import FieldSelector, LabelSelector
from kaos.local import defaults, definitions, managed, schemas, status, validation
from kaos.local.kinds import Kind, Kinds
from kaos.local.schema import FieldError
from kaos.local.store import Key, Store, Stored

Object = dict[str, Any]
CONTROLLER = "kaos-local"
_SERVER_FIELDS = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
)
_NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


@dataclass(frozen=True)
class WatchEvent:
    """One event of a watch: ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: Object


@dataclass
class Request:
    """How a write was asked for."""

    manager: str = CONTROLLER
    dry_run: bool = False
    field_validation: str = "Ignore"  # Ignore, Warn, Strict
    duplicates: tuple[str, ...] = ()  # duplicate fields that the decoder saw
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DeleteOptions:
    """How a deletion was asked for."""

    propagation: str = "Background"
    grace_period_s: int | None = None
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False


class Machinery:
    """Every operation of the API on one store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.kinds = Kinds()
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
        return json.loads(self.stored(resource, namespace, name).encoded)

    def find(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        """A copy of the present object, or None."""
        found = self.store.get(self.key(self.kinds.of(resource), namespace, name))
        return json.loads(found.encoded) if found is not None else None

    def select(
        self,
        resource: Resource,
        namespace: str | None = None,
        labels: LabelSelector | None = None,
        fields: FieldSelector | None = None,
    ) -> list[Stored]:
        """The stored objects that match, ordered by namespace and name. Not to be changed by the caller."""
        kind = self.kinds.of(resource)
        scope = namespace if resource.namespaced else None
        return [
            stored
            for _, stored in self.store.items(kind.collection, scope or None)
            if matches(stored.obj, labels, fields)
        ]

    def list(
        self, resource: Resource, namespace: str | None = None, labels: LabelSelector | None = None
    ) -> list[Object]:
        """Copies of the objects that match."""
        return [json.loads(stored.encoded) for stored in self.select(resource, namespace, labels)]

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
        obj = self._copied(kind, obj)
        meta = obj["metadata"]
        self._place(kind, meta, namespace)
        self._prune(kind, obj, request)
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"][:58] + "".join(secrets.choice(_NAME_LETTERS) for _ in range(5))
        for name in (
            (*_SERVER_FIELDS, "resourceVersion", "managedFields") if not meta.get("managedFields") else _SERVER_FIELDS
        ):
            meta.pop(name, None)
        meta.pop("resourceVersion", None)
        meta["uid"] = str(uuid.uuid4())
        meta["creationTimestamp"] = times.now()
        if kind.keeps_generation:
            meta["generation"] = 1
        if kind.status and not self._keeps_status(kind):
            obj.pop("status", None)
        self._default(kind, obj)
        self._validate(kind, obj, None)
        self._admit(kind, meta)
        if resource == CUSTOMRESOURCEDEFINITIONS:
            definitions.accept(obj)
        managed.record_update(None, obj, manager=request.manager, schema=kind.schema())
        key = self.key(kind, meta.get("namespace"), meta["name"])
        if self.store.get(key) is not None:
            raise status.already_exists(resource, meta["name"])
        if request.dry_run:
            return obj
        self.store.put(key, obj)
        self._after_write(kind)
        return json.loads(json.dumps(obj))

    def _keeps_status(self, kind: Kind) -> bool:
        """Nodes and bare Events have no spec to speak of: their status may come with the creation."""
        return kind.resource.kind in ("Node", "PersistentVolume")

    def update(
        self, resource: Resource, obj: Object, namespace: str | None, name: str, request: Request | None = None,
        subresource: str = "",
    ) -> Object:  # fmt: skip
        """Replace the object (or its status) and return it as stored. Raises ApiStatus, 409 on a stale version."""
        request = request or Request()
        kind = self.kinds.of(resource)
        old = self.get(resource, namespace, name)
        obj = self._copied(kind, obj)
        meta = obj["metadata"]
        self._place(kind, meta, namespace)
        if meta.setdefault("name", name) != name:
            raise status.bad_request(
                f"the name of the object ({meta['name']}) does not match the name on the URL ({name})"
            )
        if meta.get("uid") and meta["uid"] != old["metadata"]["uid"]:
            why = (
                f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {old['metadata']['uid']}"
            )
            raise status.conflict(resource, name, why)
        if meta.get("resourceVersion") and meta["resourceVersion"] != old["metadata"]["resourceVersion"]:
            raise status.conflict(resource, name)
        self._prune(kind, obj, request)
        return self._write(kind, obj, old, request, subresource, tracked=True)

    def _write(self, kind: Kind, obj: Object, old: Object, request: Request, subresource: str, tracked: bool) -> Object:
        """Commit `obj` in place of `old`: keep what may not change, default, validate, count generations."""
        meta, before = obj["metadata"], old["metadata"]
        for name in _SERVER_FIELDS:
            if name in before:
                meta[name] = before[name]
            else:
                meta.pop(name, None)
        if "resourceVersion" not in meta:
            meta["resourceVersion"] = before["resourceVersion"]
        obj = self._with_subresource(kind, obj, old, subresource)
        meta = obj["metadata"]
        self._default(kind, obj)
        if kind.keeps_generation and _desired(obj) != _desired(old):
            meta["generation"] = before.get("generation", 0) + 1
        self._validate(kind, obj, old)
        if kind.resource == CUSTOMRESOURCEDEFINITIONS and not subresource:
            definitions.accept(obj)
        if tracked:
            managed.record_update(
                old, obj, manager=request.manager, schema=kind.schema(), subresource=subresource if kind.status else ""
            )
        meta["resourceVersion"] = before["resourceVersion"]
        key = self.key(kind, meta.get("namespace"), meta["name"])
        if _same(obj, old):
            return old
        if request.dry_run:
            return obj
        if meta.get("deletionTimestamp") and not self._held(kind, obj):
            return self.store.delete(key) if self._finish(kind, key) else obj
        self.store.put(key, obj)
        self._after_write(kind)
        return json.loads(json.dumps(obj))

    def _with_subresource(self, kind: Kind, obj: Object, old: Object, subresource: str) -> Object:
        if subresource == "status":
            kept = {**old, "status": obj.get("status", {})}
            meta = {**old["metadata"]}
            for name in ("managedFields", "resourceVersion"):
                if name in obj["metadata"]:
                    meta[name] = obj["metadata"][name]
            if not kind.custom:
                for name in ("labels", "annotations"):
                    if name in obj["metadata"]:
                        meta[name] = obj["metadata"][name]
            return {**kept, "metadata": meta}
        if kind.status and not subresource:
            if "status" in old:
                obj["status"] = old["status"]
            else:
                obj.pop("status", None)
        return obj

    def apply(
        self, resource: Resource, applied: Object, namespace: str | None, name: str, *, force: bool, request: Request,
        subresource: str = "",
    ) -> tuple[Object, bool]:  # fmt: skip
        """Server-side apply; returns the object and whether it was created. Raises ApiStatus, 409 on conflicts."""
        kind = self.kinds.of(resource)
        applied = self._copied(kind, applied)
        meta = applied["metadata"]
        self._place(kind, meta, namespace)
        meta.setdefault("name", name)
        if meta.get("managedFields"):
            raise status.bad_request("metadata.managedFields must be nil")
        self._prune(kind, applied, request)
        live = self.find(resource, namespace, name)
        if live is None and subresource:
            raise status.not_found(resource, name)
        if meta.get("resourceVersion") and (
            live is None or meta["resourceVersion"] != live["metadata"]["resourceVersion"]
        ):
            raise status.conflict(resource, name)
        if live is None and meta.get("uid"):
            raise status.conflict(
                resource,
                name,
                f"uid mismatch: the provided object specified uid {meta['uid']}, and no existing object was found",
            )
        for field_name in ("resourceVersion", "uid", "creationTimestamp", "generation"):
            meta.pop(field_name, None)
        if subresource == "status":
            applied = {key: value for key, value in applied.items() if key != "spec"}
        elif kind.status and not self._keeps_status(kind):
            applied.pop("status", None)
        try:
            merged = managed.apply(
                live, applied, manager=request.manager, force=force, schema=kind.schema(), subresource=subresource
            )
        except managed.ApplyConflict as refused:
            causes = [
                {"reason": "FieldManagerConflict", "message": f"conflict with {c.owner}", "field": c.field}
                for c in refused.conflicts
            ]
            raise status.apply_conflict(str(refused), causes) from None
        if live is None:
            return self._create_applied(kind, merged, request), True
        return self._write(kind, merged, live, request, subresource, tracked=False), False

    def _create_applied(self, kind: Kind, obj: Object, request: Request) -> Object:
        meta = obj["metadata"]
        meta["uid"] = str(uuid.uuid4())
        meta["creationTimestamp"] = times.now()
        if kind.keeps_generation:
            meta["generation"] = 1
        self._default(kind, obj)
        self._validate(kind, obj, None)
        self._admit(kind, meta)
        if kind.resource == CUSTOMRESOURCEDEFINITIONS:
            definitions.accept(obj)
        if not request.dry_run:
            self.store.put(self.key(kind, meta.get("namespace"), meta["name"]), obj)
            self._after_write(kind)
        return json.loads(json.dumps(obj))

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

    # Deleting.

    def delete(
        self, resource: Resource, namespace: str | None, name: str, options: DeleteOptions | None = None
    ) -> tuple[Object, bool]:
        """Delete the object; returns its last state and whether it is gone at once. Raises ApiStatus."""
        options = options or DeleteOptions()
        kind = self.kinds.of(resource)
        obj = self.get(resource, namespace, name)
        meta = obj["metadata"]
        for asked, held, label in (
            (options.uid, meta["uid"], "UID"),
            (options.resource_version, meta["resourceVersion"], "ResourceVersion"),
        ):
            if asked and asked != held:
                why = f"Precondition failed: {label} in precondition: {asked}, {label} in object meta: {held}"
                raise status.conflict(resource, name, why)
        if options.dry_run:
            return obj, True
        key = self.key(kind, namespace, name)
        finalizers = [item for item in meta.get("finalizers") or () if item not in (FOREGROUND, ORPHAN)]
        if options.propagation == "Foreground":
            finalizers.append(FOREGROUND)
        elif options.propagation == "Orphan":
            finalizers.append(ORPHAN)
        if finalizers != (meta.get("finalizers") or []):
            meta["finalizers"] = finalizers
        grace_s = self._grace_s(kind, obj, options)
        if not meta.get("deletionTimestamp"):
            meta["deletionTimestamp"] = times.now()
            meta["deletionGracePeriodSeconds"] = grace_s
            if kind.keeps_generation:
                meta["generation"] = meta.get("generation", 0) + 1
        elif grace_s < meta.get("deletionGracePeriodSeconds", 0):
            meta["deletionGracePeriodSeconds"] = grace_s
        if kind.resource == NAMESPACES:
            obj.setdefault("status", {})["phase"] = "Terminating"
        if not self._held(kind, obj):
            if not finalizers:
                meta.pop("finalizers", None)
            if self._finish(kind, key):
                return self.store.delete(key), True
        if not finalizers:
            meta.pop("finalizers", None)
        if not _same(obj, self.stored(resource, namespace, name).obj):
            self.store.put(key, obj)
        return json.loads(json.dumps(obj)), False

    def _grace_s(self, kind: Kind, obj: Object, options: DeleteOptions) -> int:
        if kind.resource.kind != "Pod" or not obj["spec"].get("nodeName"):
            return 0
        if obj["status"].get("phase") in ("Succeeded", "Failed"):
            return 0
        if options.grace_period_s is not None:
            return options.grace_period_s
        return obj["spec"].get("terminationGracePeriodSeconds", 30)

    def _held(self, kind: Kind, obj: Object) -> bool:
        """Whether something must still happen before the object may go."""
        meta = obj["metadata"]
        if meta.get("finalizers") or meta.get("deletionGracePeriodSeconds"):
            return True
        return kind.resource == NAMESPACES and bool((obj.get("spec") or {}).get("finalizers"))

    def _finish(self, kind: Kind, key: Key) -> bool:
        """The last step before an object goes: a CRD takes its objects along. True when it may go now."""
        if kind.resource != CUSTOMRESOURCEDEFINITIONS:
            return True
        stored = self.store.get(key)
        for custom in definitions.kinds(stored.obj):
            for (namespace, name), _ in self.store.items(custom.collection):
                self.delete(custom.resource, namespace, name)
        remaining = any(self.store.items(custom.collection) for custom in definitions.kinds(stored.obj))
        if not remaining:
            self.kinds.replace_custom(self._custom_kinds(without=key[2]))
        return not remaining

    # The steps of a write.

    def _copied(self, kind: Kind, obj: Object) -> Object:
        """A copy with the identity of its kind and with metadata."""
        identity = {"apiVersion": kind.resource.api_version, "kind": kind.resource.kind}
        copied = identity | json.loads(json.dumps({**obj, **identity}))
        if not isinstance(copied.setdefault("metadata", {}), dict):
            raise status.bad_request("metadata must be an object")
        return copied if kind.custom else _without_nulls(copied)

    def _place(self, kind: Kind, meta: Object, namespace: str | None) -> None:
        if not kind.resource.namespaced:
            meta.pop("namespace", None)
            return
        if meta.setdefault("namespace", namespace) != namespace:
            raise status.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )

    def _prune(self, kind: Kind, obj: Object, request: Request) -> None:
        unknown = [f"metadata.{path}" for path in schemas.object_meta().prune(obj["metadata"])]
        unknown += [path for path in kind.schema().prune(obj) if path not in ("apiVersion", "kind")]
        problems = [f'duplicate field "{path}"' for path in request.duplicates]
        problems += [f'unknown field "{path}"' for path in unknown]
        if not problems:
            return
        if request.field_validation == "Strict":
            version, name = kind.resource.version, kind.resource.kind
            raise status.bad_request(
                f'{name} in version "{version}" cannot be handled as a {name}: '
                f"strict decoding error: {', '.join(problems)}"
            )
        if request.field_validation == "Warn":
            request.warnings += problems

    def _default(self, kind: Kind, obj: Object) -> None:
        if not kind.custom:
            if kind.status:
                obj.setdefault("status", {})
            defaults.apply(kind.resource.kind, obj)
        kind.schema().default(obj)

    def _validate(self, kind: Kind, obj: Object, old: Object | None) -> None:
        name = kind.resource.kind
        errors: list[FieldError] = validation.metadata(obj, name)
        if kind.custom:
            errors += kind.schema().validate(obj, old)
        else:
            found = kind.schema().validate({**obj, "metadata": {}}, None)
            mistyped = [error for error in found if error.reason == "FieldValueTypeInvalid"]
            if mistyped:
                raise status.bad_request(_mistyped(kind, mistyped[0]))
            special = validation.builtin(name, obj, old)
            known = {error.field for error in special} | {error.field.rpartition(".")[0] for error in special}
            errors += [e for e in found if e.reason != "FieldValueRequired" or e.field not in known] + special
            errors = _without_children(errors)
            if kind.resource == CUSTOMRESOURCEDEFINITIONS:
                errors += definitions.check(obj)
        if errors:
            raise status.invalid(kind.resource, obj["metadata"].get("name", ""), errors)

    def _admit(self, kind: Kind, meta: Object) -> None:
        """Nothing is created in a namespace that is not there or that is going."""
        namespace = meta.get("namespace")
        if not kind.resource.namespaced:
            return
        found = self.find(NAMESPACES, None, namespace)
        if found is None:
            raise status.not_found(NAMESPACES, namespace)
        if found["status"].get("phase") == "Terminating":
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {namespace} is being terminated",
                "field": "metadata.namespace",
            }
            raise status.forbidden(kind.resource, meta["name"], why, [cause])

    # Custom kinds.

    def _after_write(self, kind: Kind) -> None:
        if kind.resource == CUSTOMRESOURCEDEFINITIONS:
            self._load_definitions()

    def _load_definitions(self) -> None:
        self.kinds.replace_custom(self._custom_kinds())

    def _custom_kinds(self, without: str = "") -> Iterable[Kind]:
        stored = self.store.items("customresourcedefinitions.apiextensions.k8s.io")
        return [kind for (_, name), s in stored if name != without for kind in definitions.kinds(s.obj)]


def _without_nulls(value: Any) -> Any:
    """In built-in kinds a null is an absent field, as it is to the Go types behind a real API server."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def matches(obj: Object, labels: LabelSelector | None, fields: FieldSelector | None) -> bool:
    if labels is not None and not labels.matches(obj["metadata"].get("labels")):
        return False
    return fields is None or fields.matches(obj)


def _desired(obj: Object) -> Object:
    """What counts as a new generation: everything but identity, metadata and status."""
    return {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata", "status")}


def _same(obj: Object, old: Object) -> bool:
    """Whether a write would change nothing but the time of a claim."""

    def bare(value: Object) -> Object:
        claims = [
            {k: v for k, v in item.items() if k != "time"} for item in value["metadata"].get("managedFields") or ()
        ]
        return {**value, "metadata": {**value["metadata"], "managedFields": claims}}

    return bare(obj) == bare(old)


def _without_children(errors: list[FieldError]) -> list[FieldError]:
    """One error a field: the special checks repeat some of the schema's."""
    seen: dict[tuple[str, str], FieldError] = {}
    for error in errors:
        seen.setdefault((error.field, error.reason), error)
    return list(seen.values())


_GO_TYPES = {"integer": "int32", "boolean": "bool", "array": "slice", "object": "map", "string": "string"}


def _mistyped(kind: Kind, error: FieldError) -> str:
    name, version = kind.resource.kind, kind.resource.version
    given = error.message.split('"')[1]
    wanted = error.message.split("must be of type ")[1].split(":")[0]
    return (
        f'{name} in version "{version}" cannot be handled as a {name}: json: cannot unmarshal {given} into Go struct '
        f"field {error.field} of type {_GO_TYPES.get(wanted, wanted)}"
    )
