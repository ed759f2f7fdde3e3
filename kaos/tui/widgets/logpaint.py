"""Laying text on rows of a width, and styles on parts of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, get_character_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

Span = tuple[int, int]


def width_of(text: str) -> int:
    """In cells."""
    return len(text) if text.isascii() else cell_len(text)


def cuts(text: str, width: int) -> list[Span]:
    """The parts of a text that fit on rows of this width; one row at least."""
    if text.isascii():
        return [(start, min(start + width, len(text))) for start in range(0, len(text), width)] or [(0, 0)]
    parts, start = [], 0
    while start < len(text):
        stop = max(start + 1, start + fitting(text[start : start + width], width))
        parts.append((start, stop))
        start = stop
    return parts or [(0, 0)]


def fitting(text: str, width: int) -> int:
    """How many characters from the beginning fit into a width."""
    if text.isascii():
        return min(len(text), width)
    used = 0
    for index, character in enumerate(text):
        used += get_character_cell_size(character)
        if used > width:
            return index
    return len(text)


def layered(segments: Sequence[Segment], spans: Iterable[Span], style: Style) -> list[Segment]:
    """The segments with a style on parts of their text; the spans are in order and apart."""
    out: list[Segment] = []
    begins, rest = 0, iter(spans)
    start, stop = next(rest, (-1, -1))
    for text, under, _ in segments:
        ends, at = begins + len(text), begins
        while start >= 0 and start < ends:
            if stop > at:
                first, last = max(start, at), min(stop, ends)
                if first > at:
                    out.append(Segment(text[at - begins : first - begins], under))
                out.append(Segment(text[first - begins : last - begins], (under or Style.null()) + style))
                at = last
            if stop > ends:
                break
            start, stop = next(rest, (-1, -1))
        if at < ends:
            out.append(Segment(text[at - begins :], under))
        begins = ends
    return out


def shifted(spans: Iterable[Span], by: int, width: int) -> list[Span]:
    """Spans as they are when the text begins at `by` and is so long; those outside are left out."""
    moved = ((max(0, start - by), min(stop - by, width)) for start, stop in spans)
    return [(start, stop) for start, stop in moved if start < stop]


def row_of(parts: Iterable[tuple[int, Sequence[Segment]]], row: int, width: int, style: Style) -> Strip:
    """One row of exactly this width; `parts` are segments and where their text begins, for selecting with the mouse."""
    out: list[Segment] = []
    used = 0
    for begins, segments in parts:
        for text, under, _ in segments:
            out.append(Segment(text, (under or style) + Style.from_meta({"offset": (begins, row)})))
            begins += len(text)
            used += width_of(text)
    if used < width:
        out.append(Segment(" " * (width - used), style))
    strip = Strip(out, max(used, width))
    return strip if used <= width else strip.crop(0, width)
