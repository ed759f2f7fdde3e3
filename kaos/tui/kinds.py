"""The kinds as the console handles them."""

from __future__ import annotations

from kaos.actions.kinds import KINDS

BY_COMMAND = {kind.command: kind for kind in KINDS}
# What `i` does with one: the view in which it is used.
INTERACT = {"mcp": "tools", "agent": "chat", "modelapi": "chat"}
