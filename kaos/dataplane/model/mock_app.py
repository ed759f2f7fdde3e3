"""The mock model over HTTP: OpenAI's chat completions, JSON and streaming."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from kaos.dataplane.model import mock, openai
from kaos.dataplane.model.openai import Failure, Reply
from kaos.dataplane.model.settings import Mock

Object = dict[str, Any]
STALL_S = 3600


@dataclass
class Counts:
    """What /metrics tells."""

    requests: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


def app(settings: Mock) -> Starlette:
    """The whole server."""
    counts = Counts()

    async def complete(request: Request) -> Response:
        counts.requests += 1
        try:
            body = _body(await request.body(), settings)
            return await _answer(body, settings, counts)
        except Failure as failure:
            counts.failures += 1
            return JSONResponse(failure.body(), failure.status, failure.headers)

    async def models(request: Request) -> Response:
        listed = [
            {"id": name, "object": "model", "created": openai.CREATED, "owned_by": "mock"} for name in settings.models
        ]
        return JSONResponse({"object": "list", "data": listed})

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "mock": True})

    async def metrics(request: Request) -> Response:
        lines = [f"kaos_model_{name}_total {value}" for name, value in vars(counts).items()]
        return PlainTextResponse("\n".join(lines) + "\n")

    return Starlette(
        routes=[
            Route("/v1/chat/completions", complete, methods=["POST"]),
            Route("/v1/models", models),
            Route("/health", health),
            Route("/ready", health),
            Route("/metrics", metrics),
        ]
    )


def _body(data: bytes, settings: Mock) -> Object:
    """Raises Failure for what is no request."""
    try:
        body = json.loads(data)
    except ValueError:
        raise Failure(400, "invalid_request_error", "the body is not JSON") from None
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise Failure(400, "invalid_request_error", "messages must be a list of messages")
    if body.get("model") not in settings.models:
        served = ", ".join(settings.models)
        raise Failure(404, "invalid_request_error", f"there is no model {body.get('model')!r}; this mock has: {served}")
    return body


async def _answer(body: Object, settings: Mock, counts: Counts) -> Response:
    messages, model = body["messages"], body["model"]
    if messages and openai.text_of(messages[-1].get("content")).strip() == mock.STALL:
        await asyncio.sleep(STALL_S)
    tools = [] if body.get("tool_choice") == "none" else body.get("tools") or []
    reply = mock.reply(messages, [one for one in tools if isinstance(one, dict)], settings.responses)
    tokens, identity = mock.prompt_tokens(messages), openai.new_identity()
    counts.prompt_tokens += tokens
    counts.completion_tokens += openai.usage(tokens, reply)["completion_tokens"]
    if body.get("stream"):
        usage = bool((body.get("stream_options") or {}).get("include_usage"))
        events = _events(model, reply, tokens, identity, usage, settings.latency_s)
        return StreamingResponse(events, media_type="text/event-stream")
    await asyncio.sleep(settings.latency_s)
    return JSONResponse(openai.completion(model, reply, tokens, identity))


async def _events(
    model: str, reply: Reply, tokens: int, identity: str, usage: bool, latency_s: float
) -> AsyncIterator[bytes]:
    pieces = list(openai.chunks(model, reply, tokens, identity, usage))
    for piece in pieces:
        await asyncio.sleep(latency_s / len(pieces))
        yield b"data: " + json.dumps(piece).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"
