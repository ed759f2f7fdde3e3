"""What waits for a slow reader is bounded; what must arrive does."""

from __future__ import annotations

import asyncio

from kaos.dataplane.bridge.stream import BOUND, Stream


async def test_messages_come_in_order_and_the_answer_last() -> None:
    stream = Stream()
    stream.say("one")
    stream.say("two")
    stream.end("answer", code=-1)
    assert [await stream.next() for _ in range(3)] == ["one", "two", "answer"]
    assert (stream.is_done, stream.code, await stream.next()) == (True, -1, "")


async def test_a_reader_waits_for_what_comes_later_but_not_for_ever() -> None:
    stream = Stream()
    assert await stream.next(within_s=0.01) == ""
    assert not stream.is_done
    reading = asyncio.create_task(stream.next())
    await asyncio.sleep(0)
    stream.say("late")
    assert await reading == "late"


async def test_notifications_beyond_the_bound_are_dropped_and_counted() -> None:
    stream = Stream()
    stream.say("x" * (BOUND + 1))
    stream.say("dropped")
    stream.say("a question", must=True)
    stream.end("answer")
    assert len(await stream.next()) == BOUND + 1
    assert [await stream.next(), await stream.next()] == ["a question", "answer"]
    assert stream.dropped == 1
