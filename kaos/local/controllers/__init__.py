"""The controllers of the local cluster: Deployments, ReplicaSets, EndpointSlices, claims, and what goes with what.

Each is level-triggered: an event only says which key to look at; the look decides. On one event loop over one store
there is no stale view, so no expectations are kept.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from kaos.local.controllers.claims import ClaimController
from kaos.local.controllers.deployments import DeploymentController
from kaos.local.controllers.endpoints import EndpointController
from kaos.local.controllers.namespaces import NamespaceController
from kaos.local.controllers.replicasets import ReplicaSetController
from kaos.local.gc import GarbageCollector
from kaos.local.machinery import Machinery


class Controllers:
    """All controllers of one cluster."""

    def __init__(self, machinery: Machinery, volumes: Path) -> None:
        self._runs = [
            GarbageCollector(machinery).run,
            DeploymentController(machinery).run,
            ReplicaSetController(machinery).run,
            EndpointController(machinery).run,
            ClaimController(machinery, volumes).run,
            NamespaceController(machinery).run,
        ]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(run()) for run in self._runs]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
