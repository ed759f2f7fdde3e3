"""Filters as typed after `/`: a regular expression over all that is shown; `!` before it inverts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kaos.errors import UsageError


@dataclass(frozen=True)
class Filter:
    """What passes. The empty filter passes everything."""

    text: str
    pattern: re.Pattern[str] | None = None
    inverted: bool = False

    def matches(self, line: str) -> bool:
        return self.pattern is None or bool(self.pattern.search(line)) is not self.inverted

    def spans(self, line: str) -> Iterator[tuple[int, int]]:
        """Where it matches, to be shown."""
        if self.pattern is not None and not self.inverted:
            for found in self.pattern.finditer(line):
                if found.end() > found.start():
                    yield found.span()


def everything() -> Filter:
    return Filter("")


def parse(text: str) -> Filter:
    """Case matters only when there are capitals. Raises UsageError with what is wrong with the expression."""
    text = text.strip()
    inverted = text.startswith("!")
    body = text[1:] if inverted else text
    if not body:
        return Filter("")
    flags = 0 if any(letter.isupper() for letter in re.sub(r"\\.", "", body)) else re.IGNORECASE
    try:
        return Filter(text, re.compile(body, flags), inverted)
    except re.error as error:
        raise UsageError(f"{body!r} is no regular expression: {error}.", "") from None
