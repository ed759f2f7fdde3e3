"""The handshake behind `Ready`: a real conversation in MCP with one pod, ended again.

Asked when a pod becomes ready or its container is started anew, and from time to time after that; never inside a
reconciling pass, so that a server that hangs delays nobody.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp

from kaos.api.names import MCP_CONTAINER, Reason
from kaos.cluster.aio import AsyncClient
from kaos.cluster.connection import IN_CLUSTER
from kaos.cluster.requests import pod_proxy_path
from kaos.mcp.aio import AsyncMcpSession, HttpAnswer
from kaos.mcp.wire import Head, McpError
from kaos.operator.decide import health
from kaos.operator.decide.world import Handshake

Object = dict[str, Any]
log = logging.getLogger("kaos.operator")

TIMEOUT_S = 10.0
ANSWER_LIMIT_BYTES = 4 * 1024 * 1024
AT_ONCE = 64
RENEW_S = 60.0
FIRST_RETRY_S = 1.0
_PROXY_FAILURES = (403, 404, 500, 502, 503, 504)


class Unreachable(Exception):
    """No HTTP answer came from the pod."""


class Handshakes:
    """The newest answer of each pod, and the conversations that are under way."""

    def __init__(self, client: AsyncClient, on_answer: Callable[[object], None]) -> None:
        self._client = client
        self._on_answer = on_answer  # told the key whose pod has answered
        self._room = asyncio.Semaphore(AT_ONCE)
        self._answers: dict[object, dict[str, Handshake]] = {}  # key -> pod identity -> answer
        self._asked: dict[tuple[object, str], float] = {}  # when
        self._failures: dict[tuple[object, str], int] = {}
        self._tasks: dict[tuple[object, str], asyncio.Task[None]] = {}

    def answers(self, key: object) -> tuple[Handshake, ...]:
        return tuple(self._answers.get(key, {}).values())

    def ask(self, key: object, pod: Object, port: int, path: str) -> float:
        """Shake hands with the pod if that is due; returns in how many seconds it is due again."""
        pod_key = (key, health.identity(pod, MCP_CONTAINER))
        now = asyncio.get_running_loop().time()
        if pod_key in self._tasks:
            return RENEW_S
        failures = self._failures.get(pod_key, 0)
        pause_s = min(FIRST_RETRY_S * 2 ** min(failures - 1, 6), RENEW_S) if failures else RENEW_S
        due = self._asked.get(pod_key, -RENEW_S) + pause_s
        if now < due:
            return due - now
        self._tasks[pod_key] = asyncio.create_task(self._run(key, pod_key, pod, port, path))
        return RENEW_S

    def forget(self, key: object, living: set[str] | None = None) -> None:
        """Drop what is known of pods that are gone; of all of the key's without `living`."""
        living = living or set()
        if key in self._answers:
            self._answers[key] = {pod: one for pod, one in self._answers[key].items() if pod in living}
            if not self._answers[key]:
                del self._answers[key]
        for pod_key in [pod_key for pod_key in self._asked if pod_key[0] == key and pod_key[1] not in living]:
            self._asked.pop(pod_key, None)
            self._failures.pop(pod_key, None)

    async def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, key: object, pod_key: tuple[object, str], pod: Object, port: int, path: str) -> None:
        try:
            async with self._room:
                answer = await self._converse(pod, port, path)
            self._asked[pod_key] = asyncio.get_running_loop().time()
            if answer.good:
                self._failures.pop(pod_key, None)
            else:
                self._failures[pod_key] = self._failures.get(pod_key, 0) + 1
            self._answers.setdefault(key, {})[pod_key[1]] = answer
        finally:
            self._tasks.pop(pod_key, None)
        self._on_answer(key)

    async def _converse(self, pod: Object, port: int, path: str) -> Handshake:
        """Open, list the tools, close. Never raises for anything that the server does."""
        identity = health.identity(pod, MCP_CONTAINER)

        def bad(reason: Reason, message: str) -> Handshake:
            return Handshake(identity, good=False, reason=reason, message=message)

        where = f"port {port}, path {path}"
        session = AsyncMcpSession(self._sender(pod, port, path))
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await session.open()
                tools = await session.list_tools()
                await session.close()
        except TimeoutError:
            return bad(Reason.HANDSHAKE_FAILED, f"no MCP answer within {TIMEOUT_S:.0f} s ({where}); read its log")
        except Unreachable as error:
            return bad(Reason.HANDSHAKE_FAILED, f"{error} ({where}); check spec.port and spec.path, and the log")
        except McpError as error:
            return bad(Reason.NOT_AN_MCP_SERVER, f"{error.cause} ({where}); check the image, spec.port and spec.path")
        return Handshake(
            identity,
            good=True,
            server_info=session.server_info,
            protocol_version=session.protocol_version or "",
            tools=tuple(tool for tool in tools if isinstance(tool, dict)),
        )

    def _sender(self, pod: Object, port: int, path: str) -> Callable[..., Any]:
        """In the cluster straight to the pod, elsewhere through the API server."""
        meta = pod["metadata"]
        direct = self._client.connection.context == IN_CLUSTER
        proxied = pod_proxy_path(meta["namespace"], meta["name"], port, path)

        async def send(method: str, headers: dict[str, str], body: bytes) -> HttpAnswer:
            try:
                if direct:
                    ip = pod["status"]["podIP"]
                    host = f"[{ip}]" if ":" in ip else ip
                    request = self._client.request_elsewhere(method, f"http://{host}:{port}{path}", body, headers)
                else:
                    request = self._client.request(method, proxied, body, headers)
                response = await request
            except (aiohttp.ClientError, OSError) as error:
                raise Unreachable(f"no connection: {error}") from None
            first = b"" if direct else await _first_unless_refused(response)
            head = Head(response.status, {name.lower(): value for name, value in response.headers.items()})
            return HttpAnswer(head, _chunks(first, response), response.close)

        return send


async def _first_unless_refused(response: aiohttp.ClientResponse) -> bytes:
    """The beginning of a failing answer. Raises Unreachable when it is the API server's own refusal, not the pod's."""
    if response.status not in _PROXY_FAILURES or response.content_type != "application/json":
        return b""
    first = await response.content.read(64 * 1024)
    try:
        status = json.loads(first)
    except ValueError:
        return first
    if isinstance(status, dict) and status.get("kind") == "Status" and status.get("apiVersion") == "v1":
        response.close()
        raise Unreachable(f"the API server says: {status.get('message')}")
    return first


async def _chunks(first: bytes, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    if first:
        yield first
    size = len(first)
    try:
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > ANSWER_LIMIT_BYTES:
                raise McpError(f"the answer is larger than {ANSWER_LIMIT_BYTES // 2**20} MiB", "")
            yield chunk
    except aiohttp.ClientError as error:
        raise Unreachable(f"the connection was cut: {error}") from None
