"""A2A tasks: one for each message, at work in the background or ended and kept in the store."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from kaos.dataplane.agent.loop import Agent
from kaos.dataplane.agent.store import StoredTask
from kaos.dataplane.agent.turns import Step, Turn
from kaos.dataplane.model.openai import Failure

log = logging.getLogger("kaos.agent")

FINAL = ("completed", "failed", "canceled", "rejected")
RUNNING_LIMIT = 256


class TooMany(Exception):
    """More tasks are at work than anybody waits for."""


@dataclass
class Task:
    """One piece of work for a caller, while it lasts."""

    id: str
    context_id: str
    question: str
    state: str = "working"
    answer: str = ""
    problem: str = ""
    created: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)
    pieces: list[str | Step] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    work: asyncio.Task[None] | None = None

    def stored(self) -> StoredTask:
        return StoredTask(
            self.id,
            self.context_id,
            self.state,
            self.question,
            self.answer,
            self.problem,
            self.created,
            self.updated,
        )

    async def tell(self, piece: str | Step) -> None:
        self.pieces.append(piece)
        async with self.news:
            self.news.notify_all()

    async def follow(self) -> AsyncIterator[str | Step]:
        """All pieces of the answer, those that are still to come too."""
        told = 0
        while True:
            async with self.news:
                while told == len(self.pieces) and self.state not in FINAL:
                    await self.news.wait()
            if told == len(self.pieces):
                return
            while told < len(self.pieces):
                told += 1
                yield self.pieces[told - 1]


class Tasks:
    """The tasks of one agent."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.running: dict[str, Task] = {}

    async def begin(self, turn: Turn, question: str) -> Task:
        """Raises TooMany."""
        if len(self.running) >= RUNNING_LIMIT:
            raise TooMany
        task = Task(uuid.uuid4().hex, turn.session_id, question)
        self.running[task.id] = task
        task.work = asyncio.create_task(self._work(task, turn))
        await self._agent.sessions.put_task(task.stored())
        return task

    async def find(self, task_id: str) -> StoredTask | None:
        task = self.running.get(task_id)
        return task.stored() if task else await self._agent.sessions.task(task_id)

    async def cancel(self, task: Task) -> None:
        task.work.cancel()
        await asyncio.wait([task.work])

    async def drain(self, within_s: float) -> None:
        """Let the tasks end; those that do not are told so."""
        works = [task.work for task in self.running.values()]
        if works:
            await asyncio.wait(works, timeout=within_s)
        for task in [*self.running.values()]:
            task.problem = "the agent is being stopped"
            await self.cancel(task)

    async def _work(self, task: Task, turn: Turn) -> None:
        state = "failed"
        try:
            end = await self._agent.answer(turn, task.tell)
            task.answer, state = end.text, "completed"
        except Failure as failure:
            task.problem = failure.message
        except asyncio.CancelledError:
            state = "failed" if task.problem else "canceled"
        except Exception:
            log.exception("task %s", task.id)
            task.problem = "internal error"
        finally:
            task.state, task.updated = state, time.time()
            await asyncio.shield(self._finish(task))

    async def _finish(self, task: Task) -> None:
        """Keep how it ended, then tell: who is told finds it."""
        await self._agent.sessions.put_task(task.stored())
        self.running.pop(task.id, None)
        async with task.news:
            task.news.notify_all()
