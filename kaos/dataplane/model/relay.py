"""The relay: OpenAI's protocol in, OpenAI's protocol out, to the provider that the model's name leads to.

It reads LiteLLM's configuration and does what LiteLLM does for providers that speak this protocol: routing by name
and wildcard, keys, addresses, `mock_response`. Bodies pass through but for the model's name; streams are not buffered;
status codes and Retry-After come back as they are. The caller's own credentials never travel on.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from kaos.dataplane.model import openai
from kaos.dataplane.model.openai import Failure, Reply

Object = dict[str, Any]

OPENAI_BASE = "https://api.openai.com/v1"
CONNECT_S, SILENCE_S = 10, 300
_PASSED_BACK = ("content-type", "retry-after", "x-request-id")
_VARIABLE = re.compile(r"os\.environ/(\w+)")


class Unsupported(ValueError):
    """A provider that only LiteLLM can speak to."""


@dataclass(frozen=True)
class Target:
    """Where one served name leads."""

    name: str  # exact, `prefix/*` or `*`
    model: str  # what the provider calls it; a `*` in it stands for what the name's `*` did
    base: str
    key: str
    mock_response: str | None = None

    def wildcard(self, wanted: str) -> str | None:
        """What the name's `*` stands for; empty for an exact match; None when it does not match."""
        if self.name == wanted:
            return ""
        if self.name == "*" or (self.name.endswith("/*") and wanted.startswith(self.name[:-1])):
            return wanted[len(self.name) - 1 :]
        return None


@dataclass(frozen=True)
class Relay:
    """The whole configuration."""

    targets: tuple[Target, ...]
    master_key: str = ""


def read(path: str, environ: Mapping[str, str]) -> Relay:
    """The configuration of a file. Raises ValueError with what is wrong with it, Unsupported for a foreign provider."""
    try:
        document = yaml.safe_load(Path(path).read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    entries = document.get("model_list") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError(f"{path} has no list model_list")
    targets = []
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("litellm_params"), dict):
            raise ValueError(f"{path}: model_list[{number}] has no litellm_params")
        targets.append(_target(str(entry.get("model_name", "")), entry["litellm_params"], environ))
    # The more of a name is given, the better it fits.
    targets.sort(key=lambda target: ("*" in target.name, -len(target.name)))
    return Relay(tuple(targets), environ.get("LITELLM_MASTER_KEY", ""))


def _target(name: str, params: Object, environ: Mapping[str, str]) -> Target:
    def value(key: str) -> str:
        text = str(params.get(key) or "")
        found = _VARIABLE.fullmatch(text)
        return environ.get(found[1], "") if found else text

    model, mock = value("model"), params.get("mock_response")
    base = value("api_base") or OPENAI_BASE
    provider, slash, rest = model.partition("/")
    if provider != "openai" and mock is None and not params.get("api_base") and model != "*":
        raise Unsupported(f"the relay speaks to providers of OpenAI's protocol only, and model {name} is {model}")
    return Target(
        name, rest if slash and provider == "openai" else model, base.rstrip("/"), value("api_key"),
        None if mock is None else str(mock),
    )  # fmt: skip


def app(relay: Relay) -> Starlette:
    """The whole server."""
    session: list[aiohttp.ClientSession] = []

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, auto_decompress=False) as made:
            session.append(made)
            yield

    async def forward(request: Request) -> Response:
        try:
            _check_key(request, relay)
            body = _body(await request.body())
            target, model = _route(relay, body["model"])
            if target.mock_response is not None:
                return _mocked(body, target.mock_response)
            return await _forward(session[0], target, request.url.path, body | {"model": model})
        except Failure as failure:
            return JSONResponse(failure.body(), failure.status, failure.headers)

    async def models(request: Request) -> Response:
        listed = [
            {"id": one.name, "object": "model", "created": openai.CREATED, "owned_by": "relay"} for one in relay.targets
        ]
        return JSONResponse({"object": "list", "data": listed})

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[
            *(
                Route(f"/v1/{path}", forward, methods=["POST"])
                for path in ("chat/completions", "completions", "embeddings")
            ),
            Route("/v1/models", models),
            *(Route(path, health) for path in ("/health", "/ready", "/health/liveliness", "/health/readiness")),
        ],
        lifespan=lifespan,
    )


def _check_key(request: Request, relay: Relay) -> None:
    if not relay.master_key:
        return
    given = request.headers.get("x-litellm-api-key") or request.headers.get("authorization", "")
    if not hmac.compare_digest(given.removeprefix("Bearer ").encode(), relay.master_key.encode()):
        raise Failure(401, "authentication_error", "the key of this ModelAPI is missing or wrong")


def _body(data: bytes) -> Object:
    try:
        body = json.loads(data)
    except ValueError:
        raise Failure(400, "invalid_request_error", "the body is not JSON") from None
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise Failure(400, "invalid_request_error", "the body names no model")
    return body


def _route(relay: Relay, wanted: str) -> tuple[Target, str]:
    for target in relay.targets:
        if (rest := target.wildcard(wanted)) is not None:
            return target, target.model.replace("*", rest) if "*" in target.model else target.model
    served = ", ".join(target.name for target in relay.targets)
    raise Failure(404, "invalid_request_error", f"there is no model {wanted!r} here; served: {served}")


def _mocked(body: Object, text: str) -> Response:
    reply, identity = Reply(text), openai.new_identity()
    tokens = sum(openai.count(openai.text_of(one.get("content"))) for one in body.get("messages") or ())
    if not body.get("stream"):
        return JSONResponse(openai.completion(body["model"], reply, tokens, identity))
    usage = bool((body.get("stream_options") or {}).get("include_usage"))

    async def events() -> AsyncIterator[bytes]:
        for piece in openai.chunks(body["model"], reply, tokens, identity, usage):
            yield b"data: " + json.dumps(piece).encode() + b"\n\n"
        yield b"data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


async def _forward(session: aiohttp.ClientSession, target: Target, path: str, body: Object) -> Response:
    headers = {"content-type": "application/json", "accept-encoding": "identity"}
    if target.key:
        headers["authorization"] = f"Bearer {target.key}"
    url = target.base + path.removeprefix("/v1")
    try:
        answer = await session.post(url, data=json.dumps(body).encode(), headers=headers, allow_redirects=False)
    except TimeoutError:
        raise Failure(504, "server_error", f"the provider at {target.base} did not answer in time") from None
    except aiohttp.ClientError as error:
        raise Failure(502, "server_error", f"the provider at {target.base} cannot be reached: {error}") from None
    passed = {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
    return StreamingResponse(_pieces(answer), answer.status, passed)


async def _pieces(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The body as it comes; closing it, also when the caller has gone, ends the provider's work."""
    try:
        async for piece in answer.content.iter_any():
            yield piece
    finally:
        answer.close()
