"""What the model reads of a tool's answer: its text, what else there is by name, cut where it is endless."""

from __future__ import annotations

import json
from typing import Any

Object = dict[str, Any]


def as_text(result: Object, limit: int) -> str:
    """The text of a CallToolResult, of at most `limit` characters and a mark."""
    parts: list[str] = []
    size, left_out = 0, 0
    for item in result.get("content") or ():
        if size > limit:
            left_out += 1
            continue
        part = _shown(item)
        size += len(part) + 1
        parts.append(part)
    text = "\n".join(parts)
    if not text and result.get("structuredContent") is not None:
        text = json.dumps(result["structuredContent"], ensure_ascii=False)
    return cut(text, limit, f" and {left_out} more items" if left_out else "")


def cut(text: str, limit: int, more: str = "") -> str:
    """The text, or its beginning with a mark that says how much is missing."""
    if len(text) <= limit and not more:
        return text
    return f"{text[:limit]}\n[cut here: {max(0, len(text) - limit)} more characters{more}]"


def _shown(item: Object) -> str:
    match item.get("type"):
        case "text":
            return str(item.get("text", ""))
        case "resource" if isinstance(resource := item.get("resource"), dict):
            return str(resource.get("text") or f"[resource {resource.get('uri')}: not text]")
        case "resource_link":
            return f"[link: {item.get('uri')}]"
        case kind:
            return f"[{kind}, {item.get('mimeType', 'of no stated kind')}: not text]"
