"""What the kubelet asks an operator in a pod: whether it goes on by itself, and whether it does its work.

A leader works when it watches every kind: a dead watch behind a green probe is how operators fail.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

REQUEST_S = 5.0


@contextlib.asynccontextmanager
async def served(port: int | None, is_live: Callable[[], bool], is_ready: Callable[[], bool]) -> AsyncIterator[None]:
    """Answer on that port of every address; on none without a port."""
    if port is None:
        yield
        return

    questions = {b"/livez": is_live, b"/readyz": is_ready}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_S):
                asked = (await reader.readline()).split()
                question = questions.get(asked[1] if len(asked) > 1 else b"")
                good = question is not None and question()
                body = b"ok\n" if good else b"not ready\n"
                status = b"200 OK" if good else b"503 Service Unavailable"
                head = b"Content-Type: text/plain\r\nConnection: close\r\nContent-Length: %d" % len(body)
                writer.write(b"HTTP/1.1 %s\r\n%s\r\n\r\n%s" % (status, head, body))
                await writer.drain()
        except (OSError, TimeoutError, ValueError):
            pass  # whoever asked has gone, or speaks no HTTP
        finally:
            writer.close()

    server = await asyncio.start_server(answer, None, port)
    try:
        yield
    finally:
        server.close()
