"""kopf: the watches. Its handlers put what they see into the cache and the queue, and do nothing else.

It runs on a thread and event loop of its own, because it cancels every task of its loop when it ends; and it does end,
on an error event or a run of 5xx: then it is started again. Nothing is ever written by it: no annotations, finalizers,
progress or events.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import kopf

from kaos.api.names import AGENTS, MCPSERVERS, MODELAPIS, PART_OF
from kaos.cluster.connection import Connection
from kaos.kube.resources import (
    DEPLOYMENTS,
    HTTPROUTES,
    NETWORKPOLICIES,
    PERSISTENTVOLUMECLAIMS,
    PODS,
    SERVICEACCOUNTS,
    SERVICES,
    Resource,
)
from kaos.operator.decide.world import Settings

Object = dict[str, Any]
log = logging.getLogger("kaos.operator")

CHILDREN = (DEPLOYMENTS, SERVICES, NETWORKPOLICIES, HTTPROUTES)
_LABELLED = (*CHILDREN, PERSISTENTVOLUMECLAIMS, PODS)

STREAM_S = 50  # a watch is asked for anew after so long: the sign of life that health looks for
SILENT_S = 70  # without any event or bookmark a stream counts as dead
DEAD_S = 180  # a kind whose watch was not asked for in so long is not being watched
FIRST_RETRY_S, LAST_RETRY_S = 1.0, 15.0
ENDING_S = 1.0

OnEvent = Callable[[Resource, Object, bool], None]  # the object, and whether it has gone
OnListed = Callable[[Resource], None]


def watched(settings: Settings) -> tuple[Resource, ...]:
    """The kinds that decisions depend on."""
    routes = (HTTPROUTES,) if settings.gateway else ()
    declared = (MCPSERVERS, MODELAPIS, AGENTS)
    return (*declared, DEPLOYMENTS, SERVICES, NETWORKPOLICIES, PERSISTENTVOLUMECLAIMS, PODS, SERVICEACCOUNTS, *routes)


def selector(resource: Resource) -> str | None:
    """Which objects of the resource matter, as the server is asked to select them."""
    return f"{PART_OF}=kaos" if resource in _LABELLED else None


class Watcher:
    """Supervises kopf on its own thread. `on_event` and `on_listed` are called on that thread.

    `on_listed` is called as a watch begins anew by a list: what was deleted in between, no event tells.
    """

    def __init__(
        self,
        connection: Connection,
        resources: tuple[Resource, ...],
        namespaces: tuple[str, ...],
        on_event: OnEvent,
        on_listed: OnListed,
        asked: dict[str, float],
    ) -> None:
        """`asked` is kept up to date: plural -> when a watch on it was last asked for."""
        self._connection = connection
        self._resources = resources
        self._namespaces = namespaces
        self._on_event = on_event
        self._on_listed = on_listed
        self._stop = threading.Event()
        self._end: Callable[[], None] = lambda: None  # of the kopf that runs at present
        self._thread = threading.Thread(target=self._supervise, name="kopf", daemon=True)
        self._asked = asked
        self._started = time.monotonic()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Blocks until kopf has ended, some tenths of a second."""
        self._stop.set()
        self._end()
        if self._thread.ident is not None:
            self._thread.join(10)

    def dead(self) -> list[str]:
        """The kinds that are not being watched, however alive the thread looks."""
        oldest = time.monotonic() - DEAD_S
        return [r.plural for r in self._resources if max(self._asked.get(r.plural, 0), self._started) < oldest]

    def _supervise(self) -> None:
        pause_s = FIRST_RETRY_S
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                asyncio.run(self._run())
            except Exception as error:
                log.warning("the watches ended: %s: %s", type(error).__name__, error)
                log.debug("", exc_info=error)
            if self._stop.is_set():
                return
            pause_s = FIRST_RETRY_S if time.monotonic() - began > LAST_RETRY_S else min(pause_s * 2, LAST_RETRY_S)
            log.warning("starting the watches again in %.0f s", pause_s)
            self._stop.wait(pause_s)

    async def _run(self) -> None:
        logging.getLogger("kopf").setLevel(logging.WARNING)
        for said_by_us in ("running", "orchestration"):
            logging.getLogger(f"kopf._core.reactor.{said_by_us}").setLevel(logging.CRITICAL)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_note)
        async with contextlib.AsyncExitStack() as sessions:
            scope: dict[str, Any] = {"namespaces": self._namespaces} if self._namespaces else {"clusterwide": True}
            ending = asyncio.Event()
            registry = self._registry(sessions, ending)
            # Without an identity it looks for its user's name, and a user in a pod has none.
            work = asyncio.create_task(
                kopf.operator(registry=registry, settings=self._settings(), standalone=True, identity="kaos", **scope)
            )
            # Not by kopf's stop_flag: a threading.Event is waited for on a thread that keeps a kopf that has failed
            # from ever ending, and an asyncio.Event right after the start takes five seconds to be heard.
            self._end = lambda: _call(loop, work.cancel)
            if self._stop.is_set():
                work.cancel()
            insisting = asyncio.create_task(_insist_on_the_end(ending, {asyncio.current_task(), work}))
            try:
                with contextlib.suppress(asyncio.CancelledError):
                    await work
            finally:
                insisting.cancel()

    def _session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=64, ssl=self._connection.ssl_context or False)
        return aiohttp.ClientSession(connector=connector, trace_configs=[self._trace()])

    def _trace(self) -> aiohttp.TraceConfig:
        """Notes each list and watch that the server accepts, and gives every request the credentials of the moment."""
        trace = aiohttp.TraceConfig()

        async def authorize(_: Any, context: SimpleNamespace, params: aiohttp.TraceRequestStartParams) -> None:
            params.headers.update(self._connection.headers())

        async def note(_: Any, context: SimpleNamespace, params: aiohttp.TraceRequestEndParams) -> None:
            plural = params.url.path.rpartition("/")[2]
            if not params.response.ok:
                return
            if params.url.query.get("watch"):
                self._asked[plural] = time.monotonic()
            elif listed := next((one for one in self._resources if one.plural == plural), None):
                self._on_listed(listed)

        trace.on_request_start.append(authorize)
        trace.on_request_end.append(note)
        return trace

    def _registry(self, sessions: contextlib.AsyncExitStack, ending: asyncio.Event) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.cleanup(registry=registry, id="ending")
        async def note_the_end(**_: Any) -> None:
            ending.set()

        @kopf.on.login(registry=registry, id="login")
        async def login(**_: Any) -> kopf.AiohttpSession:
            # A new one each time: kopf closes the one that it no longer trusts.
            session = await sessions.enter_async_context(self._session())
            return kopf.AiohttpSession(server=self._connection.server, aiohttp_session=session)

        for resource in self._resources:
            self._watch(registry, resource)
        return registry

    def _watch(self, registry: kopf.OperatorRegistry, resource: Resource) -> None:
        async def seen(event: Any, **_: Any) -> None:
            obj = dict(event["object"])
            obj.setdefault("apiVersion", resource.api_version)
            obj.setdefault("kind", resource.kind)
            self._on_event(resource, obj, event["type"] == "DELETED")

        kopf.on.event(resource.group, resource.version, resource.plural, registry=registry, id=resource.plural)(seen)

    def _settings(self) -> kopf.OperatorSettings:
        settings = kopf.OperatorSettings()
        settings.posting.enabled = False
        settings.process.ultimate_exiting_timeout = None  # it would kill the process that it is a guest of
        settings.scanning.disabled = True  # the kinds are known, and are there before we start
        settings.watching.server_timeout = STREAM_S
        settings.watching.client_timeout = SILENT_S + STREAM_S
        settings.watching.inactivity_timeout = SILENT_S
        settings.queueing.idle_timeout = 1.0
        for resource in self._resources:
            if labels := selector(resource):
                settings.watching.label_selectors[resource.group, resource.version, resource.plural] = labels
        return settings


async def _insist_on_the_end(ending: asyncio.Event, others: set[asyncio.Task[Any] | None]) -> None:
    """Cancel what outlives kopf's end: a watch of it may swallow the one cancellation, and then nothing ever ends."""
    await ending.wait()
    while True:
        await asyncio.sleep(ENDING_S)
        for task in asyncio.all_tasks() - others - {asyncio.current_task()}:
            task.cancel()


def _note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What kopf leaves lying about when it fails; that it failed is told by its end."""
    log.debug("kopf: %s: %s", context.get("message"), context.get("exception"))


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[], Any]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(function)
