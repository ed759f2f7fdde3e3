"""One cluster that the console looks at: the connection, the store, the watches that fill it, and its namespace."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaos.api.names import AGENTS, MCPSERVERS, MODELAPIS
from kaos.errors import KaosError
from kaos.kube.resources import LEASES, NAMESPACES, Resource
from kaos.tui.places import Place
from kaos.tui.store import Key, Object, Store
from kaos.tui.watches import Health, Watch

if TYPE_CHECKING:
    from kaos.actions.conversation import Talk
    from kaos.cluster import Client
    from kaos.cluster.connection import Connection

ALWAYS = (MCPSERVERS, AGENTS, MODELAPIS, NAMESPACES)
_EVERYWHERE = (NAMESPACES, LEASES)


@dataclass(frozen=True)
class Target:
    """Which cluster and namespace the person asked for."""

    context: str | None = None
    kubeconfig: str | None = None
    namespace: str | None = None
    all_namespaces: bool = False
    read_only: bool = False


class Session:
    """Opened once for a context and closed as a whole. All of it belongs to the event loop, except `client`."""

    def __init__(
        self, target: Target, on_change: Callable[[set[Resource]], None], on_health: Callable[[], None]
    ) -> None:
        self.target = target
        self.namespace: str | None = target.namespace
        self.connection: Connection | None = None
        self.failure: KaosError | None = None  # why there is no connection
        self.health = Health()
        self._store = Store(on_change)
        self._on_health = on_health
        self._wanted: set[Resource] = set(ALWAYS)
        self._watches: dict[Resource, tuple[Watch, asyncio.Task[None]]] = {}
        self._stack = contextlib.AsyncExitStack()
        self._async_client: object | None = None

    @property
    def context(self) -> str:
        return self.connection.context if self.connection else self.target.context or "no cluster"

    @property
    def read_only(self) -> bool:
        return self.target.read_only

    @property
    def connected(self) -> bool:
        return self.connection is not None

    def client(self) -> Client:
        """A blocking client, for one thread. Raises NoConnection."""
        from kaos.cluster import Client

        if self.connection is None:
            raise self.failure or KaosError("The console is still connecting.", "")
        return Client(self.connection)

    def talk(self, place: Place, timeout_s: float, **asking: Any) -> Talk:
        """A conversation with the server of a place, for one thread."""
        from kaos.actions.conversation import Conversation

        return Conversation(self.client(), place.name, place.namespace or "", timeout_s, **asking)

    def objects(self, resource: Resource) -> Mapping[Key, Object]:
        """Live objects of the session's namespace, or of all."""
        return self._store.objects(resource)

    def known(self, resource: Resource) -> bool:
        return self._store.known(resource)

    async def open(self) -> None:
        """Find the cluster and begin to watch; failures are kept in `failure`."""
        try:
            self.connection = await asyncio.to_thread(self._resolve)
            self._async_client = await self._stack.enter_async_context(await asyncio.to_thread(self._make_client))
        except KaosError as error:
            self.connection, self.failure = None, error
            self._on_health()
            return
        self.failure = None
        if self.namespace is None and not self.target.all_namespaces:
            self.namespace = self.connection.namespace
        self._on_health()
        for resource in self._wanted:
            self._begin(resource)

    def _resolve(self) -> Connection:
        from kaos.cluster import resolve

        return resolve(self.target.context, self.target.kubeconfig, self.target.namespace)

    def _make_client(self) -> object:
        from kaos.cluster.aio import AsyncClient  # aiohttp takes its time, so it is loaded after the first frame

        return AsyncClient(self.connection)

    def want(self, resource: Resource) -> None:
        """Watch one more kind, from now on."""
        if resource not in self._wanted:
            self._wanted.add(resource)
            if self._async_client is not None:
                self._begin(resource)

    def _begin(self, resource: Resource) -> None:
        namespace = None if resource in _EVERYWHERE else self.namespace
        watch = Watch(self._async_client, resource, namespace, self._store, self.health, self._on_health)  # type: ignore[arg-type]
        self._watches[resource] = watch, asyncio.create_task(watch.run())

    def retry(self) -> None:
        """Do not wait any longer for what was lost."""
        for watch, _ in self._watches.values():
            watch.retry.set()

    async def look_at(self, namespace: str | None) -> None:
        """Another namespace, or all of them."""
        if namespace == self.namespace:
            return
        self.namespace = namespace
        again = [resource for resource in self._watches if resource not in _EVERYWHERE]
        await self._end(again)
        for resource in again:
            self._store.replace(resource, ())
            self.health.listed.discard(resource)
            self._begin(resource)

    async def close(self) -> None:
        self._store.close()
        await self._end(list(self._watches))
        await self._stack.aclose()

    async def _end(self, resources: list[Resource]) -> None:
        tasks = [self._watches.pop(resource)[1] for resource in resources]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def state(self) -> tuple[str, str]:
        """Tone and words for the top line."""
        if self.failure:
            return "bad", "✖ no cluster"
        if not self.connected or not (self.health.listed or self.health.lost or self.health.refused):
            return "muted", "○ connecting"
        if self.health.lost:
            age, wait = time.monotonic() - self.health.since, max(0, self.health.retry_at - time.monotonic())
            return "warn", f"◐ stale {age:.0f} s · retry {wait:.0f} s · r now"
        if not self.health.listed and self.health.refused:
            return "bad", "✖ no right to look"
        return "ok", "● live"
