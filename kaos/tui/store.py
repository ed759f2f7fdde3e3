"""What the console knows of the cluster: objects by kind, kept true by watches, and which kinds have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kaos.kube.resources import Resource

Object = dict[str, Any]
Key = tuple[str, str]  # namespace, name
FLUSH_S = 0.1


def key_of(obj: Object) -> Key:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


class Store:
    """Objects by kind. `on_change` is called at most every `FLUSH_S`, on the loop, with the kinds that changed."""

    def __init__(self, on_change: Callable[[set[Resource]], None]) -> None:
        self._objects: dict[Resource, dict[Key, Object]] = {}
        self._changed: set[Resource] = set()
        self._on_change = on_change
        self._timer: asyncio.TimerHandle | None = None
        self._flushed = 0.0

    def objects(self, resource: Resource) -> Mapping[Key, Object]:
        return self._objects.get(resource, {})

    def known(self, resource: Resource) -> bool:
        """Whether it was listed at all."""
        return resource in self._objects

    def replace(self, resource: Resource, items: Iterable[Object]) -> None:
        self._objects[resource] = {key_of(obj): obj for obj in items}
        self._mark(resource)

    def put(self, resource: Resource, obj: Object) -> None:
        self._objects.setdefault(resource, {})[key_of(obj)] = obj
        self._mark(resource)

    def drop(self, resource: Resource, obj: Object) -> None:
        if self._objects.get(resource, {}).pop(key_of(obj), None) is not None:
            self._mark(resource)

    def clear(self) -> None:
        changed, self._objects = set(self._objects), {}
        for resource in changed:
            self._mark(resource)

    def close(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._on_change = lambda changed: None

    def _mark(self, resource: Resource) -> None:
        self._changed.add(resource)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(self._flushed + FLUSH_S, loop.time()), self._flush)

    def _flush(self) -> None:
        self._timer = None
        self._flushed = asyncio.get_running_loop().time()
        changed, self._changed = self._changed, set()
        self._on_change(changed)
