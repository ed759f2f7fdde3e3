"""What lives from gaining the lead to losing it: cache, watches, queue and handshakes, and who concerns whom.

Everything is built anew for each term, so that nothing stale is ever acted on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp

from kaos.api.names import KIND_LABEL, REGISTRY_CONFIGMAP, REGISTRY_LABEL, child_name
from kaos.api.registry import is_registry
from kaos.cluster.aio import AsyncClient
from kaos.cluster.errors import ApiError
from kaos.kube.resources import CONFIGMAPS, HTTPROUTES, SERVICEACCOUNTS, Resource
from kaos.operator.cache import Cache
from kaos.operator.decide.world import Settings
from kaos.operator.events import EventRecorder
from kaos.operator.handshake import Handshakes
from kaos.operator.kinds import KINDS, depends
from kaos.operator.queue import Queue
from kaos.operator.reconcile import Key, Reconciler
from kaos.operator.references import Selection, Watches, named
from kaos.operator.watch import CHILDREN, DEAD_S, Watcher, selector, watched

Object = dict[str, Any]
log = logging.getLogger("kaos.operator")

RESYNC_S = 600.0
CHECK_S = 30.0
RELIST_S = 2.0


class Term:
    """One term as leader."""

    def __init__(self, client: AsyncClient, namespaces: tuple[str, ...], settings: Settings) -> None:
        self._client = client
        self._namespaces = namespaces
        self._settings = settings
        self._resources = watched(settings)
        self._cache = Cache()
        self._queue = Queue(self._work)
        self._watches = Watches(client, self._cache, self._referenced_changed)
        self._handshakes = Handshakes(client, self._queue.add)
        self._reconciler = Reconciler(
            client,
            self._cache,
            settings,
            self._watches,
            self._handshakes,
            EventRecorder(client),
            self._queue.add_after,
            self._status_written,
        )
        self._loop = asyncio.get_running_loop()
        self._relisting: dict[Resource, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._began = time.monotonic()
        self._asked: dict[str, float] = {}  # plural -> when a watch on it was last asked for
        self._watcher = self._new_watcher()

    @property
    def watches_all(self) -> bool:
        """Whether every kind is being watched."""
        return all(one.plural in self._asked for one in self._resources) and self.unwatched_s < DEAD_S

    @property
    def unwatched_s(self) -> float:
        """For how long there has been a kind whose watch was not even asked for."""
        return time.monotonic() - min(self._asked.get(one.plural, self._began) for one in self._resources)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Children are known before the first pass, so that a restart writes nothing."""
        try:
            await self._watches.want("registry", self._registry_selections())
            for resource in self._resources:
                await self._list(resource)
            await self._see_former_routes()
            self._queue.start()
            self._watcher.start()
            self._spawn(self._resync())
            self._spawn(self._heal())
            yield
        finally:
            for timer in self._relisting.values():
                timer.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.to_thread(self._watcher.stop)
            await self._queue.stop()
            await self._handshakes.stop()
            await self._watches.stop()

    def _new_watcher(self) -> Watcher:
        def on_event(resource: Resource, obj: Object, gone: bool) -> None:
            self._from_thread(self._seen, resource, obj, gone)

        def on_listed(resource: Resource) -> None:
            self._from_thread(self._relist_soon, resource)

        return Watcher(self._client.connection, self._resources, self._namespaces, on_event, on_listed, self._asked)

    def _from_thread(self, call: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # our loop has ended
            self._loop.call_soon_threadsafe(call, *arguments)

    def _registry_selections(self) -> frozenset[Selection]:
        namespace = self._settings.system_namespace
        labelled = Selection(CONFIGMAPS, namespace, labels=f"{REGISTRY_LABEL}=true")
        return frozenset({labelled, named(CONFIGMAPS, namespace, REGISTRY_CONFIGMAP)})

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, key: Any) -> None:
        await self._reconciler.reconcile(key)

    # What is seen, and whom it concerns.

    def _seen(self, resource: Resource, obj: Object, gone: bool) -> None:
        changed = self._cache.remove(resource, obj) if gone else self._cache.put(resource, obj)
        if changed:
            self._concern(resource, obj)

    def _relist_soon(self, resource: Resource) -> None:
        if resource not in self._relisting:
            self._relisting[resource] = self._loop.call_later(RELIST_S, self._relist, resource)

    def _relist(self, resource: Resource) -> None:
        self._relisting.pop(resource, None)
        self._spawn(self._list_again(resource))

    def _concern(self, resource: Resource, obj: Object) -> None:
        for key in self._concerned(resource, obj):
            self._queue.add(key)

    def _concerned(self, resource: Resource, obj: Object) -> list[Key]:
        meta = obj["metadata"]
        namespace, name = meta.get("namespace", ""), meta["name"]
        if resource.kind in KINDS:
            key = Key(resource.kind, namespace, name)
            return [key, *self._dependants(key)]
        if resource == SERVICEACCOUNTS:
            return [key for key, one in self._declared(namespace) if depends(one, resource.kind, name)]
        # Any of these may have been tampered with.
        labels = meta.get("labels") or {}
        kind = labels.get(KIND_LABEL, "")
        named = {(kind, labels.get(kind.lower()))}
        named |= {(one["kind"], one["name"]) for one in meta.get("ownerReferences") or ()}
        if resource in CHILDREN:
            prefixes = {kind: child_name(kind, "") for kind in KINDS}
            named |= {(kind, name[len(prefix) :]) for kind, prefix in prefixes.items() if name.startswith(prefix)}
        return [Key(kind, namespace, instance) for kind, instance in named if kind in KINDS and instance]

    def _dependants(self, key: Key) -> list[Key]:
        agents = self._declared(key.namespace, "Agent")
        return [agent for agent, one in agents if depends(one, key.kind, key.name)]

    def _status_written(self, key: Key) -> None:
        for dependant in self._dependants(key):
            self._queue.add(dependant)

    def _declared(self, namespace: str | None, *kinds: str) -> list[tuple[Key, Object]]:
        """What people have declared, in one namespace or in all; only of these kinds, if any are given."""
        return [
            (Key(kind, obj["metadata"]["namespace"], obj["metadata"]["name"]), obj)
            for kind in kinds or KINDS
            for obj in self._cache.all(KINDS[kind].resource, namespace)
        ]

    def _referenced_changed(self, resource: Resource, obj: Object) -> None:
        meta = obj["metadata"]
        if resource == CONFIGMAPS and meta["namespace"] == self._settings.system_namespace and is_registry(obj):
            for key, _ in self._declared(None):
                self._queue.add(key)
        for who in self._watches.who_wants(resource, obj):
            if isinstance(who, Key):
                self._queue.add(who)

    # Lists.

    async def _list(self, resource: Resource) -> None:
        for namespace in self._namespaces or (None,):
            listed = await self._client.list(resource, namespace, labels=selector(resource))
            for obj in listed.items:
                obj.setdefault("apiVersion", resource.api_version)
                obj.setdefault("kind", resource.kind)
            for obj in self._cache.replace(resource, listed.items, listed.resource_version, namespace):
                self._concern(resource, obj)

    async def _see_former_routes(self) -> None:
        """Those from before the Gateway was switched off: the first passes remove them."""
        if HTTPROUTES in self._resources:
            return
        try:
            await self._list(HTTPROUTES)
        except ApiError as refused:
            if refused.code not in (403, 404):  # a cluster without this API
                raise

    async def _list_again(self, resource: Resource) -> None:
        try:
            await self._list(resource)
        except (ApiError, aiohttp.ClientError, OSError, TimeoutError) as error:
            log.info("listing %s: %s", resource.plural, error)

    async def _resync(self) -> None:
        """A slow second look at everything: whatever was missed is found."""
        while True:
            await asyncio.sleep(RESYNC_S)
            for resource in self._resources:
                await self._list_again(resource)
            for key, _ in self._declared(None):
                self._queue.add(key)

    async def _heal(self) -> None:
        """Replace watches that look alive and are not."""
        while True:
            await asyncio.sleep(CHECK_S)
            if dead := self._watcher.dead():
                log.warning("not watched for too long: %s; starting the watches anew", ", ".join(dead))
                await asyncio.to_thread(self._watcher.stop)
                self._watcher = self._new_watcher()
                self._watcher.start()
