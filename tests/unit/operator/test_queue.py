"""The work queue: every key once at a time, failing keys later and later, and never at another's cost."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from kaos.operator import queue as queues
from kaos.operator.queue import Queue
from tests.unit.operator.conditions import until

Make = Callable[..., Queue]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    started: list[Queue] = []

    def start(work: Callable[[object], Awaitable[None]], workers: int = 16) -> Queue:
        queue = Queue(work, workers)
        queue.start()
        started.append(queue)
        return queue

    yield start
    for queue in started:
        await queue.stop()


class Desk:
    """Work that the test lets end: it counts, and notes who was worked on side by side."""

    def __init__(self) -> None:
        self.begun: Counter[object] = Counter()
        self.most_at_once: Counter[object] = Counter()
        self._now: Counter[object] = Counter()
        self.may_end = asyncio.Event()
        self.change = asyncio.Condition()

    async def work(self, key: object) -> None:
        self._now[key] += 1
        self.most_at_once[key] = max(self.most_at_once[key], self._now[key])
        async with self.change:
            self.begun[key] += 1
            self.change.notify_all()
        await self.may_end.wait()
        self._now[key] -= 1

    async def until(self, key: object, times: int) -> None:
        async with self.change:
            await asyncio.wait_for(self.change.wait_for(lambda: self.begun[key] >= times), 30)


async def test_a_key_that_waits_is_not_added_twice(make: Make) -> None:
    desk = Desk()
    queue = make(desk.work, workers=1)
    queue.add("first")
    await desk.until("first", 1)
    for _ in range(100):
        queue.add("second")
    queue.add("last")
    desk.may_end.set()
    await desk.until("last", 1)
    assert desk.begun == {"first": 1, "second": 1, "last": 1}


async def test_a_key_that_is_added_while_it_is_worked_on_is_worked_on_once_more_and_not_beside_itself(
    make: Make,
) -> None:
    desk = Desk()
    queue = make(desk.work)
    queue.add("key")
    await desk.until("key", 1)
    for _ in range(100):
        queue.add("key")
    await asyncio.sleep(0)
    assert desk.begun["key"] == 1
    desk.may_end.set()
    await desk.until("key", 2)
    queue.add("last")
    await desk.until("last", 1)
    assert desk.begun["key"] == 2
    assert desk.most_at_once["key"] == 1


async def test_keys_are_worked_on_in_the_order_in_which_they_came(make: Make) -> None:
    order: list[object] = []

    async def work(key: object) -> None:
        order.append(key)

    queue = make(work, workers=1)
    for key in range(50):
        queue.add(key)
    await until(lambda: len(order) == 50)
    assert order == list(range(50))


async def test_a_key_that_always_fails_is_tried_later_and_later_and_delays_no_other(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "FIRST_BACKOFF_S", 0.02)
    monkeypatch.setattr(queues, "LAST_BACKOFF_S", 0.2)
    tries: list[float] = []
    delays: list[float] = []

    async def work(key: object) -> None:
        if key == "bad":
            tries.append(time.monotonic())
            raise RuntimeError("no luck")
        delays.append(time.monotonic() - key)

    queue = make(work, workers=1)
    queue.add("bad")
    while len(tries) < 8:
        queue.add(time.monotonic())
        await asyncio.sleep(0.005)
    pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert pauses[0] < 0.06
    assert 0.15 < pauses[-1] < 0.4, "the pause grows up to the limit and no further"
    assert max(delays) < 0.1


async def test_success_makes_a_key_a_good_one_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "FIRST_BACKOFF_S", 0.02)
    outcomes = iter([False] * 5 + [True] + [False] * 2)
    tries: list[float] = []

    async def work(key: object) -> None:
        tries.append(time.monotonic())
        if not next(outcomes, True):
            raise RuntimeError("no luck")

    queue = make(work)
    queue.add("key")
    await until(lambda: len(tries) == 6)
    queue.add("key")
    await until(lambda: len(tries) == 8)
    assert tries[7] - tries[6] < 0.1, "as after a first failure, not after a sixth"


async def test_news_during_a_failing_pass_is_looked_at_soon_and_not_at_the_end_of_a_long_pause(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "FIRST_BACKOFF_S", 0.05)
    tries: list[float] = []
    queue: Queue

    async def work(key: object) -> None:
        tries.append(time.monotonic())
        if len(tries) >= 6:
            queue.add("key")
        raise RuntimeError("no luck")

    queue = make(work)
    queue.add("key")
    await until(lambda: len(tries) >= 9)
    late = [later - earlier for earlier, later in itertools.pairwise(tries[5:])]
    assert all(0.03 < pause < 0.3 for pause in late), "soon, and not in a spin"


async def test_an_addition_ends_the_pause_of_a_failing_key(make: Make) -> None:
    tries: list[object] = []

    async def work(key: object) -> None:
        tries.append(key)
        if len(tries) == 1:
            raise RuntimeError("no luck")

    queue = make(work)
    queue.add("key")
    await until(lambda: len(tries) == 1)
    began = time.monotonic()
    queue.add("key")
    await until(lambda: len(tries) == 2)
    assert time.monotonic() - began < queues.FIRST_BACKOFF_S / 2


@pytest.mark.parametrize("delays", [(0.05, 5.0), (5.0, 0.05)])
async def test_of_two_later_times_the_earlier_counts(make: Make, delays: tuple[float, float]) -> None:
    desk = Desk()
    desk.may_end.set()
    queue = make(desk.work)
    for delay in delays:
        queue.add_after("key", delay)
    began = time.monotonic()
    await desk.until("key", 1)
    assert 0.04 < time.monotonic() - began < 4
    queue.add("other")
    await desk.until("other", 1)
    assert desk.begun["key"] == 1


async def test_a_worker_that_hangs_holds_up_its_own_key_only(make: Make) -> None:
    done: list[object] = []

    async def work(key: object) -> None:
        if key == "hangs":
            await asyncio.Event().wait()
        done.append(key)

    queue = make(work, workers=2)
    for key in ("hangs", "a", "b", "c"):
        queue.add(key)
    await until(lambda: done == ["a", "b", "c"])


async def test_stop_ends_what_is_under_way_and_what_is_planned(make: Make) -> None:
    begun: list[object] = []

    async def work(key: object) -> None:
        begun.append(key)
        await asyncio.Event().wait()

    queue = make(work)
    queue.add("now")
    queue.add_after("later", 0.02)
    await until(lambda: begun == ["now"])
    await asyncio.wait_for(queue.stop(), 1)
    await asyncio.sleep(0.05)
    assert begun == ["now"]
