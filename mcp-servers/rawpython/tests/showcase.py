"""Tools of every shape."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import cache
from math import hypot
from textwrap import dedent
from typing import Literal

from fastmcp import Context
from fastmcp.server.dependencies import get_context


@dataclass
class Point:
    x: float
    y: float = 0


def _scaled(length: float) -> float:
    return 10 * length


def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: the first
        b: the second
    """
    return a + b


def distance(point: Point, unit: Literal["m", "km"] = "m") -> float:
    """Distance from the origin, scaled."""
    return _scaled(hypot(point.x, point.y))


def move(point: Point) -> Point:
    return Point(point.x + 1, point.y)


async def later(word: str, times: int = 2) -> list[str]:
    """Repeat a word, a moment later."""
    await asyncio.sleep(0.01)
    return [word] * times


def tidy(text: str) -> str:
    return dedent(text)


def whatever(value):
    return value


def nothing() -> None:
    pass


def count(to: int) -> Iterator[int]:
    yield from range(to)


async def count_later(to: int) -> AsyncIterator[int]:
    for number in range(to):
        yield number


@cache
def square(n: int) -> int:
    return n * n


def fail() -> None:
    raise ValueError("the answer is 41")


def leave(status: int) -> None:
    sys.exit(status)


def large(size: int) -> str:
    return "x" * size


def half() -> str:
    return "\ud800"


def say(word: str) -> str:
    print("said", word, end="; ")
    return word


def process_id() -> int:
    return os.getpid()


def has_own_loop() -> int:
    async def seven() -> int:
        return 7

    return asyncio.run(seven())


async def steps(number: int, ctx: Context) -> str:
    for done in range(1, number + 1):
        await ctx.report_progress(done, number)
    return "done"


async def steps_by_lookup(number: int) -> str:
    for done in range(1, number + 1):
        await get_context().report_progress(done, number, f"step {done}")
    return "done"


def stuck() -> None:
    time.sleep(600)


async def stuck_loop() -> None:
    time.sleep(600)  # noqa: ASYNC251
