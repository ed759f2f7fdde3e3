"""The agent as an OpenAI-compatible model: chat completions, JSON and streamed, with its steps beside the text."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from kaos.dataplane.agent.loop import Agent, Finished, Step, Turn
from kaos.dataplane.agent.peers import PATH_HEADER
from kaos.dataplane.model.openai import Failure, new_identity

Object = dict[str, Any]
T = TypeVar("T")

BODY_LIMIT = 4 * 1024 * 1024
SESSION_HEADER = "x-session-id"
_ROLES = ("system", "developer", "user", "assistant", "tool")
CLIENT_CLOSED = 499


async def complete(request: Request, agent: Agent) -> Response:
    """POST /v1/chat/completions."""
    try:
        body = await _body(request)
        turn = _turn(body, request, agent)
        headers = {SESSION_HEADER: turn.session_id}
        if not body.get("stream"):
            return JSONResponse(await _unless_gone(request, _whole(agent, turn)), headers=headers)
        stream = agent.answer(turn)
        first = await anext(stream)  # a failure before the first piece still has a status of its own
        usage = bool((body.get("stream_options") or {}).get("include_usage"))
        events = _events(agent, stream, first, usage)
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)
    except Failure as failure:
        return JSONResponse(failure.body(), failure.status, failure.headers)


async def _body(request: Request) -> Object:
    """Raises Failure for what is no request."""
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > BODY_LIMIT:
            raise Failure(413, "invalid_request_error", f"a request is at most {BODY_LIMIT // 2**20} MiB")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise Failure(400, "invalid_request_error", "the body is not JSON") from None
    messages = body.get("messages") if isinstance(body, dict) else None
    good = isinstance(messages, list) and all(isinstance(one, dict) and one.get("role") in _ROLES for one in messages)
    if not good or not messages:
        raise Failure(
            400, "invalid_request_error", f"messages must be a list of messages with role {', '.join(_ROLES)}"
        )
    return body


def _turn(body: Object, request: Request, agent: Agent) -> Turn:
    asked = request.headers.get(SESSION_HEADER) or body.get("session_id")
    try:
        session_id = agent.sessions.open(str(asked) if asked else None)
    except ValueError as error:
        raise Failure(400, "invalid_request_error", str(error)) from None
    messages = body["messages"]
    if asked and agent.settings.memory.enabled:
        # The session remembers the rest: only what came after the last answer is new.
        spoken = [number for number, one in enumerate(messages) if one["role"] == "assistant"]
        messages = messages[spoken[-1] + 1 :] if spoken and spoken[-1] + 1 < len(messages) else messages
    path = tuple(word for word in request.headers.get(PATH_HEADER, "").split(",") if word)
    return Turn(session_id, messages, path)


async def _whole(agent: Agent, turn: Turn) -> Object:
    steps: list[Object] = []
    end = Finished("", "stop")
    async for piece in agent.answer(turn):
        if isinstance(piece, Step) and piece.result is not None:
            steps.append(piece.described())
        elif isinstance(piece, Finished):
            end = piece
    message = {"role": "assistant", "content": end.text}
    return {
        "id": new_identity(),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": agent.settings.name,
        "choices": [{"index": 0, "message": message, "finish_reason": end.reason}],
        "usage": end.usage,
        "kaos": {"session_id": turn.session_id, "steps": steps},
    }


async def _events(
    agent: Agent, stream: AsyncIterator[str | Step | Finished], first: str | Step | Finished, usage: bool
) -> AsyncIterator[bytes]:
    head = {"id": new_identity(), "object": "chat.completion.chunk", "created": int(time.time())}
    head["model"] = agent.settings.name

    def chunk(delta: Object | None, finish: str | None = None, **more: Any) -> bytes:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
        return b"data: " + json.dumps(head | {"choices": choices} | more, ensure_ascii=False).encode() + b"\n\n"

    yield chunk({"role": "assistant", "content": ""})
    try:
        piece: str | Step | Finished | None = first
        while piece is not None:
            match piece:
                case str():
                    yield chunk({"content": piece})
                case Step():
                    # Without choices: clients that know nothing of steps pass over it, as over the usage.
                    yield chunk(None, **{"kaos.step": piece.described()})
                case Finished():
                    yield chunk({}, piece.reason)
                    if usage:
                        yield chunk(None, usage=piece.usage)
            piece = await anext(stream, None)
    except Failure as failure:
        yield b"data: " + json.dumps(failure.body()).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


async def _unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Do the work, and stop when the caller has gone."""
    task = asyncio.ensure_future(work)
    gone = asyncio.create_task(_disconnect(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Failure(CLIENT_CLOSED, "client_closed", "the caller has gone")
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
