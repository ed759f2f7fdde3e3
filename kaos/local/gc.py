"""What goes when something else goes: dependents of a deleted owner, the content of a namespace, objects of a CRD."""

from __future__ import annotations

import logging
from typing import Any

from kaos.kube import times
from kaos.kube.resources import CUSTOMRESOURCEDEFINITIONS, NAMESPACES
from kaos.local import definitions
from kaos.local.deletion import CLEANUP, FOREGROUND, ORPHAN
from kaos.local.kinds import Kind
from kaos.local.machinery import Machinery
from kaos.local.requests import DeleteOptions
from kaos.local.status import ApiStatus
from kaos.local.store import Change, Key

Object = dict[str, Any]
log = logging.getLogger("kaos.local.gc")


class GarbageCollector:
    """Follows every change; holds an index of who depends on whom."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery
        self._dependents: dict[str, set[Key]] = {}  # owner's uid -> keys
        self._uids: set[str] = set()

    async def run(self) -> None:
        with self._machinery.store.subscribe(limit=10_000_000) as changes:
            self._start()
            while (change := await changes.get()) is not None:
                try:
                    self._follow(change)
                except ApiStatus as refused:
                    log.debug("%s: %s", change.key, refused)
                except Exception:
                    log.exception("collecting after %s %s failed", change.kind, change.key)

    def _start(self) -> None:
        """Index what is there, and finish what an earlier life left undone."""
        everything = [(kind, key, s.obj) for kind in self._machinery.kinds.stored() for key, s in self._stored(kind)]
        for _, key, obj in everything:
            self._index(key, obj)
        for kind, key, obj in everything:
            self._check_owners(obj)
            if obj["metadata"].get("deletionTimestamp"):
                self._deleting(kind, key, obj)

    def _stored(self, kind: Kind) -> list[tuple[Key, Any]]:
        return [((kind.collection, *place), s) for place, s in self._machinery.store.items(kind.collection)]

    def _index(self, key: Key, obj: Object) -> None:
        self._uids.add(obj["metadata"]["uid"])
        for owner in obj["metadata"].get("ownerReferences") or ():
            self._dependents.setdefault(owner["uid"], set()).add(key)

    def _follow(self, change: Change) -> None:
        obj = change.stored.obj
        kind = self._kind(change.key)
        if change.kind == "DELETED":
            self._uids.discard(obj["metadata"]["uid"])
            self._owner_gone(obj["metadata"]["uid"])
            self._after_removal(change.key, obj)
            return
        self._index(change.key, obj)
        if change.kind == "ADDED":
            self._check_owners(obj)
        if obj["metadata"].get("deletionTimestamp") and kind is not None:
            self._deleting(kind, change.key, obj)

    def _check_owners(self, obj: Object) -> None:
        """Collect the object when its owner is not there. Of kinds that are not served here nothing is known."""
        for owner in obj["metadata"].get("ownerReferences") or ():
            group, _, _ = owner["apiVersion"].rpartition("/")
            served = self._machinery.kinds.of_group_kind(group, owner["kind"]) is not None
            if served and owner["uid"] not in self._uids:
                self._owner_gone(owner["uid"])

    def _kind(self, key: Key) -> Kind | None:
        return next((kind for kind in self._machinery.kinds.stored() if kind.collection == key[0]), None)

    def _owner_gone(self, uid: str) -> None:
        for key in self._dependents.pop(uid, set()):
            kind, stored = self._kind(key), self._machinery.store.get(key)
            if kind is None or stored is None:
                continue
            owners = stored.obj["metadata"].get("ownerReferences") or []
            if not any(owner["uid"] == uid for owner in owners):
                continue
            if any(owner["uid"] in self._uids for owner in owners if owner["uid"] != uid):
                self._disown(kind, key, uid)
            else:
                self._machinery.delete(kind.resource, key[1] or None, key[2])

    def _disown(self, kind: Kind, key: Key, uid: str) -> None:
        def without(obj: Object) -> None:
            meta = obj["metadata"]
            meta["ownerReferences"] = [o for o in meta.get("ownerReferences") or () if o["uid"] != uid]

        self._machinery.mutate(kind.resource, key[1] or None, key[2], without)

    def _deleting(self, kind: Kind, key: Key, obj: Object) -> None:
        uid = obj["metadata"]["uid"]
        finalizers = obj["metadata"].get("finalizers") or ()
        if ORPHAN in finalizers:
            for dependent in self._dependents.pop(uid, set()):
                if self._machinery.store.get(dependent) and (of := self._kind(dependent)):
                    self._disown(of, dependent, uid)
            self._unfinalize(kind, key, ORPHAN)
        elif FOREGROUND in finalizers:
            self._foreground(kind, key, uid)
        elif kind.resource == NAMESPACES:
            self._empty_namespace(key[2])
        elif CLEANUP in finalizers:
            self._empty_definition(kind, key, obj)

    def _foreground(self, kind: Kind, key: Key, uid: str) -> None:
        blocking = False
        for dependent in list(self._dependents.get(uid, ())):
            of, stored = self._kind(dependent), self._machinery.store.get(dependent)
            if of is None or stored is None:
                self._dependents[uid].discard(dependent)
                continue
            if not stored.obj["metadata"].get("deletionTimestamp"):
                options = DeleteOptions(propagation="Foreground")
                self._machinery.delete(of.resource, dependent[1] or None, dependent[2], options)
            owners = stored.obj["metadata"].get("ownerReferences") or ()
            present = self._machinery.store.get(dependent) is not None
            blocking |= present and any(o["uid"] == uid and o.get("blockOwnerDeletion") for o in owners)
        if not blocking:
            self._unfinalize(kind, key, FOREGROUND)

    def _unfinalize(self, kind: Kind, key: Key, finalizer: str) -> None:
        def without(obj: Object) -> None:
            meta = obj["metadata"]
            meta["finalizers"] = [item for item in meta.get("finalizers") or () if item != finalizer]
            if not meta["finalizers"]:
                del meta["finalizers"]

        self._machinery.mutate(kind.resource, key[1] or None, key[2], without)

    def _after_removal(self, key: Key, obj: Object) -> None:
        """Something that waited for this object to go may go now."""
        for owner in obj["metadata"].get("ownerReferences") or ():
            if key in self._dependents.get(owner["uid"], ()):
                self._dependents[owner["uid"]].discard(key)
                self._retry_owner(owner, key[1])
        if key[1]:
            namespace = self._machinery.find(NAMESPACES, None, key[1])
            if namespace is not None and namespace["metadata"].get("deletionTimestamp"):
                self._empty_namespace(key[1])
        for stored in self._machinery.select(CUSTOMRESOURCEDEFINITIONS):
            if stored.obj["metadata"].get("deletionTimestamp") and definitions.collection(stored.obj) == key[0]:
                kind = self._machinery.kinds.of(CUSTOMRESOURCEDEFINITIONS)
                self._empty_definition(kind, (kind.collection, "", stored.obj["metadata"]["name"]), stored.obj)

    def _retry_owner(self, owner: Object, namespace: str) -> None:
        group, _, _ = owner["apiVersion"].rpartition("/")
        kind = self._machinery.kinds.of_group_kind(group, owner["kind"])
        if kind is None:
            return
        found = self._machinery.find(kind.resource, namespace or None, owner["name"])
        if found and found["metadata"]["uid"] == owner["uid"] and found["metadata"].get("deletionTimestamp"):
            self._deleting(kind, self._machinery.key(kind, namespace, owner["name"]), found)

    def _empty_definition(self, kind: Kind, key: Key, obj: Object) -> None:
        """Delete the objects of a definition that is to go; with the last one it may."""
        collection = definitions.collection(obj)
        of = next((k for k in self._machinery.kinds.stored() if k.collection == collection), None)
        for (namespace, name), stored in self._machinery.store.items(collection):
            if of is not None and not stored.obj["metadata"].get("deletionTimestamp"):
                self._machinery.delete(of.resource, namespace or None, name)
        if not self._machinery.store.items(collection):
            self._unfinalize(kind, key, CLEANUP)

    def _empty_namespace(self, name: str) -> None:
        left: list[tuple[Kind, Object]] = []
        for kind in list(self._machinery.kinds.stored()):
            if not kind.resource.namespaced:
                continue
            for key, stored in self._stored(kind):
                if key[1] != name:
                    continue
                if not stored.obj["metadata"].get("deletionTimestamp"):
                    self._machinery.delete(kind.resource, name, key[2])
                if (still := self._machinery.store.get(key)) is not None:
                    left.append((kind, still.obj))
        namespace = self._machinery.find(NAMESPACES, None, name)
        if namespace is None:
            return
        if left:
            conditions = _remaining(namespace, left)
            self._machinery.mutate_status(
                NAMESPACES, None, name, lambda obj: obj["status"].update(conditions=conditions)
            )
            return

        def finalized(obj: Object) -> None:
            obj["spec"]["finalizers"] = [item for item in obj["spec"].get("finalizers") or () if item != "kubernetes"]

        self._machinery.mutate(NAMESPACES, None, name, finalized, subresource="finalize")


def _remaining(namespace: Object, left: list[tuple[Kind, Object]]) -> list[Object]:
    """The conditions that say what a namespace still waits for."""
    counts: dict[str, int] = {}
    holders: dict[str, int] = {}
    for kind, obj in left:
        resource = f"{kind.resource.plural}.{kind.resource.group}"
        counts[resource] = counts.get(resource, 0) + 1
        for finalizer in obj["metadata"].get("finalizers") or ():
            holders[finalizer] = holders.get(finalizer, 0) + 1
    resources = ", ".join(f"{name} has {count} resource instances" for name, count in sorted(counts.items()))
    finalizers = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(holders.items()))
    told = [
        ("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", "All resources successfully discovered"),
        (
            "NamespaceDeletionGroupVersionParsingFailure", "False", "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure", "False", "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        ("NamespaceContentRemaining", "True", "SomeResourcesRemain", f"Some resources are remaining: {resources}"),
    ]  # fmt: skip
    if finalizers:
        message = f"Some content in the namespace has finalizers remaining: {finalizers}"
        told.append(("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", message))
    before = {item["type"]: item for item in namespace["status"].get("conditions") or ()}
    made = []
    for kind, verdict, reason, message in told:
        since = before.get(kind, {}).get("lastTransitionTime") or times.now()
        made.append(
            {"type": kind, "status": verdict, "lastTransitionTime": since, "reason": reason, "message": message}
        )
    return made
