"""Rows of a log: whatever comes, goes or changes its height, each line is where a simple list would have it."""

from __future__ import annotations

import random

import pytest

from kaos.tui.widgets.logpaint import cuts, layered
from kaos.tui.widgets.logrows import Rows


class Simple:
    """The same as a list of lines and heights."""

    def __init__(self):
        self.lines = []  # (number, height)

    def at(self, offset):
        for number, height in self.lines:
            if offset < height:
                return number, offset
            offset -= height
        return None


@pytest.mark.parametrize("seed", range(20))
def test_rows_agree_with_a_simple_list(seed):
    dice = random.Random(seed)
    rows, simple = Rows(), Simple()
    low = high = 1_000
    for _ in range(60):
        match dice.randrange(5):
            case 0:
                count = dice.randrange(1, 9)
                rows.append_range(high, high + count)
                simple.lines += [(number, 1) for number in range(high, high + count)]
                high += count
            case 1:
                new = [(number, dice.randrange(1, 5)) for number in range(high, high + 9) if dice.random() < 0.5]
                rows.append([number for number, _ in new], [height for _, height in new])
                simple.lines += new
                high += 9
            case 2:
                new = [(number, dice.randrange(1, 5)) for number in range(low - 9, low) if dice.random() < 0.5]
                rows.prepend([number for number, _ in new], [height for _, height in new])
                simple.lines[:0] = new
                low -= 9
            case 3 if simple.lines:
                index = dice.randrange(len(simple.lines))
                number, height = simple.lines[index][0], dice.randrange(1, 7)
                rows.resize(number, height)
                simple.lines[index] = (number, height)
            case 4 if simple.lines:
                number = simple.lines[0][0] + dice.randrange(4)
                rows.drop_before(number)
                simple.lines = [line for line in simple.lines if line[0] >= number]
                low = max(low, number)
        assert list(rows.numbers) == [number for number, _ in simple.lines]
        assert rows.height == sum(height for _, height in simple.lines)
        assert [rows.at(rows.first + offset) for offset in range(rows.height + 1)] == [
            simple.at(offset) for offset in range(rows.height + 1)
        ]
        for number, height in simple.lines:
            assert rows.bottom(number) - rows.top(number) == height - 1


@pytest.mark.parametrize("seed", range(20))
def test_layers_of_style_keep_the_text_and_cover_their_spans(seed):
    from rich.segment import Segment
    from rich.style import Style

    dice = random.Random(seed)
    text = "".join(dice.choice("abc漢") for _ in range(40))
    marks = sorted(dice.sample(range(41), 6))
    spans = list(zip(marks[::2], marks[1::2], strict=True))
    parts = cuts(text, 7)
    segments = [Segment(text[start:stop], Style()) for start, stop in parts]
    done = layered(segments, spans, Style(bold=True))
    assert "".join(segment.text for segment in done) == text
    bold = [bool(segment.style.bold) for segment in done for _ in segment.text]
    assert bold == [any(start <= index < stop for start, stop in spans) for index in range(40)]
    assert all(sum(2 if letter == "漢" else 1 for letter in text[start:stop]) <= 7 for start, stop in parts)
