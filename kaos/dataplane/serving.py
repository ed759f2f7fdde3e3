"""How everything in a pod serves HTTP: one port, quiet logs, requests finished before the end."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, NoReturn

DRAIN_S = 25
KEEP_ALIVE_S = 75  # longer than our clients keep a connection, so that none is closed under a request
# sysexits(3): the operator reads them as a fault of the configuration, and as models that it lacks.
EX_CONFIG, EX_UNAVAILABLE = 78, 69


def serve(app: Any, port: int) -> None:
    """Serve until SIGTERM, then finish what is under way; exit code 0."""
    import uvicorn  # what only reads this module's constants goes without

    # uvicorn gives the signal back when it has drained: an end that was asked for is a good one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        app,
        host=os.environ.get("HOST", "0.0.0.0"),
        port=port,
        log_level="warning",
        timeout_graceful_shutdown=DRAIN_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        server_header=False,
    )


def refuse(why: object, code: int = EX_CONFIG) -> NoReturn:
    """End because the configuration is at fault."""
    print(why, file=sys.stderr)
    sys.exit(code)
