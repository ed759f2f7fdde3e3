"""`python -m kaos.dataplane.agent`: the agent that the environment describes."""

from __future__ import annotations

import os
import sys

import uvicorn

from kaos.dataplane.agent.app import Service
from kaos.dataplane.agent.settings import Settings

EX_CONFIG = 78
DRAIN_S = 25


def main() -> None:
    try:
        settings = Settings.read(os.environ)
    except ValueError as error:
        print(error, file=sys.stderr)
        sys.exit(EX_CONFIG)
    port = int(os.environ.get("PORT", "8000"))
    print(
        f"agent {settings.name}: model {settings.model}, {len(settings.servers)} tool servers, port {port}", flush=True
    )
    uvicorn.run(
        Service(settings).app(),
        host=os.environ.get("HOST", "0.0.0.0"),
        port=port,
        log_level=os.environ.get("LOG_LEVEL", "warning").lower().replace("info", "warning"),
        timeout_graceful_shutdown=DRAIN_S,
        server_header=False,
    )


if __name__ == "__main__":
    main()
