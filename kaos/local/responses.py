"""Answers over HTTP: JSON bodies, Status failures, Warning headers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from kaos.local.status import ApiStatus, PageNotFound

_COMPRESS_FROM = 128 * 1024


def encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def reply(
    value: Any, code: int = 200, media_type: str = "application/json", warnings: Iterable[str] = ()
) -> web.Response:
    """A JSON answer; bytes are taken as already encoded."""
    body = value if isinstance(value, bytes) else encode(value)
    response = web.Response(body=body, status=code)
    response.headers["Content-Type"] = media_type
    response.headers["Cache-Control"] = "no-cache, private"
    for warning in warnings:
        escaped = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{escaped}"')
    if len(body) > _COMPRESS_FROM:
        response.enable_compression()
    return response


def failure(refused: ApiStatus) -> web.Response:
    if isinstance(refused, PageNotFound):
        return web.Response(text=refused.message, status=refused.code)
    response = reply(refused.body(), refused.code)
    if refused.code in (429, 504) or refused.code == 503:
        response.headers["Retry-After"] = "1"
    return response
