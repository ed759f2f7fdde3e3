"""The session for programs on an event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from kaos.mcp.session import Flow, Log, Progress, Send, Session
from kaos.mcp.wire import Head

Object = dict[str, Any]
T = TypeVar("T")


@dataclass
class HttpAnswer:
    """An HTTP answer that is being read."""

    head: Head
    chunks: AsyncIterator[bytes]
    close: Callable[[], None]


SendHttp = Callable[[str, dict[str, str], bytes], Awaitable[HttpAnswer]]


class AsyncMcpSession:
    """MCP over an awaitable function that does HTTP requests to the server's endpoint."""

    def __init__(self, send: SendHttp, protocol_version: str | None = None, on_log: Log | None = None) -> None:
        self._send = send
        self._session = Session(protocol_version, on_log)

    @property
    def server_info(self) -> Object:
        return self._session.server_info

    @property
    def protocol_version(self) -> str | None:
        return self._session.protocol_version

    async def open(self) -> None:
        await self._run(self._session.open())

    async def list_tools(self) -> list[Object]:
        return await self._run(self._session.list_tools())

    async def call_tool(
        self, name: str, arguments: Object, on_progress: Progress | None = None, meta: dict[str, str] | None = None
    ) -> Object:
        return await self._run(self._session.call_tool(name, arguments, on_progress, meta))

    async def list_resources(self) -> list[Object]:
        return await self._run(self._session.list_resources())

    async def list_resource_templates(self) -> list[Object]:
        return await self._run(self._session.list_resource_templates())

    async def read_resource(self, uri: str) -> list[Object]:
        return await self._run(self._session.read_resource(uri))

    async def list_prompts(self) -> list[Object]:
        return await self._run(self._session.list_prompts())

    async def get_prompt(self, name: str, arguments: dict[str, str]) -> Object:
        return await self._run(self._session.get_prompt(name, arguments))

    async def close(self) -> None:
        await self._run(self._session.close())

    async def abandon(self) -> None:
        """After a call that was cancelled or broke: nobody waits for it any longer."""
        await self._run(self._session.abandon())

    async def _run(self, flow: Flow[T]) -> T:
        answer: HttpAnswer | None = None
        try:
            step = next(flow)
            while True:
                if isinstance(step, Send):
                    sent = await self._send(step.method, step.headers, step.body)
                    value: Head | bytes = sent.head
                    if step.aside:
                        sent.close()
                    else:
                        if answer is not None:
                            answer.close()
                        answer = sent
                else:
                    value = await anext(answer.chunks, b"")
                step = flow.send(value)
        except StopIteration as done:
            return done.value
        finally:
            if answer is not None:
                answer.close()
