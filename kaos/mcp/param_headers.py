"""Headers that repeat arguments: `x-mcp-header` in a tool's schema asks for them (2026-07-28)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kaos.mcp.wire import header_value

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def param_headers(schema: Any, arguments: Any) -> dict[str, str]:
    """The headers of a call with these arguments; an argument that is not given has none."""
    return {f"mcp-param-{name.lower()}": header_value(text) for name, text in _named(schema, arguments)}


def _named(schema: Any, value: Any) -> Iterator[tuple[str, str]]:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or not isinstance(value, dict):
        return
    for key, part in properties.items():
        given = value.get(key)
        name = part.get("x-mcp-header") if isinstance(part, dict) else None
        if isinstance(name, str) and _TOKEN.fullmatch(name) and isinstance(given, str | int):
            yield name, str(given).lower() if isinstance(given, bool) else str(given)
        yield from _named(part, given)
