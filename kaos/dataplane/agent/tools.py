"""The tools of the agent under names of their own, as they were when an answer began."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kaos.dataplane.agent.servers import ServerConnection

Object = dict[str, Any]

FIRST_LIST_S = 3.0  # the first answers wait for the servers, for so long
NEW_LIST_S = 3.0
NAME_LIMIT = 64  # OpenAI's
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True)
class Tool:
    """One tool as the model sees it, and where it is."""

    name: str
    own_name: str
    description: str
    schema: Object
    connection: ServerConnection

    @property
    def server(self) -> str:
        return self.connection.server.name

    def offered(self) -> Object:
        function = {"name": self.name, "description": self.description, "parameters": self.schema}
        return {"type": "function", "function": function}

    async def call(self, arguments: Object) -> str:
        """Raises ToolFailed."""
        return await self.connection.call(self.own_name, arguments)


class Toolbox:
    """All servers of the agent. One that is away lacks its own tools and hinders nobody."""

    def __init__(self, connections: list[ServerConnection]) -> None:
        self.connections = connections
        self._tasks: list[asyncio.Task[None]] = []
        self._first = 0.0

    def start(self) -> None:
        self._first = asyncio.get_running_loop().time() + FIRST_LIST_S
        self._tasks = [asyncio.create_task(one.keep_listed()) for one in self.connections]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(connection.close() for connection in self.connections))

    async def tools(self, reserved: Iterable[str] = ()) -> dict[str, Tool]:
        """What is there now, by name. Only soon after the start is anything waited for."""
        if not all(one.was_asked for one in self.connections):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._first):
                    await asyncio.gather(*(one.heard() for one in self.connections))
        for one in self.connections:
            one.want_newer()
        return self._named(reserved)

    async def newest(self, reserved: Iterable[str] = ()) -> dict[str, Tool]:
        """What is there when every server has been asked anew; those that take long are as they were."""
        asking = [asyncio.create_task(one.renewed()) for one in self.connections]
        if asking:
            _, late = await asyncio.wait(asking, timeout=NEW_LIST_S)
            for task in late:
                task.cancel()
        return self._named(reserved)

    def lacking(self) -> str:
        """Whose tools are not there now, to be put after a sentence; empty when all servers are there."""
        away = [f"tool server {one.server.name} is away, {one.problem}" for one in self.connections if one.problem]
        return "".join(f"; {one}" for one in away)

    def _named(self, reserved: Iterable[str]) -> dict[str, Tool]:
        found = [(one, tool) for one in self.connections for tool in one.tools.values()]
        names = names_apart([(one.server.name, tool["name"]) for one, tool in found], reserved)
        return {
            name: Tool(name, tool["name"], tool["description"], tool["inputSchema"], one)
            for name, (one, tool) in zip(names, found, strict=True)
        }


def names_apart(tools: list[tuple[str, str]], reserved: Iterable[str] = ()) -> list[str]:
    """A name for each (server, tool): the tool's own, with its server's before it where two would be the same."""
    own = [fitting_name(tool) for _, tool in tools]
    prefixed = [fitting_name(f"{server}__{tool}") for server, tool in tools]
    taken = {*reserved}
    counts = Counter(own)
    names = [
        short if counts[short] == 1 and short not in taken else long for short, long in zip(own, prefixed, strict=True)
    ]
    again = Counter(names)
    return [
        name if again[name] == 1 and name not in taken else _marked(name, f"{server}/{tool}")
        for name, (server, tool) in zip(names, tools, strict=True)
    ]


def fitting_name(name: str) -> str:
    """A name that OpenAI's protocol takes; different ones stay different."""
    fitting = _NO_NAME.sub("_", name)
    return fitting if 0 < len(fitting) <= NAME_LIMIT else _marked(fitting, name)


def _marked(name: str, of: str) -> str:
    return f"{name[: NAME_LIMIT - 9]}_{hashlib.sha256(of.encode(errors='replace')).hexdigest()[:8]}"
