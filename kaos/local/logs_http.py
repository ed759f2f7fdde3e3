"""A pod's log over HTTP, sent as it grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

from aiohttp import web

from kaos.local import status
from kaos.local.paths import ResourcePath


class PodLogs(Protocol):
    """Where the API server gets a container's log from."""

    def stream(self, namespace: str, pod: str, container: str, query: dict[str, str]) -> AsyncIterator[bytes]:
        """The log in chunks. Raises ApiStatus before the first."""


async def send_log(
    request: web.Request, logs: PodLogs, where: ResourcePath, stopping: asyncio.Event
) -> web.StreamResponse:
    """Answer with the log until it ends, the caller leaves or the server stops."""
    if request.method != "GET":
        raise status.method_not_allowed()
    query = dict(request.query)
    stream = logs.stream(where.namespace or "", where.name, query.get("container", ""), query)
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    response.enable_chunked_encoding()
    stop = asyncio.ensure_future(stopping.wait())
    try:
        await response.prepare(request)
        await _pump(stream, response, stop)
    finally:
        stop.cancel()
        await stream.aclose()
    await response.write_eof()
    return response


async def _pump(stream: Any, response: web.StreamResponse, stop: asyncio.Future[Any]) -> None:
    while True:
        chunk = asyncio.ensure_future(anext(stream, None))
        try:
            await asyncio.wait({chunk, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not chunk.done():
                chunk.cancel()
                await asyncio.wait({chunk})
        if chunk.cancelled() or (data := chunk.result()) is None:
            return
        await response.write(data)
