"""The session for programs that wait: one call after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from kaos.mcp.questions import Ask
from kaos.mcp.session import Flow, Log, Progress, Send, Session
from kaos.mcp.wire import Head

Object = dict[str, Any]
T = TypeVar("T")


@dataclass
class HttpAnswer:
    """An HTTP answer that is being read."""

    head: Head
    chunks: Iterator[bytes]
    close: Callable[[], None]


SendHttp = Callable[[str, dict[str, str], bytes], HttpAnswer]


class McpSession:
    """MCP over a function that does HTTP requests to the server's endpoint."""

    def __init__(
        self,
        send: SendHttp,
        protocol_version: str | None = None,
        on_log: Log | None = None,
        on_ask: Ask | None = None,
    ) -> None:
        self._send = send
        self._session = Session(protocol_version, on_log, on_ask)

    def __enter__(self) -> McpSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def server_info(self) -> Object:
        return self._session.server_info

    @property
    def protocol_version(self) -> str | None:
        return self._session.protocol_version

    def open(self) -> None:
        self._run(self._session.open())

    def list_tools(self) -> list[Object]:
        return self._run(self._session.list_tools())

    def call_tool(self, name: str, arguments: Object, on_progress: Progress | None = None) -> Object:
        return self._run(self._session.call_tool(name, arguments, on_progress))

    def list_resources(self) -> list[Object]:
        return self._run(self._session.list_resources())

    def list_resource_templates(self) -> list[Object]:
        return self._run(self._session.list_resource_templates())

    def read_resource(self, uri: str) -> list[Object]:
        return self._run(self._session.read_resource(uri))

    def list_prompts(self) -> list[Object]:
        return self._run(self._session.list_prompts())

    def get_prompt(self, name: str, arguments: dict[str, str]) -> Object:
        return self._run(self._session.get_prompt(name, arguments))

    def close(self, send: SendHttp | None = None) -> None:
        self._run(self._session.close(), send)

    def abandon(self, send: SendHttp | None = None) -> None:
        """After a call that broke, or while another thread still waits for it: nobody wants its answer any longer."""
        self._run(self._session.abandon(), send)

    def _run(self, flow: Flow[T], send: SendHttp | None = None) -> T:
        send = send or self._send
        answer: HttpAnswer | None = None
        try:
            step = next(flow)
            while True:
                if isinstance(step, Send):
                    sent = send(step.method, step.headers, step.body)
                    value: Head | bytes = sent.head
                    if step.aside:
                        sent.close()
                    else:
                        if answer is not None:
                            answer.close()
                        answer = sent
                else:
                    value = next(answer.chunks, b"")
                step = flow.send(value)
        except StopIteration as done:
            return done.value
        finally:
            if answer is not None:
                answer.close()
