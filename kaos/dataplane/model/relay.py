"""The relay: OpenAI's protocol in, OpenAI's protocol out, to the provider that the model's name leads to.

It reads LiteLLM's configuration and does what LiteLLM does for providers that speak this protocol. Bodies pass through
but for the model's name, streams are not held up, status codes and headers come back as they are. The caller's own
credentials never travel on, and a caller who goes away ends the provider's work.
"""

from __future__ import annotations

import hmac
import logging
import re
import urllib.request
from collections.abc import AsyncIterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from kaos.dataplane.faults import worded
from kaos.dataplane.model import body, openai, server
from kaos.dataplane.model.body import Body
from kaos.dataplane.model.openai import Failure, Reply, invalid
from kaos.dataplane.model.routing import Routes, Target
from kaos.dataplane.telemetry import Telemetry

Object = dict[str, Any]

PATHS = ("chat/completions", "completions", "embeddings", "responses")
CONNECT_S = 10.0
# Less than uvicorn's 5 s: a connection that the other side is about to close must not be given a call.
IDLE_S = 4.0
TAIL_BYTES = 2048  # of an answer, where the count of its tokens stands
ERROR_BYTES = 64 * 1024
_PASSED_ON = ("accept", "accept-encoding", "idempotency-key", "openai-beta", "traceparent", "tracestate")
_OF_THE_CONNECTION = {
    "alt-svc", "connection", "date", "keep-alive", "proxy-authenticate", "server", "set-cookie",
    "strict-transport-security", "trailer", "transfer-encoding", "upgrade",
}  # fmt: skip
# Inside of a text the quotes would be escaped.
_TOKENS = re.compile(rb'(?<!\\)"(prompt|completion)_tokens"\s*:\s*(\d{1,12})')

log = logging.getLogger("kaos.model")


def app(routes: Routes, host: str, telemetry: Telemetry) -> web.Application:
    """The whole server."""
    relay = _Relay(routes, telemetry)
    made = server.application(telemetry, host, lambda: routes.served, "relay")
    for path in PATHS:
        made.router.add_post(f"/v1/{path}", relay.forward)
        made.router.add_post(f"/{path}", relay.forward)  # LiteLLM has them here too
    made.cleanup_ctx.append(relay.connected)
    return made


class _Relay:
    def __init__(self, routes: Routes, telemetry: Telemetry) -> None:
        self._routes = routes
        self._telemetry = telemetry
        self._http: aiohttp.ClientSession

    async def connected(self, _: web.Application) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S)
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("user-agent", "content-type"),
        ) as self._http:
            yield

    async def forward(self, request: web.Request) -> web.StreamResponse:
        self._check_key(request)
        asked = body.read(await request.read())
        entry = self._routes.entry(asked.model)
        request[server.MODEL] = entry.name
        mocked = asked.values.get("mock_response", entry.mock_response)
        if mocked is not None:
            return await self._mocked(request, asked, str(mocked))
        target = self._routes.target(entry, asked.model)
        return await self._pass(request, target, asked.with_model(target.model))

    def _check_key(self, request: web.Request) -> None:
        wanted = self._routes.master_key
        if not wanted:
            return
        given = request.headers.get("x-litellm-api-key") or request.headers.get("authorization", "")
        kind, _, rest = given.partition(" ")
        key = rest.strip() if kind.lower() == "bearer" else given
        if not hmac.compare_digest(key.encode(errors="replace"), wanted):
            raise Failure(401, "authentication_error", "the key of this ModelAPI is missing or wrong")

    async def _mocked(self, request: web.Request, asked: Body, text: str) -> web.StreamResponse:
        """The answer that stands in the configuration, or in the request itself."""
        if request.path.removeprefix("/v1") not in openai.SHAPES:
            raise invalid("mock_response answers completions only")
        messages = asked.values.get("messages")
        messages = [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []
        tokens, reply = sum(openai.count(openai.text_of(one.get("content"))) for one in messages), Reply(text)
        request[server.USAGE] = openai.usage(tokens, reply)
        return await server.say(request, asked.values, reply, tokens, openai.identity_of(asked.text.encode()))

    async def _pass(self, request: web.Request, target: Target, data: bytes) -> web.StreamResponse:
        """The provider's answer, as it comes."""
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        headers |= {"content-type": "application/json"} | self._telemetry.outgoing() | target.headers
        headers = {"accept-encoding": "identity"} | headers
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=target.timeout_s)
        try:
            answer = await self._http.post(
                target.base + request.path.removeprefix("/v1"),
                data=data,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
                proxy=_proxy(target.base),
            )
        except TimeoutError:
            raise Failure(504, "server_error", f"the provider at {target.base} did not answer in time") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = f"the provider at {target.base} cannot be reached: {worded(error)}"
            raise Failure(502, "server_error", why) from None
        try:
            await _check_protocol(answer, target.base)
            return await self._pour(request, answer, target.base)
        finally:
            answer.close()  # what has not been read by now, nobody waits for

    async def _pour(self, request: web.Request, answer: aiohttp.ClientResponse, base: str) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, reason=answer.reason)
        for name, value in answer.headers.items():
            if name.lower() not in _OF_THE_CONNECTION:
                response.headers.add(name, value)
        await response.prepare(request)
        tail = b""
        try:
            async for piece in _pieces(answer, base):
                await response.write(piece)
                tail = (tail + piece)[-TAIL_BYTES:]
        except Failure as failure:
            await _break_off(request, response, failure)
        request[server.USAGE] = {f"{kind.decode()}_tokens": int(number) for kind, number in _TOKENS.findall(tail)}
        return response


