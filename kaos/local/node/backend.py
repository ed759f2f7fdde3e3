"""What runs a pod's containers: processes of this machine, or Docker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

OnExit = Callable[[str, int], None]  # container, exit code (128 + signal when one ended it)


@dataclass(frozen=True)
class Launch:
    """A container that is about to start, with everything resolved."""

    name: str
    argv: list[str]  # processes: the whole command; Docker: the override of the image's, often empty
    env: dict[str, str]
    cwd: Path | None
    log: Path
    image: str = ""
    args: list[str] = field(default_factory=list)  # Docker: arguments when the image's entrypoint stands
    ports: dict[int, int] = field(default_factory=dict)  # container port -> port on 127.0.0.1
    mounts: dict[str, tuple[Path, bool]] = field(default_factory=dict)  # path inside -> (path here, read-only)
    memory_bytes: int | None = None
    user: str | None = None


class ExecFailed(Exception):
    """The container could not be started; the text says why."""


class NoImage(Exception):
    """There is nothing to start the container from, for now; `reason` is the one that its status shows."""

    def __init__(self, reason: str, why: str) -> None:
        super().__init__(why)
        self.reason = reason


class Backend(Protocol):
    """Runs the containers of one pod."""

    watches_memory: bool  # whether `memory` tells something

    async def start(self, launch: Launch) -> str:
        """Start the container; returns its id. Raises ExecFailed and NoImage."""

    def signal(self, name: str, number: int) -> None:
        """Send a signal to the container, if it runs."""

    async def exec(self, launch: Launch, argv: list[str], timeout_s: float) -> int:
        """The exit code of a command beside the container. Raises ExecFailed and TimeoutError."""

    def memory(self, name: str) -> int | None:
        """Resident bytes of the container."""

    async def close(self) -> None:
        """End everything at once."""
