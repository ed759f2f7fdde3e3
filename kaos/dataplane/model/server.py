"""What the mock and the relay share as HTTP servers: errors in OpenAI's shape, pages kept out, numbers, a good end.

aiohttp serves here, not uvicorn: the relay needs it for its calls, and one library takes less memory than two.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from kaos.dataplane import guard
from kaos.dataplane.model import openai
from kaos.dataplane.model.metrics import CONTENT_TYPE, Metrics
from kaos.dataplane.model.openai import Failure, Reply
from kaos.dataplane.serving import DRAIN_S, KEEP_ALIVE_S

Object = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BODY_LIMIT = 64 * 1024 * 1024  # pictures come inside of it
CALLER_GONE = 499  # nobody sees it but /metrics
MODEL = "kaos.model"  # key of a request: which served model it is for
HEALTH = ("/health", "/ready", "/health/liveliness", "/health/liveness", "/health/readiness")

log = logging.getLogger("kaos.model")


def application(metrics: Metrics, host: str, models: Callable[[], tuple[str, ...]], owner: str) -> web.Application:
    """An application with everything but the completions."""

    @web.middleware
    async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != "POST":
            return await handler(request)
        began, status = time.perf_counter(), CALLER_GONE
        try:
            response = await handler(request)
            status = response.status
            return response
        finally:
            metrics.answered(request.get(MODEL, ""), status, time.perf_counter() - began)

    @web.middleware
    async def judged(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            headers = ((name.lower(), value) for name, value in request.headers.items())
            if why := guard.refusal(headers, host):
                raise Failure(403, "permission_error", why)
            return await handler(request)
        except Failure as failure:
            return refused(failure)
        except web.HTTPException as error:
            return refused(_worded(error))
        except ConnectionError:  # the caller has gone
            raise
        except Exception:
            log.exception("%s %s", request.method, request.path)
            return refused(Failure(500, "server_error", "a defect in KAOS; see the log"))

    async def listed(request: web.Request) -> web.Response:
        return answer(openai.model_list(models(), owner))

    async def one(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in models():
            raise openai.not_served(name, models())
        return answer(openai.model_object(name, owner))

    async def healthy(request: web.Request) -> web.Response:
        return answer({"status": "ok", "server": owner})

    async def numbers(request: web.Request) -> web.Response:
        return web.Response(body=metrics.text().encode(), headers={"content-type": CONTENT_TYPE})

    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[counted, judged])
    app.router.add_get("/v1/models", listed)
    app.router.add_get("/models", listed)
    app.router.add_get("/v1/models/{name:.+}", one)
    app.router.add_get("/metrics", numbers)
    for path in HEALTH:
        app.router.add_get(path, healthy)
    app.on_response_prepare.append(_unsigned)
    return app


def answer(body: Object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer, in ASCII: halves of characters, which JSON can name, cannot be written otherwise."""
    response = web.Response(body=json.dumps(body).encode(), status=status, headers=headers)
    response.content_type = "application/json"
    return response


def refused(failure: Failure) -> web.Response:
    return answer(failure.body(), failure.status, failure.headers)


def event_stream() -> web.StreamResponse:
    """The beginning of a stream of server-sent events."""
    return web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-cache"})


async def say(
    request: web.Request, asked: Object, reply: Reply, tokens: int, identity: str, latency_s: float = 0.0
) -> web.StreamResponse:
    """A completion of our own, whole or streamed as the caller asks, spread over the time that it takes."""
    whole, pieces = openai.SHAPES[request.path.removeprefix("/v1")]
    said = (asked["model"], reply, tokens, identity)
    if not asked.get("stream"):
        await asyncio.sleep(latency_s)
        return answer(whole(*said))
    options = asked.get("stream_options")
    chunks = list(pieces(*said, isinstance(options, dict) and bool(options.get("include_usage"))))
    response = event_stream()
    await response.prepare(request)
    for chunk in chunks:
        await asyncio.sleep(latency_s / len(chunks))
        await response.write(openai.event(chunk))
    await response.write(openai.DONE)
    return response


def serve(app: web.Application, host: str, port: int) -> None:
    """Serve until SIGTERM, then finish what is under way; ends the process with 1 when the port cannot be had."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        web.run_app(
            app,
            host=host,
            port=port,
            print=None,
            access_log=None,
            handler_cancellation=True,  # a caller who has gone ends the work
            shutdown_timeout=DRAIN_S,
            keepalive_timeout=KEEP_ALIVE_S,
            loop=asyncio.new_event_loop(),
        )
    except OSError as error:
        print(f"cannot listen on {host}, port {port}: {error.strerror or error}", file=sys.stderr)
        sys.exit(1)


def _worded(error: web.HTTPException) -> Failure:
    headers = {"allow": error.headers["allow"]} if "allow" in error.headers else {}
    told = {
        404: "there is nothing here; completions are at POST /v1/chat/completions",
        405: f"this is not the way; allowed: {headers.get('allow')}",
        413: f"a request is at most {BODY_LIMIT // 2**20} MiB",
    }
    return Failure(error.status, "invalid_request_error", told.get(error.status, error.reason), headers)


async def _unsigned(request: web.Request, response: web.StreamResponse) -> None:
    """Which library serves, and in which version, is nobody's business."""
    response.headers.pop("Server", None)
