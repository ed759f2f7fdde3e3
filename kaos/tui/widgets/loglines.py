"""Lines of a log, kept in little memory: each has a number that it keeps, and the oldest are dropped and counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kaos.actions.podlogs import LogLine

MOST_LINES = 100_000
MOST_CHARACTERS = 40_000_000


class Speaker(NamedTuple):
    """Who says a line: a pod of a source. A notice has neither."""

    pod: str
    source: str


NOTICE = Speaker("", "")


class LineStore:
    """Lines `first` to `end`, without the last of these. All numbers that it takes and gives are of lines."""

    def __init__(self, most: int = MOST_LINES, most_characters: int = MOST_CHARACTERS) -> None:
        self._most = most
        self._most_characters = most_characters
        self._texts: list[str] = []  # time, a space, text: one string a line is what keeps it small
        self._speakers: list[Speaker] = []
        self._known: dict[tuple[str, str], Speaker] = {}
        self._characters = 0
        self.first = 0
        self.longest = 0

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def end(self) -> int:
        return self.first + len(self._texts)

    @property
    def speakers(self) -> list[Speaker]:
        """All that have spoken, in the order of their first words."""
        return list(self._known.values())

    def add(self, lines: Sequence[LogLine]) -> None:
        texts = [f"{line.time} {line.text}" for line in lines]
        lengths = list(map(len, texts))
        self._texts += texts
        self._speakers += [self._speaker(line) for line in lines]
        self._characters += sum(lengths)
        self.longest = max(self.longest, max(lengths, default=0))

    def _speaker(self, line: LogLine) -> Speaker:
        if line.notice:
            return NOTICE
        key = (line.pod, line.source)
        return self._known.get(key) or self._known.setdefault(key, Speaker(*key))

    def excess(self) -> int:
        """How many of the oldest lines are to be dropped to keep within bounds."""
        count = max(0, len(self._texts) - self._most)
        characters = self._characters
        if characters > self._most_characters:
            characters -= sum(map(len, self._texts[:count]))
            while characters > self._most_characters:
                characters -= len(self._texts[count])
                count += 1
        return count

    def drop(self, count: int) -> None:
        """Drop so many of the oldest lines."""
        self._characters -= sum(map(len, self._texts[:count]))
        del self._texts[:count], self._speakers[:count]
        self.first += count

    def text(self, number: int) -> str:
        return self._texts[number - self.first].partition(" ")[2]

    def time(self, number: int) -> str:
        return self._texts[number - self.first].partition(" ")[0]

    def speaker(self, number: int) -> Speaker:
        return self._speakers[number - self.first]

    def texts(self, start: int, stop: int) -> list[str]:
        """Those of several lines."""
        return [text.partition(" ")[2] for text in self._texts[start - self.first : stop - self.first]]

    def clear(self) -> None:
        """Forget all lines; numbers go on."""
        self.first, self.longest, self._characters = self.end, 0, 0
        self._texts.clear()
        self._speakers.clear()
        self._known.clear()
