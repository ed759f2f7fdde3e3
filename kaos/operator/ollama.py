"""Ollama's own protocol: pulling a model with its progress, and loading it. Source: Ollama's API reference."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from kaos.cluster.aio import AsyncClient
from kaos.operator.decide.world import Ask
from kaos.operator.podhttp import sender

Object = dict[str, Any]
TELL_S = 2.0  # between two words about how far a pull is
SILENT_S = 120.0
_LOOPBACK = ("127.0.0.1:", "localhost:")


async def pull(client: AsyncClient, ask: Ask, tell: Callable[[str], None]) -> None:
    """Pull the whole model, telling in words how far it is. Raises ValueError when it cannot be had, TimeoutError."""
    body = {"model": ask.model, "stream": True, "insecure": ask.model.startswith(_LOOPBACK)}
    send, headers = sender(client, ask, "/api/pull"), {"content-type": "application/json"}
    answer = await send("POST", headers, json.dumps(body).encode())
    told_at, rest = -TELL_S, b""
    try:
        while True:
            async with asyncio.timeout(SILENT_S):
                chunk = await anext(answer.chunks, b"")
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                told = _progress(line)
                if told and time.monotonic() - told_at >= TELL_S:
                    told_at = time.monotonic()
                    tell(f"pulling model {ask.model}: {told}")
    finally:
        answer.close()


def _progress(line: bytes) -> str:
    """One line of the stream in words; nothing for an empty one."""
    step = json.loads(line or b"{}")
    if error := step.get("error"):
        raise ValueError(f"the model cannot be pulled: {error}")
    total, done = step.get("total"), step.get("completed") or 0
    if isinstance(total, int) and total:
        return f"{100 * done // total} % ({_size(done)} of {_size(total)})"
    return str(step.get("status") or "")


def _size(count: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count} {unit}"
        count //= 1000
    return f"{count} GB"


async def load(client: AsyncClient, ask: Ask) -> None:
    """Load the model; it answers at once from then on. Raises ValueError when it cannot."""
    body = json.dumps({"model": ask.model, "stream": False}).encode()
    answer = await sender(client, ask, "/api/generate")("POST", {"content-type": "application/json"}, body)
    try:
        data = b"".join([chunk async for chunk in answer.chunks])
    finally:
        answer.close()
    told = json.loads(data)
    if answer.head.status != 200 or told.get("error"):
        raise ValueError(f"the model cannot be loaded: {told.get('error', f'HTTP {answer.head.status}')}")
