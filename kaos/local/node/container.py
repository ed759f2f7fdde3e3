"""What is known of one container, and how a pod's status tells it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from kaos.kube import times
from kaos.local.node.backend import Launch

Object = dict[str, Any]


@dataclass
class Container:
    """One container through all its lives."""

    spec: Object
    init: bool = False
    state: Object = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last_state: Object = field(default_factory=dict)
    restarts: int = 0
    failures: int = 0  # in a row, for the back-off
    id: str = ""
    ready: bool = False
    started: bool = False
    exited: asyncio.Future[int] | None = None
    killed_for: str = ""  # OOMKilled
    launch: Launch | None = None
    has_started: asyncio.Event = field(default_factory=asyncio.Event)  # once, for the containers after a sidecar
    _ended: Object | None = None  # how the last life ended, until the next one begins

    @property
    def name(self) -> str:
        return self.spec["name"]

    @property
    def sidecar(self) -> bool:
        return self.init and self.spec.get("restartPolicy") == "Always"

    @property
    def done(self) -> bool:
        return self.state.get("terminated", {}).get("exitCode") == 0

    @property
    def alive(self) -> bool:
        return self.exited is not None and not self.exited.done()

    @property
    def running(self) -> bool:
        return self.alive and "running" in self.state

    @property
    def has_run(self) -> bool:
        return "running" in self.state or self._ended is not None or self.restarts > 0

    def remember(self, status: Object) -> None:
        """Carry the counts over from before this daemon."""
        ran = "running" in status["state"] or "terminated" in status["state"]
        self.restarts = status["restartCount"] + (1 if ran else 0)
        self.last_state = status.get("lastState") or {}

    def wait_for(self, reason: str, message: str) -> bool:
        """Be waiting; tells whether that is news."""
        wanted = {"waiting": {"reason": reason, "message": message}}
        changed, self.state = self.state != wanted, wanted
        self.exited = None
        return changed

    def begin_anew(self) -> None:
        """A new life is about to begin."""
        if self._ended is not None:
            self.last_state, self._ended = self._ended, None
            self.restarts += 1
        self.exited = asyncio.get_running_loop().create_future()
        self.killed_for = ""

    def run(self, identity: str) -> None:
        self.id = identity
        self.state = {"running": {"startedAt": times.now()}}

    def end(self, code: int, reason: str, message: str = "") -> None:
        """The life is over."""
        began = self.state.get("running", {}).get("startedAt") or times.now()
        told = {"exitCode": code, "reason": reason, "startedAt": began, "finishedAt": times.now()}
        told |= {"message": message} if message else {}
        told |= {"containerID": self.id} if self.id else {}
        self.ready = self.started = False
        self.state = self._ended = {"terminated": told}
        if self.exited is not None and not self.exited.done():
            self.exited.cancel()

    def status(self) -> Object:
        last = self._ended if self._ended is not None and "waiting" in self.state else self.last_state
        status = {
            "name": self.name,
            "state": self.state,
            "lastState": last,
            "ready": self.ready or (self.init and self.done),
            "started": self.started,
            "restartCount": self.restarts,
            "image": self.spec.get("image") or "",
            "imageID": "",
        }
        return status | ({"containerID": self.id} if self.id else {})
