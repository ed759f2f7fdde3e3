"""One MCP server of the agent: its tools as it last told them, and calls of them, in both eras of the protocol.

The list is kept by a task of its own, so that a server that hangs delays no answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import aiohttp

from kaos.dataplane.agent.results import as_text, cut
from kaos.dataplane.agent.settings import Limits, Server
from kaos.dataplane.agent.turns import ToolFailed
from kaos.dataplane.faults import worded
from kaos.dataplane.telemetry import Telemetry
from kaos.errors import KaosError
from kaos.kube import sanitize
from kaos.mcp.aio import AsyncMcpSession, HttpAnswer
from kaos.mcp.wire import MODERN, Head, McpError, RpcError

Object = dict[str, Any]
log = logging.getLogger("kaos.agent")

LIST_TIMEOUT_S = 10.0
RENEW_S = 60.0  # a list that nobody asks for is renewed so often
FRESH_S = 5.0  # one that somebody asks for is renewed, behind the answer, when it is older
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 5.0
CONNECT_S = 5.0
FAREWELL_S = 2.0
ANSWER_LIMIT_BYTES = 8 * 1024 * 1024
BEGINNING_BYTES = 16 * 1024
IDLE_SESSIONS = 8
TOOLS_LIMIT = 256
DESCRIPTION_LIMIT = 4096
SCHEMA_LIMIT = 64 * 1024
NAME_LIMIT = 128
_FAULTS = (KaosError, aiohttp.ClientError, OSError, RecursionError)


class TooLarge(McpError):
    """An answer that nobody will read to its end; its beginning may still help."""

    def __init__(self, beginning: bytes) -> None:
        super().__init__(f"the answer is larger than {ANSWER_LIMIT_BYTES // 2**20} MiB", "")
        self.beginning = beginning


class ServerConnection:
    """A server, and sessions with it that are kept for the next call."""

    def __init__(self, server: Server, http: aiohttp.ClientSession, limits: Limits, telemetry: Telemetry) -> None:
        self.server = server
        self.tools: dict[str, Object] = {}  # by their own name, as the agent may use them
        self.problem = "not asked yet"
        self._http = http
        self._limits = limits
        self._telemetry = telemetry
        self._version: str | None = None
        self._idle: list[AsyncMcpSession] = []
        self._farewells: set[asyncio.Task[None]] = set()
        self._listed_at = -RENEW_S
        self._failures = 0
        self._wanted = asyncio.Event()  # somebody would like a newer list
        self._heard = asyncio.Condition()  # told at every answer, good or bad
        self._answers = 0

    # The list.

    async def keep_listed(self) -> None:
        """Ask for the tools, again and again."""
        while True:
            await self._list()
            async with self._heard:
                self._answers += 1
                self._heard.notify_all()
            pause_s = min(FIRST_RETRY_S * 2 ** min(self._failures - 1, 8), LAST_RETRY_S) if self._failures else RENEW_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wanted.wait()
            self._wanted.clear()

    def want_newer(self) -> None:
        """Have the list renewed soon, unless it is new."""
        age_s = time.monotonic() - self._listed_at
        if age_s > (FIRST_RETRY_S if self._failures else FRESH_S):
            self._wanted.set()

    @property
    def was_asked(self) -> bool:
        return self._answers > 0

    async def heard(self, answers: int = 1) -> None:
        """Until the server has been asked so many times."""
        async with self._heard:
            await self._heard.wait_for(lambda: self._answers >= answers)

    async def renewed(self) -> None:
        """Until the list is one of now."""
        if time.monotonic() - self._listed_at < FIRST_RETRY_S:
            return
        answers = self._answers + 1
        self._wanted.set()
        await self.heard(answers)

    async def _list(self) -> None:
        try:
            async with asyncio.timeout(LIST_TIMEOUT_S), self._session() as session:
                listed = await session.list_tools()
        except TimeoutError:
            self._lost(self._told(f"no list of tools within {LIST_TIMEOUT_S:.0f} s"))
        except _FAULTS as error:
            self._lost(self._told(worded(error)))
        else:
            tools = {tool["name"]: tool for tool in map(self._usable, listed[:TOOLS_LIMIT]) if tool is not None}
            self._tell_of_changes(tools)
            self.tools, self.problem, self._failures = tools, "", 0
        self._listed_at = time.monotonic()

    def _lost(self, problem: str) -> None:
        if not self._failures:
            log.warning("tool server %s is away: %s", self.server.name, sanitize.line(problem))
        self.tools, self.problem = {}, problem
        self._failures += 1

    def _usable(self, tool: Object) -> Object | None:
        """The parts of a tool that the model is told, or None for one that is not allowed or cannot be offered."""
        name, schema = tool["name"], tool.get("inputSchema", {})
        if not self._allows(name):
            return None
        try:
            if not name.isprintable() or not 0 < len(name) <= NAME_LIMIT:
                raise ValueError("its name is none")
            if not isinstance(schema, dict) or schema.get("type", "object") != "object":
                raise ValueError("its inputSchema describes no object")
            if len(json.dumps(schema)) > SCHEMA_LIMIT:
                raise ValueError(f"its inputSchema is larger than {SCHEMA_LIMIT // 1024} KiB")
        except (ValueError, RecursionError) as error:
            left = f"left out tool {name[:NAME_LIMIT]} of {self.server.name}: {error or 'its inputSchema has no end'}"
            log.warning("%s", sanitize.line(left))
            return None
        description = cut(str(tool.get("description") or ""), DESCRIPTION_LIMIT)
        return {
            "name": name,
            "description": description,
            "inputSchema": {"properties": {}} | schema | {"type": "object"},
        }

    def _allows(self, name: str) -> bool:
        def any_of(patterns: tuple[str, ...]) -> bool:
            return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)

        allow, deny = self.server.allow, self.server.deny
        return (not allow or any_of(allow)) and not any_of(deny)

    def _tell_of_changes(self, tools: dict[str, Object]) -> None:
        """A server that changes what its tools say of themselves may be up to something."""
        server, before = self.server.name, self.tools
        if self._failures or self._answers == 0:
            log.info("tool server %s: %d tools", server, len(tools))
            return
        changed = [f"+{name}" for name in tools if name not in before]
        changed += [f"-{name}" for name in before if name not in tools]
        changed += [f"~{name}" for name in tools if name in before and tools[name] != before[name]]
        if changed:
            log.warning("tools of %s changed: %s", server, sanitize.line(" ".join(changed)))

    # Calls.

    async def call(self, name: str, arguments: Object) -> str:
        """The tool's answer as text. Never tried again: it may have acted. Raises ToolFailed."""
        silence_s, loop = self._limits.tool_silence_s, asyncio.get_running_loop()
        end = loop.time() + self._limits.tool_s
        failed = False
        try:
            async with asyncio.timeout_at(min(loop.time() + silence_s, end)) as limit:

                def heard(*_: object) -> None:
                    limit.reschedule(min(loop.time() + silence_s, end))

                async with self._session() as session:
                    result = await session.call_tool(name, arguments, heard, self._telemetry.outgoing())
            text, failed = as_text(result, self._limits.tool_result), bool(result.get("isError"))
        except TimeoutError:
            whole = loop.time() >= end
            waited_s = self._limits.tool_s if whole else silence_s
            raise ToolFailed(f"no {'answer' if whole else 'answer or progress'} within {waited_s:g} s") from None
        except TooLarge as error:
            beginning = error.beginning.decode(errors="replace")
            raise ToolFailed(f"{error.cause}. [cut here; it begins with:] {beginning}") from None
        except RpcError as error:
            self._wanted.set()  # another than it was
            raise ToolFailed(str(error)) from None
        except _FAULTS as error:
            self._wanted.set()  # gone
            why = "the answer is nested too deeply" if isinstance(error, RecursionError) else worded(error)
            raise ToolFailed(f"tool server {self.server.name}: {self._told(why)}") from None
        if failed:
            raise ToolFailed(text)
        return text

    def _told(self, why: str) -> str:
        """For a person who may not know what stands behind the name."""
        return f"{self.server.url}: {why}; see: kaos mcp describe {self.server.name}"

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator[AsyncMcpSession]:
        """A session for one call alone; it is kept for the next unless something went wrong in it."""
        session = self._idle.pop() if self._idle else AsyncMcpSession(self._send, self._version)
        good = False
        try:
            yield session
            good = True
        except RpcError:
            good = True  # a refusal is an answer
            raise
        finally:
            if good and len(self._idle) < IDLE_SESSIONS:
                self._version = session.protocol_version
                self._idle.append(session)
            elif session.protocol_version != MODERN:
                farewell = asyncio.create_task(_leave(session.abandon()))
                self._farewells.add(farewell)
                farewell.add_done_callback(self._farewells.discard)

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        await asyncio.gather(*(_leave(session.close()) for session in idle), *self._farewells)

    async def _send(self, method: str, headers: dict[str, str], body: bytes) -> HttpAnswer:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
        headers = headers | self._telemetry.outgoing()
        response = await self._http.request(
            method, self.server.url, data=body, headers=headers, timeout=timeout, allow_redirects=False
        )
        head = Head(response.status, {name.lower(): value for name, value in response.headers.items()})
        return HttpAnswer(head, _pieces(response), response.close)


async def _leave(farewell: Awaitable[None]) -> None:
    """End a session. A server that does not listen has time limits of its own."""
    with contextlib.suppress(*_FAULTS, TimeoutError):
        async with asyncio.timeout(FAREWELL_S):
            await farewell


async def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    size, beginning = 0, b""
    async for piece in response.content.iter_any():
        size += len(piece)
        if len(beginning) < BEGINNING_BYTES:
            beginning += piece[:BEGINNING_BYTES]
        if size > ANSWER_LIMIT_BYTES:
            raise TooLarge(beginning[:BEGINNING_BYTES])
        yield piece
