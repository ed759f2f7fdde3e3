"""Waiting for what a test is about, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def until(holds: Callable[[], T], timeout_s: float = 30) -> T:
    """The first true answer of `holds`."""
    async with asyncio.timeout(timeout_s):
        while not (found := holds()):  # noqa: ASYNC110 - what is looked at has no event of its own
            await asyncio.sleep(0.005)
        return found
