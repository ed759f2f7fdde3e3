"""The life of the process: one port, and an orderly end.

After SIGTERM the agent is not ready but goes on answering until others have heard of it; then it takes no more
connections, finishes what is under way, and ends with exit code 0. A second signal ends it at once.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys

from aiohttp import web

from kaos.dataplane import guard
from kaos.dataplane.agent.app import Service
from kaos.dataplane.agent.settings import Settings

log = logging.getLogger("kaos.agent")

# Until endpoints and proxies have heard that a pod leaves. On one machine they hear of it at once.
FAREWELL_S, LOCAL_FAREWELL_S = 3.0, 0.1
KEEP_ALIVE_S = 75.0
BACKLOG = 1024


def listen(settings: Settings) -> socket.socket:
    """Raises OSError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)


async def serve(service: Service, settings: Settings, listening: socket.socket) -> None:
    """Until SIGTERM or SIGINT."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: sys.exit(1) if asked.is_set() else asked.set())
    runner = web.AppRunner(
        service.app(),
        handler_cancellation=True,  # who leaves ends the work that was for them
        access_log=None,
        keepalive_timeout=KEEP_ALIVE_S,
        shutdown_timeout=settings.limits.drain_s,
    )
    await runner.setup()
    site = web.SockSite(runner, listening, backlog=BACKLOG)
    await site.start()
    await asked.wait()
    log.info("leaving")
    service.leave()
    await asyncio.sleep(LOCAL_FAREWELL_S if guard.is_loopback(settings.host) else FAREWELL_S)
    await site.stop()
    await service.drain()
    await runner.cleanup()
