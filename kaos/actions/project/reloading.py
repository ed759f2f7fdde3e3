"""A project's server that is started again whenever a file changes, watched by whoever looks on."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kaos.actions.project import environment, serving
from kaos.actions.project.environment import Project
from kaos.errors import KaosError, UsageError
from kaos.local.ports import free_port, is_free

LOOK_S = 0.3
LAST_WORDS = 400  # lines from which the cause of an end is told
_NOT_WATCHED = {"__pycache__", "node_modules", "build", "dist"}


@dataclass(frozen=True)
class State:
    """How the server is. `number` grows with each start; `cause` is why it does not run, if it does not."""

    number: int = 0
    url: str = ""  # while it serves
    cause: str = ""

    @property
    def serves(self) -> bool:
        return bool(self.url)


class Reloading:
    """Runs on a thread of its own from `begin` to `end`. `on_state` and `on_line` are called from threads."""

    def __init__(
        self, project: Project, port: int, on_state: Callable[[State], None], on_line: Callable[[str], None]
    ) -> None:
        if port and not is_free(port):
            raise UsageError(f"Port {port} on 127.0.0.1 is taken.", "Take another: --port PORT, or 0 for a free one")
        self.project = project
        self.port = port or free_port()
        self.state = State()
        self._on_state, self._on_line = on_state, on_line
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        """Where it serves whenever it does."""
        return serving.url(self.port)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Returns when the server has ended."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            seen = _files(self.project.root)
            self._tell(State(self.state.number + 1))
            try:
                self._serve(seen)
            except KaosError as error:
                self._broken(" ".join(filter(None, (error.cause, error.cure))))
                self._await_change(seen)

    def _serve(self, seen: dict[str, tuple[int, int]]) -> None:
        """From a start to the next change. Raises KaosError where it cannot be started."""
        place = serving.server_place(self.project)
        python = environment.python(self.project)
        process = subprocess.Popen(
            serving.command(place, python, "127.0.0.1", self.port, stateless=True),
            cwd=self.project.root,
            env=serving.variables(self.project, python),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said: list[str] = []
        assert process.stdout is not None
        reader = threading.Thread(target=self._read, args=(process.stdout, said), daemon=True)
        reader.start()
        try:
            while not self._over.wait(LOOK_S if self.state.serves else 0.05):
                if process.poll() is not None:
                    reader.join(serving.ENDING_S)
                    self._broken(serving.cause("\n".join(said), self.project.root))
                    self._await_change(seen)
                    return
                if not self.state.serves and serving.listens(self.port):
                    self._tell(State(self.state.number, self.url))
                if _files(self.project.root) != seen:
                    return
        finally:
            serving.end(process)
            reader.join(serving.ENDING_S)

    def _await_change(self, seen: dict[str, tuple[int, int]]) -> None:
        while not self._over.wait(LOOK_S) and _files(self.project.root) == seen:
            pass

    def _read(self, stream: IO[bytes], said: list[str]) -> None:
        for raw in stream:
            line = raw.decode(errors="replace").rstrip("\n")
            said.append(line)
            del said[:-LAST_WORDS]
            self._on_line(line)

    def _broken(self, cause: str) -> None:
        self._tell(State(self.state.number, cause=cause))

    def _tell(self, state: State) -> None:
        self.state = state
        self._on_state(state)


def _files(root: Path) -> dict[str, tuple[int, int]]:
    """When each file was last written, and its size."""
    return {path: (seen.st_mtime_ns, seen.st_size) for path, seen in _walk(root)}


def _walk(directory: Path | str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        entries = list(os.scandir(directory))
    except OSError:
        return  # it is gone in this moment
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _NOT_WATCHED and not entry.name.startswith("."):
                yield from _walk(entry.path)
        elif entry.name == ".env" or not entry.name.startswith("."):
            try:
                yield entry.path, entry.stat()
            except OSError:
                continue
