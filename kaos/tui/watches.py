"""One watch a kind: listed, then followed, for as long as the console looks; what is lost is found again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kaos.errors import KaosError
from kaos.kube.resources import Resource
from kaos.tui.store import Store

if TYPE_CHECKING:
    from kaos.cluster.aio import AsyncClient

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 8.0
_REFUSED_PAUSE_S = 30.0
_GONE = 410


@dataclass
class Health:
    """How the watches are: what the top line tells."""

    listed: set[Resource] = field(default_factory=set)
    lost: dict[Resource, str] = field(default_factory=dict)  # kind -> why
    refused: dict[Resource, str] = field(default_factory=dict)
    missing: set[Resource] = field(default_factory=set)  # kinds that the cluster does not have
    since: float = 0.0  # when the first was lost, monotonic
    retry_at: float = 0.0

    @property
    def live(self) -> bool:
        return bool(self.listed) and not self.lost


class Watch:
    """One kind in one namespace or all of them; `run` ends only by cancelling."""

    def __init__(
        self,
        client: AsyncClient,
        resource: Resource,
        namespace: str | None,
        store: Store,
        health: Health,
        on_health: Callable[[], None],
    ) -> None:
        self._client = client
        self._resource = resource
        self._namespace = namespace if resource.namespaced else None
        self._store = store
        self._health = health
        self._on_health = on_health
        self.retry = asyncio.Event()  # set: do not wait any longer

    async def run(self) -> None:
        import aiohttp

        pause, version = _FIRST_PAUSE_S, ""
        while True:
            try:
                if not version:
                    version = await self._list()
                    pause = _FIRST_PAUSE_S
                version = await self._follow(version)
                continue
            except (KaosError, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                version = ""  # listed anew: that also tells at once that the server is back
                if getattr(error, "code", None) == _GONE:
                    continue
                wait_s = self._note(error, pause)
            await self._wait(wait_s)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def _list(self) -> str:
        found = await self._client.list(self._resource, self._namespace)
        self._store.replace(self._resource, found.items)
        self._found_again()
        return found.resource_version

    async def _follow(self, version: str) -> str:
        async for event in self._client.watch(self._resource, self._namespace, version):
            self._found_again()
            version = event.object["metadata"]["resourceVersion"]
            if event.type == "DELETED":
                self._store.drop(self._resource, event.object)
            elif event.type != "BOOKMARK":
                self._store.put(self._resource, event.object)
        return version

    def _found_again(self) -> None:
        health, resource = self._health, self._resource
        if resource in health.listed and resource not in health.lost:
            return
        health.listed.add(resource)
        health.refused.pop(resource, None)
        health.missing.discard(resource)
        health.lost.pop(resource, None)
        self._on_health()

    def _note(self, error: Exception, pause: float) -> float:
        """Tell the health of it; how long to wait."""
        health, resource, code = self._health, self._resource, getattr(error, "code", None)
        if code in (401, 403):
            health.refused[resource] = str(error)
            pause = _REFUSED_PAUSE_S
        elif code == 404:
            health.missing.add(resource)
            self._store.replace(resource, ())
            pause = _LONGEST_PAUSE_S
        else:
            if not health.lost:
                health.since = time.monotonic()
            health.lost[resource] = str(getattr(error, "cause", "") or error) or type(error).__name__
            health.retry_at = time.monotonic() + pause
        self._on_health()
        return pause

    async def _wait(self, seconds: float) -> None:
        self.retry.clear()
        try:
            await asyncio.wait_for(self.retry.wait(), seconds)
        except TimeoutError:
            pass
