"""Watches on single objects: the runtime registry, and the ConfigMaps and Secrets that resources refer to.

Watching all ConfigMaps of a cluster would load every one of them into memory; these are watched one by one, each only
while somebody refers to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from kaos.cluster.aio import AsyncClient
from kaos.cluster.errors import ApiError
from kaos.kube.resources import Resource
from kaos.operator.cache import Cache

Object = dict[str, Any]
log = logging.getLogger("kaos.operator")
FIRST_RETRY_S, LAST_RETRY_S = 1.0, 10.0
SHORTEST_S = 1.0  # a watch that ends sooner is no better than a failing one


@dataclass(frozen=True)
class Selection:
    """What one watch sees."""

    resource: Resource
    namespace: str
    labels: str | None = None
    fields: str | None = None

    def __str__(self) -> str:
        return f"{self.resource.plural} of {self.namespace} with {self.labels or self.fields}"


def named(resource: Resource, namespace: str, name: str) -> Selection:
    return Selection(resource, namespace, fields=f"metadata.name={name}")


class Watches:
    """One list-and-watch a selection, for as long as anybody wants it."""

    def __init__(self, client: AsyncClient, cache: Cache, on_change: Callable[[Resource, Object], None]) -> None:
        self._client = client
        self._cache = cache
        self._on_change = on_change
        self._tasks: dict[Selection, asyncio.Task[None]] = {}
        self._listed: dict[Selection, asyncio.Event] = {}
        self._wanted: dict[object, frozenset[Selection]] = {}  # by whom

    async def want(self, who: object, selections: frozenset[Selection]) -> bool:
        """`who` needs exactly these. Returns once each has been listed, true when they are others than before."""
        before = self._wanted.get(who, frozenset())
        if selections:
            self._wanted[who] = selections
        else:
            self._wanted.pop(who, None)
        for selection in selections:
            if selection not in self._tasks:
                self._listed[selection] = asyncio.Event()
                self._tasks[selection] = asyncio.create_task(self._run(selection), name=f"watch {selection}")
        if dropped := before - selections:
            self._drop(dropped)
        for selection in selections:
            await self._listed[selection].wait()
        return selections != before

    def _drop(self, dropped: frozenset[Selection]) -> None:
        still = frozenset().union(*self._wanted.values()) if self._wanted else frozenset()
        for selection in dropped - still:
            self._tasks.pop(selection).cancel()
            self._listed.pop(selection).set()
            for obj in self._matching(selection):
                self._cache.remove(selection.resource, obj)

    def who_wants(self, resource: Resource, obj: Object) -> list[object]:
        """Those that named this object."""
        selection = named(resource, obj["metadata"]["namespace"], obj["metadata"]["name"])
        return [who for who, wanted in self._wanted.items() if selection in wanted]

    async def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _matching(self, selection: Selection) -> list[Object]:
        if selection.fields:
            name = selection.fields.removeprefix("metadata.name=")
            found = self._cache.get(selection.resource, selection.namespace, name)
            return [found] if found else []
        key, _, value = (selection.labels or "").partition("=")
        return self._cache.labelled(selection.resource, selection.namespace, key, value)

    async def _run(self, selection: Selection) -> None:
        pause_s = FIRST_RETRY_S
        while True:
            began = asyncio.get_running_loop().time()
            try:
                version = await self._list(selection)
                self._listed[selection].set()
                await self._follow(selection, version)
            except ApiError as refused:
                if refused.code in (401, 403, 404):
                    self._listed[selection].set()  # unreadable is as good as missing: the decision says so
                if refused.code != 410:
                    level = logging.WARNING if pause_s == FIRST_RETRY_S else logging.DEBUG
                    log.log(level, "watching %s: %s", selection, refused.cause)
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError, LookupError) as error:
                log.info("watching %s: %s", selection, error or type(error).__name__)
            lasted = asyncio.get_running_loop().time() - began > LAST_RETRY_S
            pause_s = FIRST_RETRY_S if lasted else min(pause_s * 2, LAST_RETRY_S)
            await asyncio.sleep(pause_s)

    async def _list(self, selection: Selection) -> str:
        listed = await self._client.list(
            selection.resource, selection.namespace, labels=selection.labels, fields=selection.fields
        )
        names = {obj["metadata"]["uid"] for obj in listed.items}
        for obj in self._matching(selection):
            if obj["metadata"]["uid"] not in names:
                self._gone(selection, obj)
        for obj in listed.items:
            self._put(selection, obj)
        return listed.resource_version

    async def _follow(self, selection: Selection, version: str) -> None:
        while True:
            began = asyncio.get_running_loop().time()
            stream = self._client.watch(
                selection.resource, selection.namespace, version, labels=selection.labels, fields=selection.fields
            )
            async with contextlib.aclosing(stream):
                async for event in stream:
                    version = event.object["metadata"]["resourceVersion"]
                    if event.type == "DELETED":
                        self._gone(selection, event.object)
                    elif event.type != "BOOKMARK":
                        self._put(selection, event.object)
            if asyncio.get_running_loop().time() - began < SHORTEST_S:
                await asyncio.sleep(SHORTEST_S)

    def _gone(self, selection: Selection, obj: Object) -> None:
        """Deleted, or no longer selected: an object that has only lost its label is still there for who names it."""
        by_name = named(selection.resource, selection.namespace, obj["metadata"]["name"])
        if selection != by_name and by_name in self._tasks:
            return
        if self._cache.remove(selection.resource, obj):
            self._on_change(selection.resource, obj)

    def _put(self, selection: Selection, obj: Object) -> None:
        obj.setdefault("apiVersion", selection.resource.api_version)
        obj.setdefault("kind", selection.resource.kind)
        if self._cache.put(selection.resource, obj):
            self._on_change(selection.resource, obj)
