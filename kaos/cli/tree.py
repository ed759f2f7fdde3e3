"""Trees of text: branches drawn with lines, what they say in a column of its own, folded to the width at hand."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from kaos.cli.output import pad, width
from kaos.kube import sanitize

GAP = 2
NARROWEST = 24  # columns that the second column is given at least


@dataclass(frozen=True)
class Branch:
    """A line, what stands beside it, and the branches below."""

    name: str
    text: str = ""
    below: tuple[Branch, ...] = ()


def lines(root: Branch, columns: int | None = None) -> list[str]:
    """The tree, at most so wide (the terminal's width, 80 where there is none)."""
    columns = columns or shutil.get_terminal_size((80, 24)).columns
    rows = list(_rows(root, "", ""))
    left = max((width(first) for first, _, text in rows if text), default=0) + GAP
    left = min(left, max(columns - NARROWEST, columns // 2))
    told = []
    for first, hang, text in rows:
        if not text:
            told += _folded(first, hang, columns)
            continue
        beside = width(first) + GAP <= left
        folded = textwrap.wrap(text, columns - left, break_on_hyphens=False) or [""]
        head = f"{pad(first, left)}{folded.pop(0)}" if beside else first
        told.append(head.rstrip())
        told += [f"{pad(hang, left)}{line}".rstrip() for line in folded]
    return told


def _folded(first: str, hang: str, columns: int) -> list[str]:
    return textwrap.wrap(first, columns, subsequent_indent=f"{hang}  ", break_on_hyphens=False,
                         drop_whitespace=True) or [first]  # fmt: skip


def _rows(branch: Branch, first: str, rest: str) -> Iterator[tuple[str, str, str]]:
    """Each line with what stands before the lines that it is folded into."""
    stem = rest + ("│  " if branch.below else "")
    yield f"{first}{sanitize.line(branch.name)}", stem, sanitize.line(branch.text)
    for index, one in enumerate(branch.below):
        last = index == len(branch.below) - 1
        yield from _rows(one, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))
