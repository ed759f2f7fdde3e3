"""What an earlier daemon may have left running: found by a marker in its environment, never by a bare process id."""

from __future__ import annotations

import contextlib
import logging

from kaos.local.node.processes import MARKER

log = logging.getLogger("kaos.local.node")


def end_leftovers(uids: set[str]) -> int:
    """Kill processes that carry the marker of one of these pods; returns how many there were.

    The shims end with their daemon, so this finds something only where one was killed together with it. psutil checks
    a process's start time before it signals, so a recycled id is never hit.
    """
    import psutil

    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.uids().real == _own_uid() and process.environ().get(MARKER) in uids:
                found.append(process)
    for process in found:
        with contextlib.suppress(psutil.Error):
            log.warning("ending process %d, left over from an earlier daemon", process.pid)
            process.kill()
    psutil.wait_procs(found, timeout=3)
    return len(found)


def _own_uid() -> int:
    import os

    return os.getuid()
