"""When to shake hands: as a pod becomes ready or its container is started anew, and from time to time after that.

Never inside a reconciling pass, so that a server that hangs delays nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kaos.cluster.aio import AsyncClient
from kaos.operator.conversations import converse
from kaos.operator.decide import health
from kaos.operator.decide.world import Ask, Handshake

AT_ONCE = 64
RENEW_S = 60.0
FIRST_RETRY_S = 1.0


class Handshakes:
    """The newest answer of each pod, and the conversations that are under way."""

    def __init__(self, client: AsyncClient, on_answer: Callable[[object], None]) -> None:
        self._client = client
        self._on_answer = on_answer  # told the key whose pod has answered
        self._room = asyncio.Semaphore(AT_ONCE)
        self._answers: dict[object, dict[str, Handshake]] = {}  # key -> pod identity -> answer
        self._asked: dict[tuple[object, str], float] = {}  # when
        self._failures: dict[tuple[object, str], int] = {}
        self._tasks: dict[tuple[object, str], asyncio.Task[None]] = {}

    def answers(self, key: object) -> tuple[Handshake, ...]:
        return tuple(self._answers.get(key, {}).values())

    def ask(self, key: object, ask: Ask) -> float:
        """Shake hands with the pod if that is due; returns in how many seconds it is due again."""
        pod_key = (key, health.identity(ask.pod, ask.container))
        now = asyncio.get_running_loop().time()
        if pod_key in self._tasks:
            return RENEW_S
        failures = self._failures.get(pod_key, 0)
        pause_s = min(FIRST_RETRY_S * 2 ** min(failures - 1, 6), RENEW_S) if failures else RENEW_S
        due = self._asked.get(pod_key, -RENEW_S) + pause_s
        if now < due:
            return due - now
        self._tasks[pod_key] = asyncio.create_task(self._run(key, pod_key, ask))
        return RENEW_S

    def forget(self, key: object, living: set[str] | None = None) -> None:
        """Drop what is known of pods that are gone; of all of the key's without `living`."""
        living = living or set()
        if key in self._answers:
            self._answers[key] = {pod: one for pod, one in self._answers[key].items() if pod in living}
            if not self._answers[key]:
                del self._answers[key]
        for pod_key in [pod_key for pod_key in self._asked if pod_key[0] == key and pod_key[1] not in living]:
            self._asked.pop(pod_key, None)
            self._failures.pop(pod_key, None)

    async def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, key: object, pod_key: tuple[object, str], ask: Ask) -> None:
        try:
            async with self._room:
                answer = await converse(self._client, ask)
            self._asked[pod_key] = asyncio.get_running_loop().time()
            if answer.good:
                self._failures.pop(pod_key, None)
            else:
                self._failures[pod_key] = self._failures.get(pod_key, 0) + 1
            self._answers.setdefault(key, {})[pod_key[1]] = answer
        finally:
            self._tasks.pop(pod_key, None)
        self._on_answer(key)
