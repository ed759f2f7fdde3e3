"""Which lines are shown, and on which rows: rows have a number that they keep while lines come and go at both ends."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

_ORIGIN = 1 << 40  # far from zero, for rows are added before the first as well


class Rows:
    """The lines shown, oldest first, each on one or more rows."""

    def __init__(self) -> None:
        self._numbers = array("q")
        self._tops = array("q")
        self.end = _ORIGIN  # the row after the last

    @property
    def first(self) -> int:
        """The first row."""
        return self._tops[0] if self._tops else self.end

    @property
    def height(self) -> int:
        return self.end - self.first

    @property
    def numbers(self) -> Sequence[int]:
        return self._numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def clear(self) -> None:
        del self._numbers[:], self._tops[:]
        self.end = _ORIGIN

    def append_range(self, start: int, stop: int) -> None:
        """Lines that follow each other and take a row each."""
        self._numbers.extend(range(start, stop))
        self._tops.extend(range(self.end, self.end + stop - start))
        self.end += stop - start

    def append(self, numbers: Iterable[int], heights: Iterable[int]) -> None:
        self._numbers.extend(numbers)
        ends = list(accumulate(heights, initial=self.end))
        self._tops.extend(ends[:-1])
        self.end = ends[-1]

    def prepend(self, numbers: Sequence[int], heights: Sequence[int]) -> None:
        """Older lines, oldest first."""
        tops = list(accumulate(heights, initial=self.first - sum(heights)))[:-1]
        self._numbers[:0] = array("q", numbers)
        self._tops[:0] = array("q", tops)

    def drop_before(self, number: int) -> None:
        """Without the lines before this one."""
        count = bisect_left(self._numbers, number)
        del self._numbers[:count], self._tops[:count]

    def resize(self, number: int, height: int) -> None:
        """A line takes another number of rows now."""
        index = self.index(number)
        if index is None:
            return
        by = height - (self._after(index) - self._tops[index])
        for later in range(index + 1, len(self._tops)):
            self._tops[later] += by
        self.end += by

    def _after(self, index: int) -> int:
        return self._tops[index + 1] if index + 1 < len(self._tops) else self.end

    def at(self, row: int) -> tuple[int, int] | None:
        """The line on a row, and which of its rows that is."""
        if not self.first <= row < self.end:
            return None
        index = bisect_right(self._tops, row) - 1
        return self._numbers[index], row - self._tops[index]

    def index(self, number: int) -> int | None:
        index = bisect_left(self._numbers, number)
        return index if index < len(self._numbers) and self._numbers[index] == number else None

    def top(self, number: int) -> int | None:
        """The first row of a line; None when it is not shown."""
        index = self.index(number)
        return None if index is None else self._tops[index]

    def bottom(self, number: int) -> int | None:
        """The last row of a line."""
        index = self.index(number)
        return None if index is None else self._after(index) - 1

    def neighbour(self, number: int, by: int) -> int | None:
        """The line shown so many lines after this one (before, if negative), the last or first at most."""
        if not self._numbers:
            return None
        index = bisect_left(self._numbers, number)
        if by > 0 and self.index(number) is None:
            by -= 1
        return self._numbers[min(max(index + by, 0), len(self._numbers) - 1)]
