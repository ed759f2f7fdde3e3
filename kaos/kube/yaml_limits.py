"""What YAML from outside may cost, checked before it is loaded.

The C loader recurses without end: 60,000 brackets kill the process. Aliases of aliases are a few hundred bytes that
unfold to gigabytes once they are written out again. Both are seen here, from the events, which cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 100
MAX_NODES = 500_000  # with every alias unfolded
MAX_DOCUMENTS = 10_000


class TooMuch(ValueError):
    """The document would cost too much; the text says where and why."""


def check(text: str | bytes) -> None:
    """Raises TooMuch; and yaml.YAMLError for what is no YAML."""
    import yaml

    if len(text) > MAX_BYTES:
        raise TooMuch(f"it is larger than {MAX_BYTES // 2**20} MiB")
    try:
        _count(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.MarkedYAMLError as error:
        if "nesting depth" in (error.problem or ""):  # libyaml reads ahead, and has a limit of its own
            raise _too_deep(error.problem_mark.line) from None
        raise


def _too_deep(line: int) -> TooMuch:
    return TooMuch(f"line {line + 1}: nested more than {MAX_DEPTH} deep")


def _count(events: Iterable[Any]) -> None:
    import yaml

    nodes = documents = 0
    sizes: dict[str, int] = {}  # of the anchored parts that are complete
    open_parts: list[tuple[str | None, int]] = []  # anchor, and how many nodes there were before
    for event in events:
        match event:
            case yaml.ScalarEvent():
                nodes += 1
                if event.anchor:
                    sizes[event.anchor] = 1
            case yaml.AliasEvent():
                if any(anchor == event.anchor for anchor, _ in open_parts):
                    raise TooMuch(f"line {event.start_mark.line + 1}: *{event.anchor} holds itself")
                nodes += sizes.get(event.anchor, 1)
            case yaml.CollectionStartEvent():
                open_parts.append((event.anchor, nodes))
                nodes += 1
                if len(open_parts) > MAX_DEPTH:
                    raise _too_deep(event.start_mark.line)
            case yaml.CollectionEndEvent():
                anchor, before = open_parts.pop()
                if anchor:
                    sizes[anchor] = nodes - before
            case yaml.DocumentStartEvent():
                documents += 1
                sizes.clear()
        if nodes > MAX_NODES:
            raise TooMuch(f"line {event.start_mark.line + 1}: more than {MAX_NODES:,} values, aliases unfolded")
        if documents > MAX_DOCUMENTS:
            raise TooMuch(f"more than {MAX_DOCUMENTS:,} documents")
