"""The model, behind an OpenAI-compatible address: one call, streamed, with every fault turned into a Failure."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from kaos.dataplane.agent.settings import Settings
from kaos.dataplane.model.mock import scripted
from kaos.dataplane.model.openai import Failure, usage, words
from kaos.mcp.wire import SseParser

Object = dict[str, Any]

TRIES = 3
LONGEST_PAUSE_S = 10.0  # a provider that wants a longer one is not waited for: the caller is told
CONNECT_S, SILENCE_S = 10, 120
TEXT_LIMIT = 1024 * 1024


@dataclass
class Said:
    """What the model has said in one call."""

    text: str = ""
    tool_calls: list[Object] = field(default_factory=list)  # OpenAI's shape, arguments as JSON text
    usage: Object = field(default_factory=dict)
    cut: bool = False  # it went on for longer than anybody will read

    def message(self) -> Object:
        """As it goes back to the model in the next call."""
        calls = {"tool_calls": self.tool_calls} if self.tool_calls else {}
        return {"role": "assistant", "content": self.text or None, **calls}


class Model:
    """Calls the agent's model."""

    def __init__(self, settings: Settings, http: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._http = http

    async def call(self, messages: list[Object], tools: list[Object], turn: int) -> AsyncIterator[str | Said]:
        """Pieces of text as they come, then the whole. Raises Failure."""
        if self._settings.script:
            async for piece in self._scripted(turn):
                yield piece
            return
        response = await self._open(messages, tools)
        try:
            if response.content_type == "text/event-stream":
                async for piece in _streamed(response):
                    yield piece
            else:
                said = _whole(await _read(response))
                if said.text:
                    yield said.text
                yield said
        except TimeoutError:
            raise Failure(504, "server_error", "the model fell silent in the middle of its answer") from None
        except aiohttp.ClientError as error:
            raise Failure(502, "server_error", f"the model's answer was cut: {error}") from None
        finally:
            response.close()

    async def _scripted(self, turn: int) -> AsyncIterator[str | Said]:
        reply = scripted(self._settings.script, turn)
        for word in words(reply.text):
            yield word
        calls = [
            {"id": f"call_{turn}_{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
            for n, (name, given) in enumerate(reply.tool_calls)
        ]
        yield Said(reply.text, calls, usage(0, reply))

    async def _open(self, messages: list[Object], tools: list[Object]) -> aiohttp.ClientResponse:
        """An answer that has begun well. What has not begun may be tried again. Raises Failure."""
        body: Object = {
            "model": self._settings.model,
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if tools:
            body["tools"] = tools
        for attempt in range(1, TRIES + 1):
            failure, pause_s = await self._try(body)
            if isinstance(failure, aiohttp.ClientResponse):
                return failure
            if attempt == TRIES or pause_s is None or pause_s > LONGEST_PAUSE_S:
                raise failure
            await asyncio.sleep(max(pause_s, 0.2 * 2**attempt) * random.uniform(1, 1.2))
        raise AssertionError("unreachable")

    async def _try(self, body: Object) -> tuple[aiohttp.ClientResponse | Failure, float | None]:
        """A response, or a failure and after how long another try makes sense (None: none does)."""
        settings = self._settings
        headers = {"content-type": "application/json", "accept": "text/event-stream, application/json"}
        if settings.model_key:
            headers["authorization"] = f"Bearer {settings.model_key}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S)
        url = f"{settings.model_url}/v1/chat/completions"
        try:
            response = await self._http.post(url, json=body, headers=headers, timeout=timeout, allow_redirects=False)
        except TimeoutError:
            return Failure(504, "server_error", f"the model at {settings.model_url} did not answer in time"), None
        except (aiohttp.ClientError, OSError) as error:
            return Failure(502, "server_error", f"the model at {settings.model_url} cannot be reached: {error}"), 0.2
        if response.status == 200:
            return response, None
        try:
            return await _refusal(response), _pause(response)
        finally:
            response.close()


def _pause(response: aiohttp.ClientResponse) -> float | None:
    if response.status not in (429, 500, 502, 503, 504):
        return None
    try:
        return float(response.headers.get("retry-after", "0.2"))
    except ValueError:
        return 0.2


async def _refusal(response: aiohttp.ClientResponse) -> Failure:
    """The provider's own error, in its own status where that tells the caller something."""
    text = (await _read(response)).decode(errors="replace")
    try:
        error = json.loads(text)["error"]
        message, kind = str(error["message"]), str(error.get("type") or "server_error")
    except (ValueError, KeyError, TypeError):
        message, kind = f"the model answered HTTP {response.status}", "server_error"
    headers = {"retry-after": response.headers["retry-after"]} if "retry-after" in response.headers else {}
    status = response.status if response.status in (400, 401, 403, 404, 413, 422, 429, 503) else 502
    # A key of ours that the provider refuses is no fault of the caller's credentials.
    return Failure(502 if status in (401, 403) else status, kind, f"model: {message}", headers)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > 4 * TEXT_LIMIT:
            raise Failure(502, "server_error", "the model's answer is too large")
    return bytes(body)


def _whole(body: bytes) -> Said:
    try:
        answer = json.loads(body)
        message = answer["choices"][0]["message"]
        return Said(message.get("content") or "", _checked(message.get("tool_calls")), answer.get("usage") or {})
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Failure(502, "server_error", "the model's answer is no chat completion") from None


async def _streamed(response: aiohttp.ClientResponse) -> AsyncIterator[str | Said]:
    said, calls, events, finished = Said(), {}, SseParser(), False
    async for piece in response.content.iter_any():
        for data in events.feed(piece):
            if data.strip() == b"[DONE]":
                finished = True
                continue
            text, done = _take(data, said, calls)
            finished = finished or done
            if text:
                said.text += text
                yield text
            if len(said.text) > TEXT_LIMIT:
                said.cut = True
                yield said
                return
    if not finished:
        raise Failure(502, "server_error", "the model ended its answer before it was complete")
    said.tool_calls = _checked([calls[number] for number in sorted(calls)])
    yield said


def _take(data: bytes, said: Said, calls: dict[int, Object]) -> tuple[str, bool]:
    """Note one chunk; the text in it, and whether it is the last with something to say. Raises Failure."""
    try:
        chunk = json.loads(data)
        if error := chunk.get("error"):
            raise Failure(502, "server_error", f"model: {error.get('message', error)}")
        said.usage = chunk.get("usage") or said.usage
        choices = chunk.get("choices") or ()
        if not choices:
            return "", False
        delta = choices[0].get("delta") or {}
        for part in delta.get("tool_calls") or ():
            call = calls.setdefault(
                part.get("index", 0), {"type": "function", "function": {"name": "", "arguments": ""}}
            )
            call["id"] = part.get("id") or call.get("id")
            function = part.get("function") or {}
            call["function"]["name"] += function.get("name") or ""
            call["function"]["arguments"] += function.get("arguments") or ""
        return delta.get("content") or "", bool(choices[0].get("finish_reason"))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Failure(502, "server_error", "the model's stream holds what is no chat completion") from None


def _checked(calls: Any) -> list[Object]:
    found = []
    for number, call in enumerate(calls or ()):
        function = call["function"]
        if not isinstance(function["name"], str) or not isinstance(function["arguments"], str):
            raise TypeError
        found.append({"id": call.get("id") or f"call_{number}", "type": "function", "function": dict(function)})
    return found
