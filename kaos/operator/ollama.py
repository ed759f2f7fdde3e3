"""Ollama's own protocol: pulling a model with its progress, and loading it. Source: Ollama's API reference."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable

from kaos.api.ollama import PULL_PATH, Pull
from kaos.cluster.aio import AsyncClient
from kaos.operator.decide.world import Ask
from kaos.operator.podhttp import sender

TELL_S = 2.0  # between two words about how far a pull is
SILENT_S = 120.0


class NoModel(Exception):
    """Ollama is well, but cannot have the model."""


async def pull(client: AsyncClient, ask: Ask, tell: Callable[[str], None]) -> None:
    """Pull the whole model, telling in words how far it is. Raises NoModel when it cannot be had, TimeoutError."""
    pulling = Pull(ask.model)
    send, headers = sender(client, ask, PULL_PATH), {"content-type": "application/json"}
    answer = await send("POST", headers, pulling.request)
    told_at = -TELL_S
    try:
        while True:
            async with asyncio.timeout(SILENT_S):
                piece = await anext(answer.chunks, b"")
            if not piece:
                return
            for step in pulling.feed(piece):
                if time.monotonic() - told_at >= TELL_S:
                    told_at = time.monotonic()
                    tell(f"pulling model {ask.model}: {step}")
    except ValueError as error:
        raise NoModel(f"model {ask.model}: {error}; check hostedConfig.model and the way to its registry") from None
    finally:
        answer.close()


async def load(client: AsyncClient, ask: Ask) -> None:
    """Load the model; it answers at once from then on. Raises NoModel when it cannot."""
    body = json.dumps({"model": ask.model, "stream": False}).encode()
    answer = await sender(client, ask, "/api/generate")("POST", {"content-type": "application/json"}, body)
    try:
        data = b"".join([chunk async for chunk in answer.chunks])
    finally:
        answer.close()
    told = json.loads(data)
    if answer.head.status != 200 or told.get("error"):
        why = told.get("error", f"HTTP {answer.head.status}")
        raise NoModel(f"model {ask.model} cannot be loaded: {why}; read its log, it may need more memory")
