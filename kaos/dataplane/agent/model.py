"""The model, behind an OpenAI-compatible address: one call, streamed, tried again while nothing of it was heard."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from kaos.dataplane.agent.completions import ANSWER_LIMIT, Chunks, Said, whole
from kaos.dataplane.agent.settings import Settings
from kaos.dataplane.faults import worded
from kaos.dataplane.model import mock
from kaos.dataplane.model.openai import Failure, usage, words
from kaos.dataplane.telemetry import Telemetry
from kaos.mcp.wire import SseParser

Object = dict[str, Any]
OnText = Callable[[str], Awaitable[None]]

TRIES = 3
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 10.0  # a provider that wants a longer one is not waited for: the caller is told
CONNECT_S = 10.0
BODY_LIMIT = 8 * ANSWER_LIMIT
LINE_LIMIT = 4 * ANSWER_LIMIT
_PASSED_ON = (400, 404, 413, 422, 429, 503, 504)


class Again(Exception):
    """A failure of a call of which nothing was heard yet: another try makes sense, after a pause."""

    def __init__(self, failure: Failure, pause_s: float | None = None) -> None:
        super().__init__(failure)
        self.failure = failure
        self.pause_s = pause_s  # as the provider asks for it


class Model:
    """Calls the agent's model."""

    def __init__(self, settings: Settings, http: aiohttp.ClientSession, telemetry: Telemetry) -> None:
        self._settings = settings
        self._http = http
        self._telemetry = telemetry
        self._url = f"{settings.model_url}/v1/chat/completions"
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_S, sock_read=settings.limits.model_silence_s
        )

    async def call(self, body: Object, number: int, on_text: OnText) -> Said:
        """What the model says to `messages`, `tools` and options in the body; text as it comes. Raises Failure."""
        if self._settings.script:
            return await self._scripted(number, on_text)
        body = {
            **body,
            "model": self._settings.model,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        for attempt in range(TRIES):
            try:
                return await self._try(body, on_text)
            except Again as again:
                pause_s = FIRST_PAUSE_S * 4**attempt if again.pause_s is None else again.pause_s
                if attempt == TRIES - 1 or pause_s > LONGEST_PAUSE_S:
                    raise again.failure from None
                await asyncio.sleep(pause_s * random.uniform(1, 1.25))
        raise AssertionError("unreachable")

    async def _scripted(self, number: int, on_text: OnText) -> Said:
        reply = mock.scripted(self._settings.script, number)
        for word in words(reply.text):
            await on_text(word)
        calls = [
            {"id": f"call_{number}_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for n, (name, arguments) in enumerate(reply.tool_calls)
        ]
        return Said(reply.text, calls, usage(0, reply))

    async def _try(self, body: Object, on_text: OnText) -> Said:
        """Raises Failure, Again."""
        headers = {"accept": "text/event-stream, application/json"} | self._telemetry.outgoing()
        if self._settings.model_key:
            headers["authorization"] = f"Bearer {self._settings.model_key}"
        try:
            response = await self._http.post(
                self._url, json=body, headers=headers, timeout=self._timeout, allow_redirects=False
            )
        except TimeoutError:
            message = f"the model at {self._settings.model_url} did not answer in time"
            raise Failure(504, "server_error", message, code="model_timeout") from None
        except (aiohttp.ClientError, OSError) as error:
            message = f"the model at {self._settings.model_url} cannot be reached: {worded(error)}"
            raise Again(Failure(502, "server_error", message, code="model_unreachable")) from None
        heard = False

        async def tell(text: str) -> None:
            nonlocal heard
            heard = True
            await on_text(text)

        try:
            if response.status != 200:
                raise await _refusal(response)
            if response.content_type == "text/event-stream":
                return await _streamed(response, tell)
            said = whole(await _read(response))
            if said.text:
                await on_text(said.text)
            return said
        except TimeoutError:
            message = "the model fell silent in the middle of its answer"
            raise Failure(504, "server_error", message, code="model_timeout") from None
        except (aiohttp.ClientError, OSError) as error:
            message = f"the model's answer was cut: {worded(error)}"
            raise _again_unless(heard, Failure(502, "server_error", message, code="model_cut")) from None
        except Failure as failure:
            raise (_again_unless(heard, failure) if failure.code == "model_cut" else failure) from None
        finally:
            response.close()


def _again_unless(heard: bool, failure: Failure) -> Exception:
    return failure if heard else Again(failure)


async def _streamed(response: aiohttp.ClientResponse, tell: OnText) -> Said:
    chunks, events, since = Chunks(), SseParser(), 0
    async for piece in response.content.iter_any():
        since += len(piece)
        for data in events.feed(piece):
            since = 0
            text = chunks.take(data)
            if text:
                await tell(text)
            if chunks.cut:
                return chunks.said()
        if since > LINE_LIMIT:
            raise Failure(502, "server_error", "the model's stream holds an endless event", code="model_answer")
    return chunks.said()


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > BODY_LIMIT:
            raise Failure(502, "server_error", "the model's answer is too large", code="model_answer")
    return bytes(body)


async def _refusal(response: aiohttp.ClientResponse) -> Exception:
    """The provider's own words, with its own status where that tells the caller something."""
    text = (await _read(response)).decode(errors="replace")
    message, kind, code = f"HTTP {response.status}", "server_error", None
    try:
        error = json.loads(text)["error"]
        if isinstance(error, str):
            message = error
        else:
            message, kind, code = str(error["message"]), str(error.get("type") or kind), error.get("code")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass  # not in OpenAI's shape: the status says what there is to say
    status = response.status
    asked = response.headers.get("retry-after")
    failure = Failure(
        # A key of ours that the provider refuses is no fault of the caller's credentials.
        status if status in _PASSED_ON else 502,
        kind,
        f"model: {message}"[:2000],
        {"retry-after": asked} if asked else {},
        code if isinstance(code, str) else "model_error",
    )
    if status in (408, 429) or (status >= 500 and status != 501):
        return Again(failure, _seconds(asked))
    return failure


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After is a number of seconds, or a date."""
    if not retry_after:
        return None
    if retry_after.isascii() and retry_after.isdecimal():
        return float(retry_after[:9])
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
