"""What a server says of itself, cut to what a status takes: its words may be anything."""

from __future__ import annotations

import re
from typing import Any

Object = dict[str, Any]
TOOLS_LIMIT = 256
NAME_LIMIT = 256
DESCRIPTION_LIMIT = 200
_SURROGATES = re.compile("[\ud800-\udfff]")  # halves of characters, which JSON can name and UTF-8 cannot


def plain(text: str) -> str:
    """The text as an API server would store it."""
    return _SURROGATES.sub("\ufffd", text)


def described_tools(tools: list[Any]) -> list[Object]:
    """Name and the beginning of the description of each tool, as far as they are any."""
    shown = []
    for tool in tools[:TOOLS_LIMIT]:
        name, description = (tool.get("name"), tool.get("description")) if isinstance(tool, dict) else (None, None)
        if not isinstance(name, str) or not 0 < len(name) <= NAME_LIMIT:
            continue
        entry = {"name": plain(name)}
        if isinstance(description, str) and description:
            cut = len(description) > DESCRIPTION_LIMIT
            entry["description"] = plain(description[: DESCRIPTION_LIMIT - 1] + "…" if cut else description)
        shown.append(entry)
    return shown


def server_info(info: Object) -> Object:
    """Name and version."""
    return {key: plain(str(info[key])[:NAME_LIMIT]) for key in ("name", "version") if info.get(key)}
