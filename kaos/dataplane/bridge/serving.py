"""The life of the process: one port, and an orderly end.

After SIGTERM the bridge is not ready but goes on answering until others have heard of it; then it takes no more
connections, finishes what is under way, ends the server's processes, and itself with exit code 0.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import signal
import socket
import sys
from collections.abc import Callable

from aiohttp import web

from kaos.dataplane import egress, guard
from kaos.dataplane.bridge.app import Bridge
from kaos.dataplane.bridge.processes import Shared
from kaos.dataplane.bridge.settings import Settings
from kaos.dataplane.bridge.upstream import Relay
from kaos.dataplane.serving import DRAIN_S, KEEP_ALIVE_S

# Until endpoints and proxies have heard that a pod leaves. On one machine they hear of it at once.
FAREWELL_S, LOCAL_FAREWELL_S = 3.0, 0.1
BACKLOG = 1024


class GivenUp(Exception):
    """The server cannot be started; with the exit code of its last process."""

    def __init__(self, why: str, code: int | None) -> None:
        super().__init__(why)
        self.code = code


def run(settings: Settings, on_listening: Callable[[str], None]) -> signal.Signals:
    """Serve until SIGTERM or SIGINT, which is returned; `on_listening` is told the address. Raises OSError for one that
    is taken, and GivenUp."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    host = f"[{settings.host}]" if family is socket.AF_INET6 else settings.host
    on_listening(f"http://{host}:{listening.getsockname()[1]}{settings.path}")
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(settings, listening))


async def _serve(settings: Settings, listening: socket.socket) -> signal.Signals:
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[signal.Signals] = loop.create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        # A second one ends it at once.
        loop.add_signal_handler(number, lambda it=number: sys.exit(1) if asked.done() else asked.set_result(it))
    exits = egress.Guard(settings.egress)
    if settings.egress_port is not None:
        way = egress.environment(await exits.start(settings.egress_port))
        settings = dataclasses.replace(settings, env=settings.env | way)
    bridge = Relay(settings) if settings.upstream else Bridge(settings)
    if settings.give_up:
        bridge.shared.on_failure = lambda: _consider(bridge.shared, settings.give_up, asked)
    runner = web.AppRunner(
        bridge.app(),
        handler_cancellation=True,  # who leaves ends the work that was for them
        access_log=None,
        keepalive_timeout=KEEP_ALIVE_S,
        shutdown_timeout=DRAIN_S,
    )
    await runner.setup()
    site = web.SockSite(runner, listening, backlog=BACKLOG)
    await site.start()
    await asyncio.wait([asked])
    logging.getLogger("kaos.bridge").info("leaving")
    bridge.leave()
    if asked.exception() is None:
        await asyncio.sleep(LOCAL_FAREWELL_S if guard.is_loopback(settings.host) else FAREWELL_S)
    await site.stop()
    await runner.cleanup()
    await exits.stop()
    return asked.result()


def _consider(shared: Shared, give_up: int, asked: asyncio.Future[signal.Signals]) -> None:
    if shared.failures >= give_up and not asked.done():
        asked.set_exception(GivenUp(shared.why_not, shared.exit_code))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # where it cannot be had
        return None
    return uvloop.new_event_loop
