"""Deleting: preconditions, grace, finalizers, and what must be gone before an object may go."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kaos.kube import times
from kaos.kube.resources import CUSTOMRESOURCEDEFINITIONS, NAMESPACES, Resource
from kaos.local import definitions, status
from kaos.local.kinds import Kind
from kaos.local.requests import DeleteOptions
from kaos.local.store import Key

if TYPE_CHECKING:
    from kaos.local.machinery import Machinery

Object = dict[str, Any]
FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"  # a definition waits for its objects
_LASTING_NAMESPACES = ("default", "kube-system", "kube-public")


class Deletion:
    """The way of objects out of the store."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery
        self._store = machinery.store

    def delete(self, kind: Kind, namespace: str | None, name: str, options: DeleteOptions) -> tuple[Object, bool]:
        """Delete the object; returns its last state and whether it is gone at once. Raises ApiStatus."""
        obj = self._machinery.get(kind.resource, namespace, name)
        _check(kind.resource, obj, options)
        if options.dry_run:
            return obj, True
        before = json.dumps(obj)
        self._mark(kind, obj, options)
        key = self._machinery.key(kind, namespace, name)
        if not is_held(kind, obj):
            return self.carry_out(kind, key, obj), True
        if json.dumps(obj) != before:
            self._machinery.put(kind, key, obj)
        return obj, False

    def _mark(self, kind: Kind, obj: Object, options: DeleteOptions) -> None:
        """Note in the object that it is to go, and how."""
        meta = obj["metadata"]
        finalizers = list(meta.get("finalizers") or ())
        if options.propagation is not None:
            finalizers = [item for item in finalizers if item not in (FOREGROUND, ORPHAN)]
            finalizers += {"Foreground": [FOREGROUND], "Orphan": [ORPHAN]}.get(options.propagation, [])
        if kind.resource == CUSTOMRESOURCEDEFINITIONS:
            definitions.end(obj)
            if CLEANUP not in finalizers:
                finalizers.append(CLEANUP)
        if finalizers:
            meta["finalizers"] = finalizers
        else:
            meta.pop("finalizers", None)
        if kind.resource == NAMESPACES:
            meta.setdefault("deletionTimestamp", times.now())
            obj.setdefault("status", {})["phase"] = "Terminating"
            return
        grace_s = _grace_s(kind, obj, options)
        if not meta.get("deletionTimestamp"):
            meta["deletionTimestamp"] = times.now()
            meta["deletionGracePeriodSeconds"] = grace_s
            if kind.keeps_generation:
                meta["generation"] = meta.get("generation", 0) + 1
        elif grace_s < meta.get("deletionGracePeriodSeconds", 0):
            meta["deletionGracePeriodSeconds"] = grace_s

    def carry_out(self, kind: Kind, key: Key, obj: Object) -> Object:
        """Take the object out of the store; returns `obj`, its last state, with the revision of its removal."""
        gone = self._store.delete(key)
        obj["metadata"]["resourceVersion"] = gone["metadata"]["resourceVersion"]
        self._machinery.after_write(kind)
        return obj


def is_held(kind: Kind, obj: Object) -> bool:
    """Whether something must still happen before the object may go."""
    meta = obj["metadata"]
    if meta.get("finalizers") or meta.get("deletionGracePeriodSeconds"):
        return True
    return kind.resource == NAMESPACES and bool((obj.get("spec") or {}).get("finalizers"))


def _check(resource: Resource, obj: Object, options: DeleteOptions) -> None:
    meta = obj["metadata"]
    for asked, held, label, fate in (
        (options.uid, meta["uid"], "UID", "deleted and then recreated"),
        (options.resource_version, meta["resourceVersion"], "ResourceVersion", "modified"),
    ):
        if asked and asked != held:
            why = (
                f"the {label} in the precondition ({asked}) does not match the {label} in record ({held}). "
                f"The object might have been {fate}"
            )
            # A real server names the kind here, not the resource.
            raise status.conflict(_by_kind(resource), meta["name"], why)
    if resource == NAMESPACES and meta["name"] in _LASTING_NAMESPACES:
        raise status.forbidden(resource, meta["name"], "this namespace may not be deleted")


def _by_kind(resource: Resource) -> Resource:
    return Resource(resource.group, resource.version, resource.kind, resource.kind, resource.namespaced)


def _grace_s(kind: Kind, obj: Object, options: DeleteOptions) -> int:
    if kind.resource.kind != "Pod" or not obj["spec"].get("nodeName"):
        return 0
    if obj["status"].get("phase") in ("Succeeded", "Failed"):
        return 0
    if options.grace_period_s is not None:
        return options.grace_period_s
    return obj["spec"].get("terminationGracePeriodSeconds", 30)
