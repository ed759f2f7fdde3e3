"""`python -m kaos.dataplane.agent`: the agent that the environment describes."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from typing import NoReturn

from kaos.dataplane.agent.settings import Settings
from kaos.dataplane.serving import refuse

log = logging.getLogger("kaos.agent")


def main() -> NoReturn:
    try:
        settings = Settings.read(os.environ)
    except ValueError as error:
        refuse(error)
    _log_to_stderr(os.environ.get("LOG_LEVEL") or "INFO")
    gc.disable()  # nothing that is imported here ever becomes garbage, and looking for it takes its time
    from kaos.dataplane.agent import serving
    from kaos.dataplane.agent.app import Service
    from kaos.dataplane.agent.sessions import Sessions
    from kaos.dataplane.telemetry import CALLED, telemetry_of

    gc.freeze()
    gc.enable()
    try:
        service = Service(
            settings,
            Sessions(settings.memory),
            telemetry_of(os.environ, settings.name, CALLED),
        )
    except ValueError as error:
        refuse(error)
    try:
        listening = serving.listen(settings)
    except (OSError, OverflowError) as error:
        print(f"cannot listen on {settings.host}, port {settings.port}: {error}", file=sys.stderr)
        sys.exit(1)
    told = f"{len(settings.servers)} tool servers, {len(settings.peers)} peers, port {settings.port}"
    log.info("agent %s: model %s, %s", settings.name, settings.model, told)
    if settings.script:
        log.warning("DEBUG_MOCK_RESPONSES is set: no model is asked")
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serving.serve(service, settings, listening))
    sys.exit(0)


def _loop_factory() -> object:
    try:
        import uvloop
    except ImportError:  # where it cannot be had
        return None
    return uvloop.new_event_loop


def _log_to_stderr(level: str) -> None:
    chosen = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    logging.basicConfig(level=chosen, format="%(levelname)s %(message)s", stream=sys.stderr)
    for library in ("asyncio", "aiohttp.server", "aiohttp.client"):
        logging.getLogger(library).setLevel(chosen if chosen <= logging.DEBUG else max(chosen, logging.WARNING))


if __name__ == "__main__":
    main()
