"""What one HTTP answer has still to tell its reader, who may be slow: notifications beyond a bound are dropped."""

from __future__ import annotations

import asyncio
from collections import deque

BOUND = 8 * 1024 * 1024  # characters; a single longer message still passes


class Stream:
    """Messages for one reader. The last one, of a stream that answers a request, is the answer."""

    def __init__(self, takes_events: bool = True) -> None:
        self.takes_events = takes_events
        self.code: int | None = None  # of the answer, when it is an error
        self.dropped = 0
        self.is_abandoned = False  # nobody reads it
        self._ended = False
        self._items: deque[str] = deque()
        self._size = 0
        self._waiter: asyncio.Future[None] | None = None

    def say(self, text: str, must: bool = False) -> None:
        """A message; it may be dropped unless it must arrive."""
        if self._size > BOUND and not must:
            self.dropped += 1
            return
        self._put(text)

    def end(self, last: str = "", code: int | None = None) -> None:
        self._ended, self.code = True, code
        if last:
            self._put(last)
        else:
            self._wake()

    @property
    def is_done(self) -> bool:
        """Whether all has been read."""
        return self._ended and not self._items

    async def next(self, within_s: float | None = None) -> str:
        """The next message; empty when none came in time or the end has come. For one reader."""
        if not self._items and not self._ended:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(within_s):
                    await self._waiter
            except TimeoutError:
                return ""
            finally:
                self._waiter = None
        if not self._items:
            return ""
        text = self._items.popleft()
        self._size -= len(text)
        return text

    def _put(self, text: str) -> None:
        self._items.append(text)
        self._size += len(text)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
