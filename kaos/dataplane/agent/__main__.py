"""`python -m kaos.dataplane.agent`: the agent that the environment describes."""

from __future__ import annotations

import os

from kaos.dataplane.agent.app import Service
from kaos.dataplane.agent.settings import Settings
from kaos.dataplane.serving import refuse, serve


def main() -> None:
    try:
        settings = Settings.read(os.environ)
    except ValueError as error:
        refuse(error)
    port = int(os.environ.get("PORT", "8000"))
    print(
        f"agent {settings.name}: model {settings.model}, {len(settings.servers)} tool servers, port {port}", flush=True
    )
    serve(Service(settings).app(), port)


if __name__ == "__main__":
    main()
