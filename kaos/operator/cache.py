"""What the operator has seen of the cluster: the newest version of every object that any decision may need."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from typing import Any

from kaos.api.names import KIND_LABEL
from kaos.kube.resources import SECRETS, Resource

Object = dict[str, Any]
Key = tuple[str, str]  # namespace, name
REMEMBERED_DELETIONS = 10_000


class Cache:
    """Objects by resource, namespace and name. For one event loop."""

    def __init__(self) -> None:
        self._objects: dict[Resource, dict[Key, Object]] = defaultdict(dict)
        self._groups: dict[tuple[Any, ...], set[Key]] = defaultdict(set)  # by namespace, by owner
        self._deleted: OrderedDict[tuple[Resource, str], int] = OrderedDict()  # uid -> version when it went

    def put(self, resource: Resource, obj: Object) -> bool:
        """Keep the object unless a newer version, or its deletion, is known. False when nothing changed."""
        key = _key(obj)
        known = self._objects[resource].get(key)
        if known is not None and _version(obj) <= _version(known):
            return False
        # The answer to a write of ours may come after the news that the object is gone.
        if _version(obj) < self._deleted.get((resource, obj["metadata"]["uid"]), 0):
            return False
        if known is not None:
            self._drop(resource, key)
        self._objects[resource][key] = _without_values(obj) if resource == SECRETS else obj
        for group in _groups(resource, obj):
            self._groups[group].add(key)
        return True

    def remove(self, resource: Resource, obj: Object) -> bool:
        """Forget the object, unless it has come back or another has taken its place. False when nothing changed."""
        self._remember_deletion(resource, obj)
        known = self._objects[resource].get(_key(obj))
        if known is None or known["metadata"]["uid"] != obj["metadata"]["uid"] or _version(obj) < _version(known):
            return False
        self._drop(resource, _key(obj))
        return True

    def _remember_deletion(self, resource: Resource, obj: Object) -> None:
        place = (resource, obj["metadata"]["uid"])
        self._deleted[place] = max(_version(obj), self._deleted.pop(place, 0))
        if len(self._deleted) > REMEMBERED_DELETIONS:
            self._deleted.popitem(last=False)

    def _drop(self, resource: Resource, key: Key) -> None:
        for group in _groups(resource, self._objects[resource].pop(key)):
            self._groups[group].discard(key)
            if not self._groups[group]:
                del self._groups[group]

    def replace(
        self, resource: Resource, items: Iterable[Object], version: str, namespace: str | None = None
    ) -> list[Object]:
        """Take over a whole list, of all namespaces or of one; returns the objects that changed or have gone."""
        listed = {_key(obj): obj for obj in items}
        changed = [obj for obj in listed.values() if self.put(resource, obj)]
        for known in self.all(resource, namespace):
            # What is newer than the list was made while it was on its way.
            if _key(known) not in listed and _version(known) <= int(version):
                self._drop(resource, _key(known))
                changed.append(known)
        return changed

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        return self._objects[resource].get((namespace, name))

    def all(self, resource: Resource, namespace: str | None = None) -> list[Object]:
        if namespace is None:
            return list(self._objects[resource].values())
        return self._group(resource, namespace)

    def labelled(self, resource: Resource, namespace: str, label: str, value: str) -> list[Object]:
        return [obj for obj in self.all(resource, namespace) if _labels(obj).get(label) == value]

    def of(self, resource: Resource, namespace: str, kind: str, name: str) -> list[Object]:
        """The objects that are labelled as belonging to one of our resources."""
        return self._group(resource, namespace, kind, name)

    def _group(self, *group: Any) -> list[Object]:
        objects = self._objects[group[0]]
        return [objects[key] for key in self._groups.get(group, ())]


def _key(obj: Object) -> Key:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _labels(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def _groups(resource: Resource, obj: Object) -> list[tuple[Any, ...]]:
    namespace = obj["metadata"].get("namespace", "")
    kind = _labels(obj).get(KIND_LABEL)
    groups: list[tuple[Any, ...]] = [(resource, namespace)]
    if kind and (name := _labels(obj).get(kind.lower())):
        groups.append((resource, namespace, kind, name))
    return groups


def _version(obj: Object) -> int:
    """Versions of one resource can be compared (KEP-5504)."""
    return int(obj["metadata"]["resourceVersion"])


def _without_values(secret: Object) -> Object:
    """Names of keys are all that is ever needed of a Secret; `kubectl apply` notes its values in an annotation."""
    meta = {key: value for key, value in secret["metadata"].items() if key not in ("annotations", "managedFields")}
    return {"metadata": meta, "data": dict.fromkeys(secret.get("data") or {}, "")}
