"""HTTP to one pod: in the cluster straight to its address, elsewhere through the API server's proxy."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from kaos.cluster.aio import AsyncClient
from kaos.cluster.connection import IN_CLUSTER
from kaos.cluster.requests import pod_proxy_path
from kaos.mcp.aio import HttpAnswer
from kaos.mcp.wire import Head
from kaos.operator.decide.world import Ask

Object = dict[str, Any]
ANSWERS_LIMIT_BYTES = 8 * 1024 * 1024
_PROXY_FAILURES = (403, 404, 500, 502, 503, 504)

Send = Callable[[str, dict[str, str], bytes], Awaitable[HttpAnswer]]


class Unreachable(Exception):
    """No HTTP answer came from the pod."""


class Refused(ValueError):
    """The pod answered, and not with what was asked for."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class TooLarge(Exception):
    """The answer has no end that we would wait for."""


def sender(client: AsyncClient, ask: Ask, path: str) -> Send:
    """A function that sends requests to that path of the pod. It raises Unreachable.

    All the answers together may be as large as ANSWERS_LIMIT_BYTES, then their chunks raise TooLarge.
    """
    allowance = _Allowance(ANSWERS_LIMIT_BYTES)
    meta = ask.pod["metadata"]
    direct = client.connection.context == IN_CLUSTER
    proxied = pod_proxy_path(meta["namespace"], meta["name"], ask.port, path)

    async def send(method: str, headers: dict[str, str], body: bytes) -> HttpAnswer:
        try:
            if direct:
                ip = ask.pod["status"]["podIP"]
                host = f"[{ip}]" if ":" in ip else ip
                request = client.request_elsewhere(method, f"http://{host}:{ask.port}{path}", body, headers)
            else:
                request = client.request(method, proxied, body, headers)
            response = await request
        except aiohttp.ClientResponseError:
            raise Unreachable("what listens there speaks no HTTP") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"no connection: {error}") from None
        first = b"" if direct else await _first_unless_refused(response)
        head = Head(response.status, {name.lower(): value for name, value in response.headers.items()})
        return HttpAnswer(head, _chunks(first, response, allowance), response.close)

    return send


async def get_json(client: AsyncClient, ask: Ask, path: str) -> Any:
    """What the pod answers to GET. Raises Unreachable, TooLarge, Refused, ValueError for what is no JSON."""
    answer = await sender(client, ask, path)("GET", {"accept": "application/json"}, b"")
    try:
        body = b"".join([chunk async for chunk in answer.chunks])
    finally:
        answer.close()
    if answer.head.status != 200:
        text = body[:200].decode(errors="replace").strip()
        raise Refused(answer.head.status, f"HTTP {answer.head.status} to {path}{': ' + text if text else ''}")
    return json.loads(body)


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


@dataclass
class _Allowance:
    left: int


async def _chunks(first: bytes, response: aiohttp.ClientResponse, allowance: _Allowance) -> AsyncIterator[bytes]:
    if first:
        yield first
    try:
        async for chunk in response.content.iter_any():
            allowance.left -= len(chunk)
            if allowance.left < 0:
                raise TooLarge(f"the answers are larger than {ANSWERS_LIMIT_BYTES // 2**20} MiB")
            yield chunk
    except aiohttp.ClientError as error:
        raise Unreachable(f"the connection was cut: {error}") from None
