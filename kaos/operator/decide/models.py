"""Which models a ModelAPI serves: exact names, `prefix/*`, or `*`."""

from __future__ import annotations


def matches(served: str, wanted: str) -> bool:
    """Whether a served name covers the wanted one."""
    if served == "*":
        return True
    if served.endswith("/*"):
        return wanted.startswith(served[:-1]) and len(wanted) > len(served) - 1
    return served == wanted