async def _pieces(answer: aiohttp.ClientResponse, base: str) -> AsyncIterator[bytes]:
    """The body as it comes. Raises Failure when the provider breaks off."""
    try:
        async for piece in answer.content.iter_any():
            yield piece
    except TimeoutError:
        why = "fell silent"
    except aiohttp.ClientError as error:
        why = f"broke off ({worded(error)})"
    else:
        return
    raise Failure(502, "server_error", f"the provider at {base} {why} in the middle of its answer")


async def _break_off(request: web.Request, response: web.StreamResponse, failure: Failure) -> None:
    """Tell a caller whose answer has begun that its end will not come: by an event, else by a cut connection."""
    log.warning("%s", failure)
    if response.content_type == "text/event-stream":
        await response.write(b"\n\n" + openai.event(failure.body()))
    elif request.transport is not None:
        request.transport.abort()
        raise ConnectionAbortedError(str(failure))


async def _check_protocol(answer: aiohttp.ClientResponse, base: str) -> None:
    """Raises Failure for what no provider of this protocol says: the address is wrong, or something stands in front."""
    status, kind = answer.status, answer.content_type
    if 300 <= status < 400:
        where = answer.headers.get("location", "")[:200]
        raise Failure(
            502, "server_error", f"the provider at {base} redirects to {where}: set api_base to its new address"
        )
    if kind in ("application/json", "text/event-stream") or (status < 400 and kind != "text/html"):
        return
    hint = "; does the address lack /v1?" if status in (200, 404, 405) and not base.endswith("/v1") else ""
    begun = (await answer.content.read(ERROR_BYTES)).decode(errors="replace") if kind.startswith("text/plain") else ""
    said = f": {' '.join(begun.split())[:200]}" if begun.strip() else ""
    message = f"the provider at {base} answered HTTP {status} with {kind}, not OpenAI's protocol{said}{hint}"
    headers = {"retry-after": answer.headers["retry-after"]} if "retry-after" in answer.headers else {}
    error = "server_error" if status >= 500 or status < 400 else "invalid_request_error"
    raise Failure(status if status >= 400 else 502, error, message, headers)


@cache
def _proxy(base: str) -> str | None:
    """The proxy that the environment names for this address."""
    parts = urlsplit(base)
    if urllib.request.proxy_bypass_environment(parts.netloc):
        return None
    return urllib.request.getproxies_environment().get(parts.scheme)
