"""The mock model over HTTP: chat completions and the older completions, JSON and streaming."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from kaos.api import models
from kaos.dataplane.model import mock, openai, server
from kaos.dataplane.model.openai import Failure, Reply, invalid
from kaos.dataplane.model.settings import Mock
from kaos.dataplane.telemetry import Telemetry

Object = dict[str, Any]


def app(settings: Mock, host: str, telemetry: Telemetry) -> web.Application:
    """The whole server."""
    model = _Model(settings)
    made = server.application(telemetry, host, lambda: settings.models, "mock")
    made.router.add_post("/v1/chat/completions", model.chat)
    made.router.add_post("/v1/completions", model.complete)
    made.on_shutdown.append(model.end)
    return made


class _Model:
    def __init__(self, settings: Mock) -> None:
        self._settings = settings
        self._ending = asyncio.Event()

    async def end(self, _: web.Application) -> None:
        """Answers that stall keep nobody waiting for the end."""
        self._ending.set()

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body, identity = await self._read(request)
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages or not all(isinstance(one, dict) for one in messages):
            raise invalid("messages must be a list of at least one message")
        functions, insist = _functions(body)
        reply = mock.reply(messages, functions, self._settings.responses, insist)
        return await self._say(request, body, reply, mock.prompt_tokens(messages), identity)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        body, identity = await self._read(request)
        prompt = body.get("prompt")
        if not isinstance(prompt, str):
            raise invalid("prompt must be a text; this mock takes one at a time")
        reply = mock.reply([{"role": "user", "content": prompt}], [], self._settings.responses)
        return await self._say(request, body, reply, openai.count(prompt), identity)

    async def _say(
        self, request: web.Request, body: Object, reply: Reply | None, tokens: int, identity: str
    ) -> web.StreamResponse:
        if reply is None:
            return await self._stall(request, body)
        request[server.USAGE] = openai.usage(tokens, reply)
        return await server.say(request, body, reply, tokens, identity, self._settings.latency_s)

    async def _stall(self, request: web.Request, body: Object) -> web.StreamResponse:
        """Nothing, or of a stream its beginning and then nothing, until the caller has gone."""
        if not body.get("stream"):
            await self._ending.wait()
            raise Failure(503, "server_error", "mock: ended while stalling, as it was asked to")
        response = server.event_stream()
        await response.prepare(request)
        await response.write(b": mock: stalling, as it was asked to\n\n")
        await self._ending.wait()
        return response

    async def _read(self, request: web.Request) -> tuple[Object, str]:
        """The body and the identity of its answer. Raises Failure for what is no request for one of our models."""
        data = await request.read()
        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            raise invalid("the body is not JSON") from None
        model = body.get("model") if isinstance(body, dict) else None
        if not isinstance(model, str):
            raise invalid("the body names no model")
        served = models.best(self._settings.models, model)
        if served is None:
            raise openai.not_served(model, self._settings.models)
        request[server.MODEL] = served
        return body, openai.identity_of(data)


def _functions(body: Object) -> tuple[list[Object], bool]:
    """The functions that may be called, and whether one must be."""
    offered = body.get("tools")
    tools = (one.get("function") for one in offered if isinstance(one, dict)) if isinstance(offered, list) else ()
    functions = [one for one in tools if isinstance(one, dict) and isinstance(one.get("name"), str)]
    match body.get("tool_choice"):
        case "none":
            return [], False
        case "required":
            return functions, True
        case {"function": {"name": name}}:
            return [one for one in functions if one["name"] == name], True
    return functions, False
