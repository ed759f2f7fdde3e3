"""A stdio MCP server on an address of this machine: the bridge that runs in pods, in this process."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence

from kaos.errors import UsageError

LOOPBACK = "127.0.0.1"


def serve(command: Sequence[str], port: int, isolation: str, on_ready: Callable[[str], None]) -> None:
    """Serve until interrupted; `on_ready` gets the URL. Raises UsageError: no such program, the port is taken."""
    if shutil.which(command[0]) is None:
        raise UsageError(
            f"There is no program {command[0]}.", "Give the server's command as you would run it yourself."
        )
    from kaos.dataplane.bridge.serving import run
    from kaos.dataplane.bridge.settings import TOKEN, Settings, server_env
    from kaos.dataplane.faults import worded

    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    token = os.environ.get(TOKEN, "")
    settings = Settings(tuple(command), server_env(os.environ), LOOPBACK, port, token, isolation=isolation)
    try:
        ended_by = run(settings, on_ready)
    except OSError as error:
        raise UsageError(f"Port {port} on {LOOPBACK}: {worded(error)}.", "Take another: --port PORT") from None
    if ended_by is signal.SIGINT:
        raise KeyboardInterrupt
