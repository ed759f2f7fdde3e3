"""One container while it lives: whether it started, serves, still lives and keeps within its memory."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

import aiohttp

from kaos.local.node import probes
from kaos.local.node.backend import Backend, ExecFailed
from kaos.local.node.container import Container

Object = dict[str, Any]
WATCH_MEMORY_S = 1.0


class Health:
    """Runs the probes of one life of a container; `changed` and `unhealthy` are told what they find."""

    def __init__(
        self,
        container: Container,
        ports: dict[int, int],
        http: aiohttp.ClientSession,
        backend: Backend,
        changed: Callable[[], None],
        unhealthy: Callable[[str, str, bool], None],  # which probe, what it saw, whether the container must end
    ) -> None:
        self._container = container
        self._ports = ports
        self._http = http
        self._backend = backend
        self._changed = changed
        self._unhealthy = unhealthy
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        spec = self._container.spec
        if spec.get("startupProbe"):
            self._probe(spec["startupProbe"], self._startup_told, eager=True)
        else:
            self._begin()
        if self._container.launch.memory_bytes and self._backend.watches_memory:
            self._tasks.append(asyncio.create_task(self._watch_memory()))

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _begin(self) -> None:
        """The container has started: from now on liveness and readiness count."""
        spec, container = self._container.spec, self._container
        container.started = True
        container.has_started.set()
        if spec.get("readinessProbe"):
            self._probe(spec["readinessProbe"], self._readiness_told, eager=True)
        else:
            container.ready = True
        if spec.get("livenessProbe"):
            self._probe(spec["livenessProbe"], partial(self._told, "Liveness"), eager=False)

    def _probe(self, probe: Object, told: probes.OnChange, eager: bool) -> None:
        self._tasks.append(asyncio.create_task(probes.Prober(probe, self._ask, told, eager).run()))

    async def _ask(self, probe: Object) -> probes.Answer:
        async def execute(argv: list[str], timeout_s: float) -> int:
            return await self._backend.exec(self._container.launch, argv, timeout_s)

        try:
            return await probes.once(probe, self._http, self._port, execute)
        except ExecFailed as error:
            return False, str(error)

    def _port(self, port: Any) -> int | None:
        """Where on this machine the container serves a port given by number or name."""
        declared = self._container.spec.get("ports") or ()
        number = next((p["containerPort"] for p in declared if p.get("name") == port), port)
        return self._ports.get(int(number)) if str(number).isdecimal() else None

    def _startup_told(self, good: bool, seen: str) -> None:
        if good:
            self._begin()
            self._changed()
        else:
            self._unhealthy("Startup", seen, True)

    def _readiness_told(self, good: bool, seen: str) -> None:
        self._container.ready = good
        if not good:
            self._unhealthy("Readiness", seen, False)
        self._changed()

    def _told(self, which: str, good: bool, seen: str) -> None:
        if not good:
            self._unhealthy(which, seen, True)

    async def _watch_memory(self) -> None:
        """End a container that outgrows its limit; the kernel's own limits need rights that a laptop does not give."""
        container = self._container
        while True:
            await asyncio.sleep(WATCH_MEMORY_S)
            used = await asyncio.to_thread(self._backend.memory, container.name)
            if used is not None and used > container.launch.memory_bytes:
                container.killed_for = "OOMKilled"
                self._backend.signal(container.name, signal.SIGKILL)
