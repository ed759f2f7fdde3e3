"""What an earlier daemon may have left running: found by a marker in its environment, never by a bare process id."""

from __future__ import annotations

import contextlib
import logging
import os

MARKER = "KAOS_POD_UID"  # in the environment of every process of a pod
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
            ours = process.pid != os.getpid() and process.uids().real == os.getuid()
            if ours and process.environ().get(MARKER) in uids:
                found.append(process)
    for process in found:
        with contextlib.suppress(psutil.Error):
            log.warning("ending process %d, left over from an earlier daemon", process.pid)
            process.kill()
    psutil.wait_procs(found, timeout=3)
    return len(found)
