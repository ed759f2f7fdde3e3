"""The work queue: keys of resources to look at, each at most once at a time, a failing one later and later."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Hashable

log = logging.getLogger("kaos.operator")

FIRST_BACKOFF_S = 0.5
LAST_BACKOFF_S = 45.0


class Queue:
    """Keys in the order in which they came. A key that is added while it is worked on is worked on again after."""

    def __init__(self, work: Callable[[Hashable], Awaitable[None]], workers: int = 16) -> None:
        self._work = work
        self._count = workers
        self._waiting: dict[Hashable, None] = {}
        self._busy: set[Hashable] = set()
        self._again: set[Hashable] = set()
        self._failures: dict[Hashable, int] = {}
        self._timers: dict[Hashable, asyncio.TimerHandle] = {}
        self._filled = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._worker(), name=f"worker {n}") for n in range(self._count)]

    async def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def add(self, key: Hashable) -> None:
        if key in self._busy:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = None
            self._filled.set()

    def add_after(self, key: Hashable, delay_s: float) -> None:
        """Add later; the earlier of two times counts."""
        when = asyncio.get_running_loop().time() + delay_s
        timer = self._timers.get(key)
        if timer is not None and timer.when() <= when:
            return
        if timer is not None:
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_at(when, self._due, key)

    def _due(self, key: Hashable) -> None:
        self._timers.pop(key, None)
        self.add(key)

    async def _worker(self) -> None:
        while True:
            while not self._waiting:
                self._filled.clear()
                await self._filled.wait()
            key = next(iter(self._waiting))
            del self._waiting[key]
            self._busy.add(key)
            try:
                await self._work(key)
                self._failures.pop(key, None)
            except Exception as error:  # one resource's failure is never another's
                self._retry(key, error)
            finally:
                self._busy.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)

    def _retry(self, key: Hashable, error: Exception) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay_s = min(FIRST_BACKOFF_S * 2 ** min(failures - 1, 10), LAST_BACKOFF_S) * random.uniform(0.8, 1.2)
        if failures == 1:
            log.info("%s: %s; again in %.1f s", _name(key), error, delay_s)
        else:
            log.warning("%s failed %d times: %s; again in %.0f s", _name(key), failures, error, delay_s)
        log.debug("%s", _name(key), exc_info=error)
        if key in self._again:  # something new is known, but a pass that undoes itself must not spin
            self._again.discard(key)
            delay_s = min(delay_s, FIRST_BACKOFF_S)
        self.add_after(key, delay_s)


def _name(key: Hashable) -> str:
    return "/".join(str(part) for part in key) if isinstance(key, tuple) else str(key)
