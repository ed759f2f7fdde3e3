"""What stands in front of an MCPServer, in words: its filter of tools, and the server elsewhere that it relays."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]


def rules(tools: Object | None) -> str:
    """A filter of tools; empty when there is none."""
    return "; ".join(f"{word} {', '.join(tools[word])}" for word in ("allow", "deny") if (tools or {}).get(word))


def remote(spec: Object) -> str:
    """Where a server runs elsewhere, and what it is told; empty when it runs here. Keys are named, never shown."""
    found = spec.get("remote")
    if not found:
        return ""
    headers = [
        f"{one.get('name')} from {one['secretKeyRef'].get('key')} of Secret {one['secretKeyRef'].get('name')}"
        for one in found.get("headersFrom") or ()
    ]
    return str(found.get("url")) + (f", with {', '.join(headers)}" if headers else "")
