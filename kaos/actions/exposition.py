"""Numbers as Prometheus reads them: the text under `/metrics` into samples, and quantiles of its histograms. Pure.

A parser of our own, since the library that has one is no part of the bare command and takes longer to import than this.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\s*")
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?')
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Sample:
    """One line: a name, its labels, a number."""

    name: str
    labels: dict[str, str]
    value: float


def parse(text: str) -> list[Sample]:
    """The samples of a page; lines that are none are passed over."""
    found = []
    for line in text.splitlines():
        match = None if line.startswith("#") else _SAMPLE.fullmatch(line)
        if match is None:
            continue
        try:
            value = float(match[3])
        except ValueError:
            continue
        found.append(Sample(match[1], {key: _plain(raw) for key, raw in _LABEL.findall(match[2] or "")}, value))
    return found


def _plain(raw: str) -> str:
    return _ESCAPE.sub(lambda found: "\n" if found[1] == "n" else found[1], raw)


def total(samples: Iterable[Sample], name: str) -> float:
    return sum(one.value for one in samples if one.name == name)


def buckets(samples: Iterable[Sample], name: str) -> dict[float, float]:
    """The cumulative counts of a histogram, by upper bound, over all its labels."""
    counts: dict[float, float] = {}
    for one in samples:
        if one.name == f"{name}_bucket" and "le" in one.labels:
            try:
                bound = float(one.labels["le"])
            except ValueError:
                continue
            counts[bound] = counts.get(bound, 0.0) + one.value
    return dict(sorted(counts.items()))


def quantile(part: float, counts: dict[float, float]) -> float | None:
    """The value below which this part of all lies, straight between the bounds of its bucket; None of nothing."""
    whole = counts.get(math.inf, 0.0)
    if whole <= 0:
        return None
    rank, below, before = part * whole, 0.0, 0.0
    for bound, count in counts.items():
        if count >= rank:
            if math.isinf(bound):
                return below  # beyond the last bound nothing is known
            inside = count - before
            return bound if inside <= 0 else below + (bound - below) * (rank - before) / inside
        below, before = bound, count
    return None
