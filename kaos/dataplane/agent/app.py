"""The agent over HTTP: every endpoint of the contract, and what lives as long as the process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
from aiohttp import web

from kaos.dataplane import guard
from kaos.dataplane.agent import openai_api
from kaos.dataplane.agent.a2a import A2A
from kaos.dataplane.agent.loop import Agent
from kaos.dataplane.agent.metrics import CONTENT_TYPE, Metrics
from kaos.dataplane.agent.model import Model
from kaos.dataplane.agent.openai_api import json_response
from kaos.dataplane.agent.peers import Peers
from kaos.dataplane.agent.servers import ServerConnection
from kaos.dataplane.agent.sessions import Sessions
from kaos.dataplane.agent.settings import Settings
from kaos.dataplane.agent.tools import Toolbox
from kaos.dataplane.model.openai import Failure
from kaos.dataplane.telemetry import Telemetry

log = logging.getLogger("kaos.agent")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CARD_PATHS = ("/.well-known/agent-card.json", "/.well-known/agent.json", "/.well-known/agent")
BASE_URL_HEADER = "x-kaos-base-url"
BODY_LIMIT = 4 * 1024 * 1024
EVENTS_LIMIT = 1000


class Service:
    """The endpoints, over one agent that lives from `begin` to `end`."""

    def __init__(self, settings: Settings, sessions: Sessions, telemetry: Telemetry) -> None:
        self._settings = settings
        self._sessions = sessions
        self._telemetry = telemetry
        self._agent: Agent | None = None
        self._a2a: A2A | None = None
        self._leaving = False

    def app(self) -> web.Application:
        app = web.Application(client_max_size=BODY_LIMIT, middlewares=[self._shield])
        app.cleanup_ctx.append(self._live)
        app.on_response_prepare.append(self._finish_headers)
        app.router.add_get("/health", self._health)
        app.router.add_get("/ready", self._ready)
        for path in CARD_PATHS:
            app.router.add_get(path, self._card)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/tools", self._tools)
        app.router.add_get("/memory/sessions", self._memory_sessions)
        app.router.add_get("/memory/events", self._memory_events)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_post("/", self._rpc)
        return app

    # Life.

    async def _live(self, _: web.Application) -> AsyncIterator[None]:
        settings, telemetry = self._settings, self._telemetry
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
            toolbox = Toolbox([ServerConnection(one, http, settings.limits, telemetry) for one in settings.servers])
            peers, metrics = Peers(settings, http, telemetry), Metrics(settings.name, settings.model, telemetry)
            for one in toolbox.connections:
                metrics.watch_server(one.server.name, lambda one=one: not one.problem)
            model = Model(settings, http, telemetry)
            self._agent = Agent(settings, model, toolbox, peers, self._sessions, metrics, telemetry)
            self._a2a = A2A(self._agent)
            toolbox.start()
            peers.start()
            yield
            await peers.close()
            await toolbox.close()
        self._sessions.close()
        await asyncio.to_thread(telemetry.close)  # it may wait for the collector

    def leave(self) -> None:
        """Not ready any longer, but still answering: others must first hear of it."""
        self._leaving = True

    async def drain(self) -> None:
        """Let what works in the background end."""
        await self._a2a.tasks.drain(self._settings.limits.drain_s)

    async def _finish_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.popall("server", None)
        if self._leaving:  # whoever has a connection here takes the next one elsewhere
            response.headers["connection"] = "close"
            response.force_close()

    @web.middleware
    async def _shield(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Web pages are kept out, and every failure has OpenAI's shape."""
        try:
            headers = ((name.lower(), value) for name, value in request.headers.items())
            if why := guard.refusal(headers, self._settings.host):
                raise Failure(403, "permission_error", why, code="forbidden")
            with self._telemetry.serve(request.headers):
                return await handler(request)
        except Failure as failure:
            refused = failure
        except web.HTTPRequestEntityTooLarge:
            refused = _invalid(413, f"a request is at most {BODY_LIMIT // 2**20} MiB")
        except web.HTTPException as error:
            allowed = {"allow": error.headers["allow"]} if "allow" in error.headers else {}
            refused = _invalid(error.status, f"{request.method} {request.path}: {error.reason}", allowed)
        except ConnectionError:
            raise  # there is nobody to be told
        except Exception:
            log.exception("%s %s", request.method, request.path)
            refused = Failure(500, "server_error", "internal error; see the agent's log", code="internal_error")
        return json_response(refused.body(), refused.status, refused.headers)

    # Endpoints.

    async def _health(self, request: web.Request) -> web.Response:
        return json_response({"status": "ok", "agent": self._settings.name})

    async def _ready(self, request: web.Request) -> web.Response:
        if self._leaving:
            return json_response({"status": "leaving", "agent": self._settings.name}, 503)
        await self._agent.offer()  # soon after the start this waits for the tools' first list
        return json_response({"status": "ok", "agent": self._settings.name})

    async def _card(self, request: web.Request) -> web.Response:
        # Behind `kaos agent proxy` the caller knows another address than the one that we see.
        base = request.headers.get(BASE_URL_HEADER, "")
        own = f"{request.scheme}://{request.host}/"
        return json_response(await self._a2a.card(base if base.startswith("http://127.0.0.1:") else own))

    async def _rpc(self, request: web.Request) -> web.StreamResponse:
        return await self._a2a.handle(request)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        return await openai_api.complete(request, self._agent)

    async def _models(self, request: web.Request) -> web.Response:
        model = {"id": self._settings.name, "object": "model", "created": 0, "owned_by": "kaos"}
        return json_response({"object": "list", "data": [model]})

    async def _tools(self, request: web.Request) -> web.Response:
        agent = self._agent
        peers = await agent.peers.tools()
        tools = [
            {"name": one.name, "server": one.server, "description": one.description, "inputSchema": one.schema}
            for one in (await agent.toolbox.newest(peers)).values()
        ]
        servers = [
            {"name": one.server.name, "ready": not one.problem, "message": one.problem}
            for one in agent.toolbox.connections
        ]
        others = [
            {"name": one.peer.name, "ready": not one.problem, "message": one.problem} for one in agent.peers.connections
        ]
        return json_response({"tools": tools, "servers": servers, "peers": others})

    async def _memory_sessions(self, request: web.Request) -> web.Response:
        return json_response({"sessions": await self._sessions.all()})

    async def _memory_events(self, request: web.Request) -> web.Response:
        text = request.query.get("limit", "100")
        if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= EVENTS_LIMIT):
            raise _invalid(400, f"limit must be a number from 1 to {EVENTS_LIMIT}")
        found = await self._sessions.events(request.query.get("session_id"), int(text))
        return json_response({"events": [vars(event) for event in found]})

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=self._agent.metrics.text(), headers={"content-type": CONTENT_TYPE})


def _invalid(status: int, message: str, headers: dict[str, str] | None = None) -> Failure:
    return Failure(status, "invalid_request_error", message, headers or {}, "invalid_request")
