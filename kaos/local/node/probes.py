"""Probes: asking a container over HTTP, TCP or by a command whether it started, lives and serves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

Object = dict[str, Any]

EAGER_PERIOD_S = 0.1  # until the first success: on a laptop a server is up long before a period is over
Answer = tuple[bool, str]  # passed, what was seen
OnChange = Callable[[bool, str], None]


async def once(probe: Object, session: aiohttp.ClientSession, port_of: Callable[[Any], int | None],
               execute: Callable[[list[str], float], Awaitable[int]]) -> Answer:  # fmt: skip
    """Ask once."""
    timeout_s = probe.get("timeoutSeconds", 1)
    try:
        if http := probe.get("httpGet"):
            return await _http(http, session, port_of(http["port"]), timeout_s)
        if tcp := probe.get("tcpSocket"):
            _, writer = await asyncio.wait_for(
                asyncio.open_connection("127.0.0.1", port_of(tcp["port"]) or 0), timeout_s
            )
            writer.close()
            return True, ""
        if command := probe.get("exec"):
            code = await execute(command.get("command") or [], timeout_s)
            return code == 0, f"the command ended with {code}"
    except TimeoutError:
        return False, f"no answer within {timeout_s} s"
    except (aiohttp.ClientError, OSError) as error:
        return False, str(error) or type(error).__name__
    return False, "the local node does not know this kind of probe"


async def _http(http: Object, session: aiohttp.ClientSession, port: int | None, timeout_s: float) -> Answer:
    if port is None:
        return False, f"the pod declares no port {http['port']}"
    scheme = http.get("scheme", "HTTP").lower()
    path = http.get("path") or "/"
    headers = {item["name"]: item["value"] for item in http.get("httpHeaders") or ()}
    url = f"{scheme}://127.0.0.1:{port}/{path.lstrip('/')}"
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    async with session.get(url, headers=headers, timeout=timeout, ssl=False, allow_redirects=False) as answer:
        return 200 <= answer.status < 400, f"HTTP probe failed with statuscode: {answer.status}"


class Prober:
    """Runs one probe of one container's life and tells of each change of mind."""

    def __init__(
        self,
        probe: Object,
        ask: Callable[[Object], Awaitable[Answer]],
        on_change: OnChange,
        eager: bool,
    ) -> None:
        self._probe = probe
        self._ask = ask
        self._on_change = on_change
        self._eager = eager

    async def run(self) -> None:
        """Ask for ever. While eager, more often than the period says, but a period has no more than one failure."""
        probe = self._probe
        loop = asyncio.get_running_loop()
        period_s = max(probe.get("periodSeconds", 10), 1)
        await asyncio.sleep(probe.get("initialDelaySeconds", 0))
        passed = failed = 0
        told: bool | None = None
        counts_from = loop.time()
        while True:
            good, seen = await self._ask(probe)
            if good:
                passed, failed = passed + 1, 0
            elif loop.time() >= counts_from:
                passed, failed = 0, failed + 1
                counts_from = loop.time() + period_s
            else:
                passed = 0
            if good and passed >= probe.get("successThreshold", 1) and told is not True:
                told = True
                self._on_change(True, "")
            if not good and failed >= probe.get("failureThreshold", 3) and told is not False:
                told = False
                self._on_change(False, seen)
            await asyncio.sleep(EAGER_PERIOD_S if self._eager and told is not True and not good else period_s)
