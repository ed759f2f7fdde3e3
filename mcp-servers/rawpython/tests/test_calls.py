"""Where functions run: what blocks whom, what ends when the caller goes, and what a call may come to."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref

import pytest

from kaos_rawpython import calls as rooms
from kaos_rawpython.calls import Calls, Refused


@pytest.fixture
def calls():
    return Calls()


@pytest.fixture
def release():
    """Ends what a test left waiting."""
    event = threading.Event()
    yield event
    event.set()


async def test_a_plain_function_blocks_no_other_and_not_the_server(calls, release):
    waiting = [asyncio.create_task(calls.run("stuck", release.wait, {})) for _ in range(50)]
    outcome = await calls.run("add", lambda a, b: a + b, {"a": 2, "b": 3})
    assert outcome.value == 5
    assert not any(task.done() for task in waiting)
    release.set()
    assert [outcome.value for outcome in await asyncio.gather(*waiting)] == [True] * 50


async def test_coroutine_functions_share_what_belongs_to_one_loop(calls):
    lock, queue = asyncio.Lock(), asyncio.Queue()

    async def put(item: int) -> None:
        async with lock:  # held while the other call waits for it: only on one loop does that work
            await asyncio.sleep(0.01)
            await queue.put(item)

    async def take() -> int:
        return await queue.get()

    taken = asyncio.create_task(calls.run("take", take, {}))
    await asyncio.gather(*(calls.run("put", put, {"item": item}) for item in (1, 2)))
    assert (await taken).value == 1
    assert (await calls.run("take", take, {})).value == 2


async def test_a_blocked_loop_delays_the_next_call_and_no_later_one(calls, release, monkeypatch):
    monkeypatch.setattr(rooms, "PATIENCE_S", 0.5)

    async def block() -> None:
        release.wait()

    async def thread() -> int:
        return threading.get_ident()

    first = (await calls.run("thread", thread, {})).value
    blocking = asyncio.create_task(calls.run("block", block, {}))
    await asyncio.sleep(0)  # both calls reach the loop before either begins
    spare = (await calls.run("thread", thread, {})).value
    assert spare != first
    began = time.monotonic()
    assert (await calls.run("thread", thread, {})).value == spare
    assert time.monotonic() - began < 0.5
    release.set()
    await blocking
    calling = [(await calls.run("thread", thread, {})).value for _ in range(100)]
    assert calling[-1] == first  # it is used again, once it has breathed


async def test_a_tool_that_hangs_refuses_further_calls_and_takes_no_place_of_others(release):
    calls = Calls(limit=2)
    waiting = [asyncio.create_task(calls.run("stuck", release.wait, {})) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Refused, match="2 calls of stuck are running"):
        await calls.run("stuck", release.wait, {})
    assert (await calls.run("quick", int, {})).value == 0
    release.set()
    await asyncio.gather(*waiting)
    assert (await calls.run("stuck", release.wait, {})).value is True


async def test_a_call_whose_caller_has_gone_still_counts_while_it_runs(release):
    calls = Calls(limit=1)
    waiting = asyncio.create_task(calls.run("stuck", release.wait, {}))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(Refused):
        await calls.run("stuck", release.wait, {})


async def test_an_endless_function_ends_when_its_caller_goes(calls):
    begun, ended = threading.Event(), threading.Event()

    def spin() -> None:
        try:
            begun.set()
            while True:
                pass
        finally:
            ended.set()

    call = asyncio.create_task(calls.run("spin", spin, {}))
    await asyncio.to_thread(begun.wait)
    call.cancel()
    assert await asyncio.to_thread(ended.wait, 10)


async def test_a_coroutine_is_cancelled_when_its_caller_goes(calls):
    begun, ended = threading.Event(), threading.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            ended.set()
            raise

    call = asyncio.create_task(calls.run("wait", wait, {}))
    await asyncio.to_thread(begun.wait)
    call.cancel()
    assert await asyncio.to_thread(ended.wait, 10)


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, StopIteration, asyncio.CancelledError])
async def test_whatever_a_function_raises_is_its_outcome(calls, error):
    def plain() -> None:
        raise error("why")

    async def coroutine() -> None:
        raise error("why")

    for function in (plain, coroutine):
        outcome = await calls.run("raises", function, {})
        expected = RuntimeError if (error, function) == (StopIteration, coroutine) else error
        assert type(outcome.error) is expected


async def test_generators_run_to_their_end_away_from_the_server(calls):
    def plain():
        yield threading.current_thread() is not threading.main_thread()

    async def coroutine():
        yield threading.current_thread() is not threading.main_thread()

    assert (await calls.run("plain", plain, {})).value == [True]
    assert (await calls.run("coroutine", coroutine, {})).value == [True]


async def test_a_plain_function_that_returns_a_coroutine_is_awaited(calls):
    async def inner() -> int:
        return 7

    assert (await calls.run("wrapped", lambda: inner(), {})).value == 7


async def test_results_are_not_kept(calls):
    class Large:
        pass

    outcome = await calls.run("large", Large, {})
    kept = weakref.ref(outcome.value)
    del outcome
    for _ in range(200):  # the thread lets go a moment after its answer
        if kept() is None:
            break
        await asyncio.sleep(0.01)
    assert kept() is None


async def test_giving_up_answers_the_calls_that_run(calls, release):
    async def wait() -> None:
        await asyncio.sleep(600)

    running = [asyncio.create_task(calls.run("stuck", function, {})) for function in (release.wait, wait)]
    await asyncio.sleep(0)
    calls.give_up()
    for task in running:
        with pytest.raises(Refused, match="the server stops"):
            await task
