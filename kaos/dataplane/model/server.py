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
from kaos.dataplane.telemetry import SERVER, Telemetry, of_usage

Object = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BODY_LIMIT = 64 * 1024 * 1024  # pictures come inside of it
CALLER_GONE = 499  # nobody sees it but /metrics
MODEL, USAGE = "kaos.model", "kaos.usage"  # keys of a request: the served model it is for, and the tokens it took
OPERATIONS = {
    "/chat/completions": "chat",
    "/completions": "text_completion",
    "/embeddings": "embeddings",
    "/responses": "chat",
}
HEALTH = ("/health", "/ready", "/health/liveliness", "/health/liveness", "/health/readiness")

log = logging.getLogger("kaos.model")


def application(telemetry: Telemetry, host: str, models: Callable[[], tuple[str, ...]], owner: str) -> web.Application:
    """An application with everything but the completions."""
    metrics = Metrics()

    @web.middleware
    async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != "POST":
            return await handler(request)
        began, status = time.perf_counter(), CALLER_GONE
        operation = {"gen_ai.operation.name": OPERATIONS.get(request.path.removeprefix("/v1"), "_OTHER")}
        with telemetry.serve(request.headers), telemetry.span(*operation.values(), operation, SERVER) as span:
            try:
                response = await handler(request)
                status = response.status
                return response
            finally:
                seconds, model, usage = time.perf_counter() - began, request.get(MODEL, ""), request.get(USAGE, {})
                metrics.answered(model, status, seconds)
                metrics.spent(model, usage)
                told = operation | ({"gen_ai.request.model": model} if model else {})
                span.rename(" ".join(told.values()))
                span.set(told | of_usage(usage) | {"http.response.status_code": status})
                telemetry.measure_tokens(usage, told)
                if status >= 400:
                    told["error.type"] = str(status)
                    span.fail(str(status), "the caller has gone" if status == CALLER_GONE else f"HTTP {status}")
                telemetry.measure(seconds, told)

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

    async def end(_: web.Application) -> None:
        await asyncio.to_thread(telemetry.close)  # it may wait for the collector

    app.on_cleanup.append(end)
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
