"""The operator as a whole: wait for the lead, reconcile for as long as it lasts, and again when it comes back.

The same code runs in the local daemon, alone against any kubeconfig (`kaos operator run`) and in a pod.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import aiohttp

import kaos
from kaos.api.names import LEASE_NAMESPACES, LEASE_PLACE, LEASE_VERSION, MCPSERVERS, REGISTRY_CONFIGMAP
from kaos.cluster.aio import AsyncClient
from kaos.cluster.connection import IN_CLUSTER, Connection
from kaos.cluster.errors import ApiError
from kaos.errors import NoConnection, NotFound
from kaos.kube.resources import CONFIGMAPS, NAMESPACES
from kaos.operator import probes
from kaos.operator.decide.world import Settings
from kaos.operator.lease import Lease, lease_name, own_identity
from kaos.operator.term import Term
from kaos.operator.watch import DEAD_S

log = logging.getLogger("kaos.operator")

RETRY_S = 3.0
HOPELESS_S = 3 * DEAD_S  # watches that do not come back in so long need another process
# An API server takes objects nested 10,000 deep; one of them must not keep us from reading all the others.
DEEPEST_JSON = 25_000
INSTALL = "Install it: kaos system install --no-operator"


def run(
    connection: Connection,
    *,
    stop: threading.Event,
    ready: threading.Event,
    namespaces: tuple[str, ...] = (),
    settings: Settings | None = None,
    identity: str | None = None,
    on_waiting: Callable[[str], None] = lambda holder: None,
    probe_port: int | None = None,
) -> None:
    """Run until `stop` is set; blocks. `ready` is set once resources are being reconciled.

    Without `namespaces` all of them. `identity` is who we are in the Lease: one that stays the same across restarts
    takes its own Lease back at once. `on_waiting` is told who leads while we stand by; the kubelet's probes are
    answered on `probe_port`. Raises NoConnection when the cluster does not answer at the start, NotFound when KAOS is
    not installed there, ApiError when rights are missing.
    """
    sys.setrecursionlimit(max(sys.getrecursionlimit(), DEEPEST_JSON))
    operator = Operator(connection, namespaces, settings or Settings(), identity or own_identity(), on_waiting)
    asyncio.run(operator.run(stop, ready, probe_port))


class Operator:
    """One operator process."""

    def __init__(
        self,
        connection: Connection,
        namespaces: tuple[str, ...],
        settings: Settings,
        identity: str,
        on_waiting: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._namespaces = namespaces
        self._settings = settings
        self._identity = identity
        self._on_waiting = on_waiting
        self._term: Term | None = None  # while we lead

    async def run(self, stop: threading.Event, ready: threading.Event, probe_port: int | None = None) -> None:
        stopped = _as_asyncio(stop)
        async with AsyncClient(self._connection) as client:
            name = lease_name(self._namespaces)
            system = self._settings.system_namespace
            lease = Lease(client, system, name, self._identity, self._on_waiting, self._about())

            def is_ready() -> bool:
                return lease.known and (self._leads_well() or not lease.leading.is_set())

            async with probes.served(probe_port, self._is_live, is_ready):
                await check_installed(client, system, self._namespaces)
                await self._keep_leading(client, lease, stopped, ready)

    def _leads_well(self) -> bool:
        return self._term is not None and self._term.watches_all

    def _is_live(self) -> bool:
        return self._term is None or self._term.unwatched_s < HOPELESS_S

    async def _keep_leading(
        self, client: AsyncClient, lease: Lease, stopped: asyncio.Event, ready: threading.Event
    ) -> None:
        keeping = asyncio.create_task(lease.keep())
        try:
            while not stopped.is_set():
                await _first(lease.leading.wait(), stopped.wait())
                if not stopped.is_set():
                    await _first(self._lead(client, ready), lease.lost.wait(), stopped.wait())
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    def _about(self) -> dict[str, str]:
        place = "cluster" if self._connection.context == IN_CLUSTER else "process"
        return {LEASE_VERSION: kaos.__version__, LEASE_NAMESPACES: ",".join(self._namespaces), LEASE_PLACE: place}

    async def _lead(self, client: AsyncClient, ready: threading.Event) -> None:
        """Reconcile until cancelled, or until the cluster cannot be read."""
        try:
            self._term = Term(client, self._namespaces, self._settings)
            async with self._term.running():
                ready.set()
                await asyncio.Event().wait()
        except (ApiError, aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("cannot read the cluster: %s; again in %.0f s", error or type(error).__name__, RETRY_S)
            await asyncio.sleep(RETRY_S)
        except Exception:
            log.exception("a defect in KAOS; again in %.0f s", RETRY_S)
            await asyncio.sleep(RETRY_S)
        finally:
            self._term = None
            ready.clear()


async def check_installed(client: AsyncClient, system_namespace: str, namespaces: tuple[str, ...] = ()) -> None:
    """Raises NotFound for what is missing on a bare cluster, NoConnection when nobody answers."""
    where = f"{client.connection.server} (context {client.connection.context})"
    try:
        try:
            await client.list(MCPSERVERS, namespaces[0] if namespaces else None)
        except ApiError as refused:
            if refused.code != 404:
                raise
            raise NotFound(f"The cluster at {where} knows no MCPServers.", INSTALL) from None
        if await _is_missing(client, system_namespace):
            raise NotFound(f"The cluster at {where} has no namespace {system_namespace}.", INSTALL)
        if await client.find(CONFIGMAPS, REGISTRY_CONFIGMAP, system_namespace) is None:
            raise NotFound(
                f"The runtime registry, ConfigMap {system_namespace}/{REGISTRY_CONFIGMAP}, is missing.", INSTALL
            )
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise NoConnection(f"No answer from {where}: {error}.", "Is the cluster up?") from None


async def _is_missing(client: AsyncClient, namespace: str) -> bool:
    try:
        return await client.find(NAMESPACES, namespace) is None
    except ApiError as refused:
        if refused.code == 403:  # an operator of some namespaces need not know of others
            return False
        raise


def _as_asyncio(event: threading.Event) -> asyncio.Event:
    """Follows `event` on the running loop, from a thread that never holds up the process."""
    follower, loop = asyncio.Event(), asyncio.get_running_loop()

    def wait() -> None:
        event.wait()
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(follower.set)

    threading.Thread(target=wait, name="stop", daemon=True).start()
    return follower


async def _first(*waits: Any) -> None:
    """Return once one of them is done and the others have ended; what it raises is raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled():
            task.result()
