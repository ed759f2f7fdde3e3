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


class Backend(Protocol):
    """Runs the containers of one pod."""

    async def open(self) -> None: ...
    async def start(self, launch: Launch) -> str: ...
    def signal(self, name: str, number: int) -> None: ...
    async def exec(self, launch: Launch, argv: list[str], timeout_s: float) -> int: ...
    def memory(self, name: str) -> int | None: ...
    async def close(self) -> None: ...
