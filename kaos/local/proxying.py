"""The service and pod proxy: HTTP through the API server to a pod, streamed both ways, unbuffered."""

from __future__ import annotations

import asyncio
from typing import Protocol

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from kaos.local import status
from kaos.local.paths import ResourcePath

_HOP_BY_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade",
}  # fmt: skip
_NOT_PASSED_ON = _HOP_BY_HOP | {"authorization", "accept-encoding", "content-length"}


class Addresses(Protocol):
    """Where a Service or pod can be reached on this machine."""

    def endpoints(self, namespace: str, service: str, port: str) -> list[tuple[str, int]]:
        """Host and port of each ready pod of the Service; port is a number, a name or empty for the only one."""

    def pod_endpoint(self, namespace: str, pod: str, port: str) -> tuple[str, int] | None:
        """Host and port of a container port of the pod; empty for the first one."""


class Proxy:
    """Carries requests to pods."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        # A kept connection may end just as a pod is asked to: a new one a request loses nothing and costs 0.2 ms.
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        # Pods answer in the encoding the caller asked for; nothing is unpacked on the way.
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def handle(self, request: web.Request, where: ResourcePath) -> web.StreamResponse:
        upstream = await self._ask(request, where)
        try:
            return await self._pass_back(request, upstream)
        finally:
            # An unread answer must end at the pod when the caller has gone.
            upstream.close()

    async def _ask(self, request: web.Request, where: ResourcePath) -> aiohttp.ClientResponse:
        """The answer of the first pod that can be connected to. Raises ApiStatus 503."""
        problem: BaseException | None = None
        for host, port in self._targets(where):
            try:
                return await self._send(request, where, host, port)
            except aiohttp.ClientConnectorError as error:
                problem = error  # nothing was sent: the next pod may be asked
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                problem = error
                break
        raise status.unavailable(f"error trying to reach service: {_short(problem)}")

    async def _send(self, request: web.Request, where: ResourcePath, host: str, port: int) -> aiohttp.ClientResponse:
        headers = CIMultiDict(
            (name, value) for name, value in request.headers.items() if name.lower() not in _NOT_PASSED_ON
        )
        headers["Accept-Encoding"] = request.headers.get("Accept-Encoding", "identity")
        headers["X-Forwarded-Host"] = request.host
        headers["X-Forwarded-For"] = request.remote or "127.0.0.1"
        headers["Host"] = f"{host}:{port}"
        url = URL(f"http://{host}:{port}/{where.rest}", encoded=True)
        if request.rel_url.raw_query_string:
            url = URL(f"{url}?{request.rel_url.raw_query_string}", encoded=True)
        body = request.content if request.body_exists else None
        if body is not None and request.content_length is not None:
            headers["Content-Length"] = str(request.content_length)
        return await self._session.request(request.method, url, headers=headers, data=body, allow_redirects=False)

    def _targets(self, where: ResourcePath) -> list[tuple[str, int]]:
        """Where to try, in order; at least one. Raises ApiStatus."""
        parts = where.name.split(":")
        scheme, name, port = parts if len(parts) == 3 else ["", parts[0], parts[1] if len(parts) > 1 else ""]
        if scheme == "https":
            raise status.not_implemented("https to pods through the proxy")
        if where.plural == "pods":
            one = self._addresses.pod_endpoint(where.namespace or "", name, port)
            if one is None:
                raise status.unavailable(f"no port {port or 'at all'} of pod {name} is served here")
            return [one]
        found = self._addresses.endpoints(where.namespace or "", name, port)
        if not found:
            raise status.unavailable(f'no endpoints available for service "{where.name}"')
        return found

    async def _pass_back(self, request: web.Request, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
        response = web.StreamResponse(status=upstream.status, reason=upstream.reason)
        for name, value in upstream.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                response.headers.add(name, value)
        await response.prepare(request)
        try:
            async for chunk in upstream.content.iter_any():
                await response.write(chunk)
        except (aiohttp.ClientError, asyncio.IncompleteReadError):
            # The pod went away in the middle: the caller must see a cut answer, not a short good one.
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the pod ended its answer early") from None
        await response.write_eof()
        return response


def _short(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
