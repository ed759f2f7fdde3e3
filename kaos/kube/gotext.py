"""Values as Go prints them (`%v`), for messages that are worded as an API server words them."""

from __future__ import annotations

from typing import Any


def shown(value: Any) -> str:
    """`map[a:1 b:[x y]]`."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{shown(item)}" for key, item in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(shown(item) for item in value) + "]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)
