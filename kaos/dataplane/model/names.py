"""Which served name covers a wanted one: the same, or one with a `*` that stands for a part of it."""

from __future__ import annotations

from collections.abc import Iterable


def stands_for(served: str, wanted: str) -> str | None:
    """What the served name's `*` stands for; empty when it has none; None when it does not cover the wanted one."""
    if served == wanted:
        return ""
    before, star, after = served.partition("*")
    long_enough = len(wanted) > len(before) + len(after)
    if star and long_enough and wanted.startswith(before) and wanted.endswith(after):
        return wanted[len(before) : len(wanted) - len(after)]
    return None


def best(served: Iterable[str], wanted: str) -> str | None:
    """The served name that fits best: the same one, else the one of which most is given."""
    fitting = [name for name in served if stands_for(name, wanted) is not None]
    return max(fitting, key=lambda name: (name == wanted, len(name)), default=None)
