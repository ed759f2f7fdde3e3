"""Where the lines of a log are: which are shown, on which rows, and which rows are on the screen.

What takes long (a filter or wrapping over all lines) is done in slices, the newest lines first, so that a key is never
kept waiting. While one reads, nothing that stands on the screen or comes after it is dropped: `full` asks to wait.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import repeat
from typing import Any, NamedTuple

from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView

from kaos.actions.podlogs import LogLine, shown
from kaos.kube import sanitize
from kaos.tui.widgets.filters import Filter, everything
from kaos.tui.widgets.loglines import MOST_LINES, LineStore, Speaker
from kaos.tui.widgets.logpaint import cuts, width_of
from kaos.tui.widgets.logrows import Rows
from kaos.tui.widgets.logtext import Shown, show

_SLICE_S = 0.008
_SLICE = 400  # lines
_BREATH_S = 0.005  # between slices, for keys
TIME_WIDTH = 13
_WIDEST_LABEL = 24
COLOURS = 6


class _Laid(NamedTuple):
    """A line as shown, and for each of its rows which part of which piece it holds."""

    shown: Shown
    parts: Sequence[tuple[int, int, int]]


class LogScroll(ScrollView, can_focus=True):
    """Lines of one or several pods; how they look is the matter of LogView."""

    class Changed(Message):
        """It follows, wraps, dates or filters otherwise than before."""

    def __init__(self, most: int = MOST_LINES, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.store = LineStore(most)
        self.rows = Rows()
        self.following = True
        self.wrapped = False
        self.dated = False
        self.filter: Filter = everything()
        self.only = True  # only lines that match are shown
        self.dropped = 0
        self.cursor: int | None = None
        self.marks: set[int] = set()
        self._unfolded: set[int] = set()
        self._matches = array("q")
        self._labels: dict[Speaker, tuple[str, str]] = {}  # label, component
        self._label_width = 0
        self.empty = ""  # what is said when there is no line to show
        self._laid: LRUCache[int, _Laid] = LRUCache(512)
        self._top = self.rows.first  # the row at the top of the screen
        self._placing = False
        self._low = self._high = 0  # lines from `low` to `high` have been looked at since the last change
        self._scanning: Any = None
        self._anchor: tuple[int, int] | None = None  # a line, and at which height of the screen it is to stay
        self._was_full = False
        self._seen = 0  # lines from here on came while one stood still
        self._width = 0  # for which rows are laid

    # Lines come.

    @property
    def full(self) -> bool:
        """Whether more lines would push out some that one is reading or has not seen."""
        return self._droppable() < self.store.excess()

    def write(self, lines: Sequence[LogLine]) -> None:
        """Lines to show after those that are there."""
        start = self.store.end
        self.store.add(lines)
        if len(self._labels) != len(self.store.speakers):
            self._label()
        if self._high == start:  # else the scan comes to them
            self._take(self.store.end)
        self._drop()
        self._settle()

    @property
    def unseen(self) -> int:
        """How many of the lines shown have come while one stood still."""
        return 0 if self.following else len(self.rows) - bisect_left(self.rows.numbers, self._seen)

    def _take(self, stop: int) -> None:
        """Look at the next newer lines."""
        start, self._high = self._high, stop
        numbers: Sequence[int] = range(start, stop)
        if self.filter.pattern is not None:
            matching = self._matching(start, stop)
            self._matches.extend(matching)
            if self.only:
                numbers = matching
        if self.wrapped or self._unfolded:
            self.rows.append(numbers, map(self._height, numbers))
        elif isinstance(numbers, range):
            self.rows.append_range(start, stop)
        else:
            self.rows.append(numbers, repeat(1, len(numbers)))

    def _matching(self, start: int, stop: int) -> list[int]:
        matches = self.filter.matches
        return [number for number, text in enumerate(self.store.texts(start, stop), start) if matches(shown(text))]

    def _droppable(self) -> int:
        """How many of the oldest lines may go: while one reads, only those above the screen."""
        if self.following:
            return len(self.store)
        top = self.rows.at(self._top)
        return top[0] - self.store.first if top else 0

    def _drop(self) -> None:
        """Let go of the oldest lines, where they are too many."""
        count = min(self.store.excess(), self._droppable())
        if count <= 0:
            return
        self.store.drop(count)
        first = self.store.first
        self.dropped += count
        self.rows.drop_before(first)
        del self._matches[: bisect_left(self._matches, first)]
        self._low, self._high = max(self._low, first), max(self._high, first)
        self._unfolded = {number for number in self._unfolded if number >= first}
        self.marks = {number for number in self.marks if number >= first}
        if self.cursor is not None and self.cursor < first:
            self.cursor = None

    def clear(self) -> None:
        """Forget all lines."""
        self.store.clear()
        self._labels, self._label_width = {}, 0
        self.dropped = 0
        self.cursor = None
        self.marks.clear()
        self._unfolded.clear()
        self.following = True
        self._rebuild()
        self.post_message(self.Changed())

    # Pods and their names.

    def _label(self) -> None:
        speakers = self.store.speakers
        several = len({speaker.source for speaker in speakers}) > 1
        before = self._label_width
        texts = [_label(speaker, several) for speaker in speakers]
        if len(set(texts)) < len(texts):
            texts = [speaker.pod for speaker in speakers]
        safe = [sanitize.line(text)[:_WIDEST_LABEL] for text in texts]
        names = [f"log--pod{index % COLOURS}" for index in range(len(safe))]
        self._labels = dict(zip(speakers, zip(safe, names, strict=True), strict=True))
        self._label_width = max(map(width_of, safe)) + 1 if len(safe) > 1 else 0
        if self.wrapped and self._label_width != before:
            self._rebuild()

    def label_of(self, number: int) -> str:
        """The short name of the pod of a line."""
        return self._labels.get(self.store.speaker(number), ("", ""))[0]

    # Rows.

    @property
    def _prefix_width(self) -> int:
        return 1 + (TIME_WIDTH if self.dated else 0) + self._label_width

    @property
    def _room(self) -> int:
        """For text, in cells."""
        return max(8, self.scrollable_content_region.width - self._prefix_width)

    def _lay(self, number: int) -> _Laid:
        found = self._laid.get(number)
        if found is None:
            what = show(self.store.text(number), number in self._unfolded)
            if self.wrapped:
                room = self._room
                parts = [(i, *span) for i, piece in enumerate(what.pieces) for span in cuts(piece, room)]
            else:
                parts = [(i, 0, len(piece)) for i, piece in enumerate(what.pieces)]
            found = self._laid[number] = _Laid(what, parts)
        return found

    def _height(self, number: int) -> int:
        if self.wrapped:
            text = self.store.text(number)
            if number not in self._unfolded and text.isascii() and text.isprintable() and not text.startswith("{"):
                return -(-len(text) // self._room) or 1
        elif number not in self._unfolded:
            return 1
        return len(self._lay(number).parts)

    def _rebuild(self) -> None:
        """Find out anew which lines are shown and on which rows; goes on by slices, from where one reads."""
        self._anchor = None if self.following else self._held()
        self.rows.clear()
        del self._matches[:]
        self._laid.clear()
        self._width = self.scrollable_content_region.width
        self._low = self._high = self._anchor[0] if self._anchor else self.store.end
        if self.filter.pattern is None and not self.wrapped and not self._unfolded:
            self._low = self._high = self.store.first
            self._take(self.store.end)
        if self.text_selection is not None:
            self.screen.clear_selection()
        self._top = self.rows.first
        self._scan_on()

    def _held(self) -> tuple[int, int] | None:
        """The line that is to stay where it is: under the cursor if one sees it, else the first on the screen."""
        at = self.rows.top(self.cursor) if self.cursor is not None else None
        if at is not None and 0 <= at - self._top < self.scrollable_content_region.height:
            return self.cursor, at - self._top  # type: ignore[return-value]
        top = self.rows.at(self._top)
        return (top[0], -top[1]) if top else None

    def _scan_on(self) -> None:
        if self._scanning is not None:
            self._scanning.stop()
            self._scanning = None
        until = time.perf_counter() + _SLICE_S
        while self.scanning and time.perf_counter() < until:
            if self._high < self.store.end:
                self._take(min(self._high + _SLICE, self.store.end))
            if self._low > self.store.first:
                self._take_older(max(self._low - _SLICE, self.store.first))
        if self._anchor is not None:
            number, height = self._anchor
            near = self.rows.neighbour(number, 0)
            if near is not None:
                self._top = (self.rows.top(near) or 0) - height
        self._settle()
        if self.scanning:
            self._scanning = self.set_timer(_BREATH_S, self._scan_on)
        else:
            self._anchor = None

    def _take_older(self, start: int) -> None:
        """Look at the next older lines."""
        numbers: Sequence[int] = range(start, self._low)
        if self.filter.pattern is not None:
            matching = self._matching(start, self._low)
            self._matches[:0] = array("q", matching)
            numbers = matching if self.only else numbers
        self.rows.prepend(numbers, [self._height(number) for number in numbers])
        self._low = start

    @property
    def scanning(self) -> bool:
        """Whether there are lines that have not been looked at yet."""
        return self._low > self.store.first or self._high < self.store.end

    def _settle(self) -> None:
        """Scroll to where one is, in rows that may have changed."""
        height, page = self.rows.height, self.scrollable_content_region.height
        size = Size(self._prefix_width + (0 if self.wrapped else self.store.longest), height)
        self._placing = True
        try:
            self._set_size(size, page)
            if self.following:
                self._top = self.rows.end - page
            y = min(max(self._top - self.rows.first, 0), max(0, height - page))
            self._top = self.rows.first + y
            self.scroll_to(y=y, animate=False, immediate=True, force=True)
        finally:
            self._placing = False
        self._tell_room()
        self.refresh()

    def _tell_room(self) -> None:
        """Once there is room again, whoever waited with more has to know."""
        was, self._was_full = self._was_full, self.full
        if was and not self._was_full:
            self.post_message(self.Changed())

    def _set_size(self, size: Size, page: int) -> None:
        """How large all rows are together. The screen is laid out anew only when the scrollbar comes or goes."""
        if size == self.virtual_size:
            return
        if (size.height > page) is not self.show_vertical_scrollbar:
            self.virtual_size = size
            return
        self.set_reactive(ScrollView.virtual_size, size)
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.window_virtual_size = size.height

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self._placing:
            return
        self._top, self._anchor = self.rows.first + round(new_value), None
        self._tell_room()
        self.follow(round(new_value) >= self.max_scroll_y)

    def on_resize(self) -> None:
        if self.wrapped and self.scrollable_content_region.width != self._width:
            self._rebuild()
        else:
            self._settle()

    def follow(self, wanted: bool) -> None:
        """Stay at the end, or stand still."""
        if wanted == self.following:
            return
        self.following = wanted
        self._anchor = None
        if wanted:
            self.cursor = None
            self._drop()
            if self._high < self.store.end:
                self._rebuild()
            self._settle()
        else:
            self._seen = self.store.end
        self.refresh()
        self.post_message(self.Changed())


def _label(speaker: Speaker, several: bool) -> str:
    """The part of a pod's name that tells it from the others, after the resource where there are several."""
    resource = speaker.source.rpartition("/")[2]
    base, dash, last = speaker.pod.rpartition("-")
    short = last if dash and base else speaker.pod
    if not several:
        return short
    return resource if resource == speaker.pod else f"{resource}-{short}"
