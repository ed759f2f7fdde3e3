"""The tools of the agent: listed and called on its MCP servers, in both eras of the protocol."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from kaos.dataplane.agent.settings import Server
from kaos.errors import KaosError
from kaos.mcp.aio import AsyncMcpSession, HttpAnswer
from kaos.mcp.wire import MODERN, Head, McpError

Object = dict[str, Any]

LIST_TIMEOUT_S = 10.0
CALL_TIMEOUT_S = 30.0
RENEW_S = 60.0
RETRY_S = 5.0
ANSWER_LIMIT_BYTES = 8 * 1024 * 1024
RESULT_LIMIT = 1024 * 1024
IDLE_SESSIONS = 8
_NAME = re.compile(r"[^A-Za-z0-9_-]")
NAME_LIMIT = 64  # OpenAI's


class ToolFailed(Exception):
    """The call did not go well; the model is told the text."""


@dataclass(frozen=True)
class Tool:
    """One tool as the model sees it, and where it is."""

    name: str
    server: str
    own_name: str
    description: str
    schema: Object

    def offered(self) -> Object:
        function = {"name": self.name, "description": self.description, "parameters": self.schema}
        return {"type": "function", "function": function}


class ServerConnection:
    """One MCP server: its tools as it last told them, and sessions that are kept for the next call."""

    def __init__(self, server: Server, http: aiohttp.ClientSession) -> None:
        self.server = server
        self.tools: list[Object] = []
        self.problem = "not asked yet"
        self._http = http
        self._version: str | None = None
        self._idle: list[AsyncMcpSession] = []
        self._asked = -RENEW_S
        self._asking = asyncio.Lock()

    async def refresh(self) -> None:
        """Ask for the tools if that is due. A server that does not answer keeps none; nothing is raised."""
        async with self._asking:
            if time.monotonic() - self._asked < (RETRY_S if self.problem else RENEW_S):
                return
            try:
                async with asyncio.timeout(LIST_TIMEOUT_S), self._session() as session:
                    listed = await session.list_tools()
            except (KaosError, aiohttp.ClientError, OSError, TimeoutError) as error:
                self.problem = str(error) or f"no answer within {LIST_TIMEOUT_S:.0f} s"
                self.tools = []
            else:
                self.problem = ""
                self.tools = [tool for tool in listed if isinstance(tool, dict) and self._allows(tool.get("name"))]
            self._asked = time.monotonic()

    def _allows(self, name: Any) -> bool:
        def any_of(patterns: tuple[str, ...]) -> bool:
            return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)

        allow, deny = self.server.allow, self.server.deny
        return isinstance(name, str) and (not allow or any_of(allow)) and not any_of(deny)

    async def call(self, name: str, arguments: Object) -> str:
        """The tool's answer as text. Never tried again: it may have acted. Raises ToolFailed."""
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S), self._session() as session:
                result = await session.call_tool(name, arguments)
        except TimeoutError:
            raise ToolFailed(f"no answer within {CALL_TIMEOUT_S:.0f} s") from None
        except (KaosError, aiohttp.ClientError, OSError) as error:
            self._asked = -RENEW_S
            raise ToolFailed(str(error)) from None
        text = _as_text(result)
        if result.get("isError"):
            raise ToolFailed(text)
        return text

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator[AsyncMcpSession]:
        """A session for one call alone. It is kept for the next only when all went well."""
        session = self._idle.pop() if self._idle else AsyncMcpSession(self._send, self._version)
        yield session
        self._version = session.protocol_version
        if session.protocol_version != MODERN and len(self._idle) < IDLE_SESSIONS:
            self._idle.append(session)

    async def close(self) -> None:
        for session in self._idle:
            with contextlib.suppress(KaosError, aiohttp.ClientError, OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await session.close()

    async def _send(self, method: str, headers: dict[str, str], body: bytes) -> HttpAnswer:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        response = await self._http.request(
            method, self.server.url, data=body, headers=headers, timeout=timeout, allow_redirects=False
        )
        head = Head(response.status, {name.lower(): value for name, value in response.headers.items()})
        return HttpAnswer(head, _pieces(response), response.close)


async def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    size = 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > ANSWER_LIMIT_BYTES:
            raise McpError(f"the answer is larger than {ANSWER_LIMIT_BYTES // 2**20} MiB", "")
        yield piece


def _as_text(result: Object) -> str:
    """What the model reads of a CallToolResult, cut where it is endless."""
    parts = []
    for item in result.get("content") or ():
        if not isinstance(item, dict):
            continue
        match item.get("type"):
            case "text":
                parts.append(str(item.get("text", "")))
            case "resource" if "text" in (item.get("resource") or {}):
                parts.append(str(item["resource"]["text"]))
            case kind:
                parts.append(f"[{kind}: {item.get('mimeType', 'not shown')}]")
    text = "\n".join(parts)
    if not text and result.get("structuredContent") is not None:
        text = json.dumps(result["structuredContent"], ensure_ascii=False)
    if len(text) > RESULT_LIMIT:
        return text[:RESULT_LIMIT] + f"\n[cut here: {len(text) - RESULT_LIMIT} more characters]"
    return text


@dataclass
class Toolbox:
    """All servers of the agent."""

    connections: list[ServerConnection]
    _by_name: dict[str, Tool] = field(default_factory=dict)

    @classmethod
    def of(cls, servers: tuple[Server, ...], http: aiohttp.ClientSession) -> Toolbox:
        return cls([ServerConnection(server, http) for server in servers])

    async def refresh(self) -> list[Tool]:
        """The tools that are there now; a server that is away lacks its own and hinders nobody."""
        await asyncio.gather(*(connection.refresh() for connection in self.connections))
        self._by_name = {tool.name: tool for tool in _named_apart(self.connections)}
        return list(self._by_name.values())

    def find(self, name: str) -> Tool | None:
        return self._by_name.get(name)

    async def call(self, tool: Tool, arguments: Object) -> str:
        """Raises ToolFailed."""
        connection = next(one for one in self.connections if one.server.name == tool.server)
        return await connection.call(tool.own_name, arguments)

    async def close(self) -> None:
        await asyncio.gather(*(connection.close() for connection in self.connections))


def _named_apart(connections: list[ServerConnection]) -> list[Tool]:
    """Every tool under a name of its own: its own one, with its server's before it where two would be the same."""
    taken = Counter(fitting_name(tool["name"]) for one in connections for tool in one.tools)
    found = []
    for one in connections:
        for tool in one.tools:
            own = tool["name"]
            name = fitting_name(own) if taken[fitting_name(own)] == 1 else fitting_name(f"{one.server.name}__{own}")
            schema = tool.get("inputSchema")
            schema = schema if isinstance(schema, dict) else {"type": "object", "properties": {}}
            found.append(Tool(name, one.server.name, own, str(tool.get("description") or ""), schema))
    return found


def fitting_name(name: str) -> str:
    """A name that OpenAI's protocol takes."""
    fitting = _NAME.sub("_", name)
    if len(fitting) <= NAME_LIMIT:
        return fitting
    return f"{fitting[: NAME_LIMIT - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
