"""One daemon a data directory, held by a file lock that dies with its holder."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from kaos.errors import KaosError

LOCK_FILE = "lock"


class DirectoryLock:
    """An exclusive lock on a data directory for as long as this process lives."""

    def __init__(self, directory: Path) -> None:
        import fcntl

        self._descriptor = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = holder(directory)
            os.close(self._descriptor)
            raise KaosError(
                f"A local cluster already runs in {directory} (pid {pid}).", "Use it, or stop it: kaos local down"
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, str(os.getpid()).encode())

    def release(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._descriptor)


def holder(directory: Path) -> int | None:
    """The process that holds the directory, or None. A stale file of a dead daemon is no holder."""
    import fcntl

    try:
        with (directory / LOCK_FILE).open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return int(file.read() or 0)
            return None
    except (OSError, ValueError):
        return None
