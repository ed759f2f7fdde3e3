"""When to shake hands: as a pod becomes ready or its container is started anew, and from time to time after that.

Never inside a reconciling pass, so that a server that hangs delays nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from kaos.cluster.aio import AsyncClient
from kaos.operator.conversations import converse
from kaos.operator.decide import health
from kaos.operator.decide.world import Ask, Handshake

AT_ONCE = 256
PROMPT_S = 1.0  # a conversation that lasts longer no longer counts for AT_ONCE: hanging servers keep nobody out
RENEW_S = 60.0
FIRST_RETRY_S = 1.0
LACKING_S = 8.0  # the longest pause while a pod that serves lacks some of what it uses


@dataclass
class _Pod:
    """One life of one pod."""

    where: tuple[int, str]
    answer: Handshake | None = None
    answered: float = 0.0
    failures: int = 0  # answers in a row that were bad, or not the whole of it
    task: asyncio.Task[None] | None = None


class Handshakes:
    """The newest answer of each pod, and the conversations that are under way."""

    def __init__(self, client: AsyncClient, on_answer: Callable[[object], None]) -> None:
        self._client = client
        self._on_answer = on_answer  # told the key whose pod has answered
        self._room = asyncio.Semaphore(AT_ONCE)
        self._pods: dict[object, dict[str, _Pod]] = {}  # key -> identity of a pod's life
        self._tasks: set[asyncio.Task[None]] = set()

    def answers(self, key: object) -> tuple[Handshake, ...]:
        return tuple(pod.answer for pod in self._pods.get(key, {}).values() if pod.answer)

    def ask(self, key: object, ask: Ask) -> float:
        """Shake hands with the pod if that is due; returns in how many seconds it is due again."""
        where = (ask.port, ask.path)
        pod = self._pods.setdefault(key, {}).setdefault(health.identity(ask.pod, ask.container), _Pod(where))
        if pod.task is not None:
            return RENEW_S
        due_s = self._due_s(pod)
        if due_s > 0 and where == pod.where:
            return due_s
        pod.where = where
        pod.task = asyncio.create_task(self._run(key, pod, ask))
        self._tasks.add(pod.task)
        pod.task.add_done_callback(self._tasks.discard)
        return RENEW_S

    @staticmethod
    def _due_s(pod: _Pod) -> float:
        if pod.answer is None:
            return 0
        longest_s = LACKING_S if pod.answer.good and not pod.answer.whole else RENEW_S
        pause_s = min(FIRST_RETRY_S * 2 ** min(pod.failures - 1, 6), longest_s) if pod.failures else RENEW_S
        return pod.answered + pause_s - asyncio.get_running_loop().time()

    def forget(self, key: object, living: set[str] = frozenset()) -> None:
        """Drop what is known of the key's pods that are not among `living`."""
        pods = self._pods.get(key, {})
        for gone in pods.keys() - living:
            task = pods.pop(gone).task
            if task is not None:
                task.cancel()
        if not pods:
            self._pods.pop(key, None)

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: object, pod: _Pod, ask: Ask) -> None:
        try:
            pod.answer = await self._converse(ask, lambda said: self._told(key, pod, said))
            pod.answered = asyncio.get_running_loop().time()
            pod.failures = 0 if pod.answer.good and pod.answer.whole else pod.failures + 1
        finally:
            pod.task = None
        self._on_answer(key)

    def _told(self, key: object, pod: _Pod, said: Handshake) -> None:
        pod.answer = said
        self._on_answer(key)

    async def _converse(self, ask: Ask, tell: Callable[[Handshake], None]) -> Handshake:
        talk = asyncio.create_task(converse(self._client, ask, tell))
        try:
            async with self._room:
                await asyncio.wait({talk}, timeout=PROMPT_S)
            return await talk
        finally:
            talk.cancel()
