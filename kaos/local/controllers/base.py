"""A controller: watches, a queue of keys without duplicates, and a look at each key."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from kaos.kube.resources import Resource
from kaos.local.machinery import Machinery, WatchEvent
from kaos.local.status import ApiStatus

Object = dict[str, Any]
NamespacedName = tuple[str, str]

log = logging.getLogger("kaos.local.controllers")
_FIRST_RETRY_S = 0.05
_LAST_RETRY_S = 30.0


class Controller:
    """Subclasses say what they watch, which keys an event touches, and what a look at a key does."""

    watches: tuple[Resource, ...] = ()

    def __init__(self, machinery: Machinery) -> None:
        self.machinery = machinery
        self._queue: asyncio.Queue[NamespacedName] = asyncio.Queue()
        self._waiting: set[NamespacedName] = set()
        self._failures: dict[NamespacedName, int] = {}

    def keys(self, event: WatchEvent) -> list[NamespacedName]:
        """The keys to look at after this event."""
        raise NotImplementedError

    def reconcile(self, namespace: str, name: str) -> float | None:
        """Look at the key and act; returns seconds after which to look again, if at all."""
        raise NotImplementedError

    def add(self, key: NamespacedName) -> None:
        if key not in self._waiting:
            self._waiting.add(key)
            self._queue.put_nowait(key)

    async def run(self) -> None:
        watcher = asyncio.create_task(self._watch())
        try:
            while True:
                self._look(await self._queue.get())
                await asyncio.sleep(0)
        finally:
            watcher.cancel()

    async def _watch(self) -> None:
        async for event in self.machinery.watch(*self.watches):
            try:
                for key in self.keys(event):
                    self.add(key)
            except Exception:  # one odd object must not blind the controller to all others
                log.exception("%s: an event of %s", type(self).__name__, "/".join(place(event.object)))

    def _look(self, key: NamespacedName) -> None:
        self._waiting.discard(key)
        loop = asyncio.get_running_loop()
        try:
            again_s = self.reconcile(*key)
            self._failures.pop(key, None)
            if again_s is not None:
                loop.call_later(again_s, self.add, key)
        except Exception as error:
            count = self._failures[key] = self._failures.get(key, 0) + 1
            if not isinstance(error, ApiStatus):
                log.exception("%s %s failed", type(self).__name__, "/".join(key))
            elif error.code != 404:
                log.warning("%s %s: %s", type(self).__name__, "/".join(key), error)
            loop.call_later(min(_FIRST_RETRY_S * 2**count, _LAST_RETRY_S), self.add, key)


def place(obj: Object) -> NamespacedName:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def controller_of(obj: Object, kind: str) -> Object | None:
    """The owner reference of the controlling owner of that kind."""
    owners = obj["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller") and owner["kind"] == kind), None)


def owned(objects: list[Object], owner: Object) -> list[Object]:
    uid = owner["metadata"]["uid"]
    return [
        obj
        for obj in objects
        if any(o["uid"] == uid and o.get("controller") for o in obj["metadata"].get("ownerReferences") or ())
    ]


def owner_reference(owner: Object) -> Object:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(obj: Object, kind: str) -> Object | None:
    return next((c for c in obj.get("status", {}).get("conditions") or () if c["type"] == kind), None)


def is_ready(pod: Object) -> bool:
    return (condition(pod, "Ready") or {}).get("status") == "True"
