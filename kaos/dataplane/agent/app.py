"""The agent over HTTP: every endpoint of the contract, and what lives as long as the process."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from kaos.dataplane.agent import openai_api
from kaos.dataplane.agent.a2a import A2A
from kaos.dataplane.agent.loop import Agent
from kaos.dataplane.agent.metrics import Metrics
from kaos.dataplane.agent.model import Model
from kaos.dataplane.agent.peers import Peers
from kaos.dataplane.agent.sessions import Sessions
from kaos.dataplane.agent.settings import Settings
from kaos.dataplane.agent.tools import Toolbox
from kaos.dataplane.guard import OriginGuard

Object = dict[str, Any]
CARD_PATHS = ("/.well-known/agent-card.json", "/.well-known/agent.json", "/.well-known/agent")
BASE_URL_HEADER = "x-kaos-base-url"
EVENTS_LIMIT = 1000


class Service:
    """The endpoints, over one agent that is made when the server starts."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._agent: Agent | None = None
        self._a2a: A2A | None = None

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/health", self._health),
                Route("/ready", self._health),
                *(Route(path, self._card) for path in CARD_PATHS),
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/v1/models", self._models),
                Route("/tools", self._tools),
                Route("/memory/sessions", self._sessions),
                Route("/memory/events", self._events),
                Route("/metrics", self._metrics),
                Route("/", self._rpc, methods=["POST"]),
            ],
            middleware=[Middleware(OriginGuard)],
            lifespan=self._lifespan,
        )

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
            settings = self._settings
            toolbox = Toolbox.of(settings.servers, http)
            sessions = Sessions(settings.memory)
            peers = Peers(settings.name, settings.peers, http)
            self._agent = Agent(settings, Model(settings, http), toolbox, peers, sessions, Metrics())
            self._a2a = A2A(self._agent)
            try:
                yield
            finally:
                await toolbox.close()
                sessions.close()

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "agent": self._settings.name})

    async def _card(self, request: Request) -> Response:
        # Behind `kaos agent proxy` the caller knows another address than the one that we see.
        base = request.headers.get(BASE_URL_HEADER, "")
        return JSONResponse(self._a2a.card(base if base.startswith("http://127.0.0.1:") else str(request.base_url)))

    async def _rpc(self, request: Request) -> Response:
        return await self._a2a.handle(request)

    async def _complete(self, request: Request) -> Response:
        return await openai_api.complete(request, self._agent)

    async def _models(self, request: Request) -> Response:
        model = {"id": self._settings.name, "object": "model", "created": 0, "owned_by": "kaos"}
        return JSONResponse({"object": "list", "data": [model]})

    async def _tools(self, request: Request) -> Response:
        await self._agent.offered()
        tools = [
            {"name": one.name, "server": one.server, "description": one.description, "inputSchema": one.schema}
            for one in await self._agent.toolbox.refresh()
        ]
        servers = [
            {"name": one.server.name, "ready": not one.problem, "message": one.problem}
            for one in self._agent.toolbox.connections
        ]
        peers = [
            {"name": one.peer.name, "ready": one.card is not None, "message": one.problem}
            for one in self._agent.peers.connections
        ]
        return JSONResponse({"tools": tools, "servers": servers, "peers": peers})

    async def _sessions(self, request: Request) -> Response:
        return JSONResponse({"sessions": self._agent.sessions.all()})

    async def _events(self, request: Request) -> Response:
        text = request.query_params.get("limit", "100")
        if not text.isdecimal() or not 0 < int(text) <= EVENTS_LIMIT:
            error = {"message": f"limit must be a number from 1 to {EVENTS_LIMIT}", "type": "invalid_request_error"}
            return JSONResponse({"error": error}, 400)
        found = self._agent.sessions.events(request.query_params.get("session_id"), int(text))
        return JSONResponse({"events": [vars(event) for event in found]})

    async def _metrics(self, request: Request) -> Response:
        return PlainTextResponse(self._agent.metrics.text())
