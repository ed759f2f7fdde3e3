"""Which tools are shown and may be called; deny wins over allow.

A filter is worth as much as the certainty that the server behind it reads a call as it was read here: what two readers
could understand differently does not pass.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from kaos.dataplane.bridge.message import Edit, Malformed, Message
from kaos.kube import sanitize
from kaos.mcp.wire import INVALID_PARAMS

LISTING, CALLING = "tools/list", "tools/call"
# Readers that do not mind the case of keys (Go's) would take others for these.
_OF_MESSAGE = ("jsonrpc", "id", "method", "params", "result", "error")
_OF_CALL = ("name", "arguments", "_meta")
_NAME_LIMIT = 128


@dataclass(frozen=True)
class ToolsFilter:
    """Shell-style patterns; without `allow` all tools are allowed."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        return not self.allow and not self.deny

    def allows(self, name: object) -> bool:
        if not isinstance(name, str):
            return self.is_open
        return (not self.allow or _any_of(self.allow, name)) and not _any_of(self.deny, name)

    def refusal(self, message: Message) -> tuple[int, str] | None:
        """Code and reason when a message of a client must not reach the server. Raises Malformed."""
        if self.is_open:
            return None
        _unmistakable(message.members, _OF_MESSAGE)
        if message.method != CALLING:
            return None
        params = message.inside("params")  # a name that is there twice is found here
        _unmistakable(params, _OF_CALL)
        name = message.params.get("name")
        if self.allows(name):
            return None
        told = sanitize.line(name[:_NAME_LIMIT]) if isinstance(name, str) else "without a name"
        return INVALID_PARAMS, f"tool {told} is not offered here: the server's filter leaves it out"

    def shown(self, answer: Message) -> list[Edit]:
        """Edits that leave in an answer to tools/list what the filter does."""
        if self.is_open or not isinstance(answer.result, dict) or not isinstance(answer.result.get("tools"), list):
            return []
        try:
            tools = answer.inside("result")["tools"]
        except Malformed:  # two readers would find two lists in it
            return [answer.replace(answer.members["result"], '{"tools":[]}')]
        found = answer.elements(tools)
        kept = [text for tool, text in found if isinstance(tool, dict) and self.allows(tool.get("name"))]
        return [] if len(kept) == len(found) else [answer.replace(tools, f"[{','.join(kept)}]")]


OPEN = ToolsFilter()


def _any_of(patterns: tuple[str, ...], name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _unmistakable(keys: object, known: tuple[str, ...]) -> None:
    for key in keys:
        if key not in known and key.casefold() in known:
            raise Malformed(f"{sanitize.line(key)!r} could be taken for {key.casefold()!r}")
