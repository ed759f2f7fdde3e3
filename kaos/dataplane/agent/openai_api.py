"""The agent as an OpenAI-compatible model: chat completions, JSON and streamed, with its steps beside the text."""

from __future__ import annotations

import json
import time
from typing import Any

from aiohttp import web

from kaos.dataplane.agent.loop import Agent, unanswered
from kaos.dataplane.agent.peers import PATH_HEADER, path_of
from kaos.dataplane.agent.turns import Finished, Gone, Step, Turn
from kaos.dataplane.model.openai import Failure, new_identity

Object = dict[str, Any]

SESSION_HEADER = "x-session-id"
_ROLES = ("system", "developer", "user", "assistant", "tool")
# What a caller may say to the model itself. Tools and the model are the agent's own.
_OPTIONS = (
    "temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed", "presence_penalty",
    "frequency_penalty", "response_format", "reasoning_effort",
)  # fmt: skip


async def complete(request: web.Request, agent: Agent) -> web.StreamResponse:
    """POST /v1/chat/completions. Raises Failure."""
    body = await _body(request)
    turn = await _turn(body, request, agent)
    headers = {SESSION_HEADER: turn.session_id}
    if body.get("stream"):
        with_usage = bool(_object(body.get("stream_options")).get("include_usage"))
        return await _stream(request, agent, turn, headers, with_usage)
    try:
        end = await agent.answer(turn, _nobody)
    except Failure as failure:
        failure.headers = failure.headers | headers
        raise
    return json_response(_completion(agent, turn, end), headers=headers)


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=encode(value), status=status, headers=headers, content_type="application/json")


def encode(value: Any) -> bytes:
    """JSON in UTF-8, whatever halves of characters are in it."""
    return json.dumps(value, ensure_ascii=False).encode(errors="replace")


async def _nobody(piece: str | Step) -> None:
    """Who wants one JSON object waits for the end."""


async def _body(request: web.Request) -> Object:
    """Raises Failure for what is no request."""
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise _invalid("the body is not JSON") from None
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not messages or not all(_is_message(one) for one in messages):
        raise _invalid(f"messages must be a list of messages with content and role {', '.join(_ROLES)}")
    if body.get("tools") or body.get("functions"):
        raise _invalid("an agent has its own tools: tools and functions cannot be given")
    if body.get("n") not in (None, 1):
        raise _invalid("an agent gives one answer: n must be 1")
    return body


def _is_message(one: Any) -> bool:
    if not isinstance(one, dict) or one.get("role") not in _ROLES:
        return False
    content = one.get("content")
    if isinstance(content, list):
        return all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in content)
    return isinstance(content, str) or (content is None and one["role"] == "assistant")


async def _turn(body: Object, request: web.Request, agent: Agent) -> Turn:
    asked = request.headers.get(SESSION_HEADER) or body.get("session_id")
    if asked is not None and not isinstance(asked, str):
        raise _invalid("session_id must be a text")
    try:
        session_id = await agent.sessions.open(asked)
    except ValueError as error:
        raise _invalid(str(error)) from None
    messages = body["messages"]
    if asked and await agent.sessions.history(session_id):
        # The session remembers the rest: only what came after the last answer is new.
        told = [one for one in messages if one["role"] in ("system", "developer")]
        messages = told + [one for one in unanswered(messages) if one not in told]
    options = {key: body[key] for key in _OPTIONS if body.get(key) is not None}
    path = path_of(request.headers.get(PATH_HEADER, ""))
    return Turn(session_id, messages, path, options, body.get("tool_choice") != "none")


def _completion(agent: Agent, turn: Turn, end: Finished) -> Object:
    message = {"role": "assistant", "content": end.text, "refusal": None}
    return {
        "id": new_identity(),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": agent.settings.name,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": end.reason}],
        "usage": end.usage,
        "kaos": {"session_id": turn.session_id, "steps": [step.described() for step in end.steps]},
    }


async def _stream(
    request: web.Request, agent: Agent, turn: Turn, headers: dict[str, str], with_usage: bool
) -> web.StreamResponse:
    """The response begins with the first piece: a failure before that still has a status of its own."""
    response = web.StreamResponse(headers=headers | {"content-type": "text/event-stream", "cache-control": "no-cache"})
    head = {"id": new_identity(), "object": "chat.completion.chunk", "created": int(time.time())}
    head["model"] = agent.settings.name

    def chunk(delta: Object, finish: str | None = None, **more: Any) -> Object:
        return head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]} | more

    async def send(*objects: Object) -> None:
        try:
            if not response.prepared:
                await response.prepare(request)
                objects = (chunk({"role": "assistant", "content": ""}), *objects)
            await response.write(b"".join(b"data: " + encode(one) + b"\n\n" for one in objects))
        except ConnectionError:
            raise Gone from None

    async def emit(piece: str | Step) -> None:
        if isinstance(piece, Step):
            # An empty delta: clients that know nothing of steps read on.
            await send(chunk({}, **{"kaos.step": piece.described()}))
        else:
            await send(chunk({"content": piece}))

    try:
        end = await agent.answer(turn, emit)
        usage = [head | {"choices": [], "usage": end.usage}] if with_usage else []
        await send(chunk({}, end.reason), *usage)
    except Failure as failure:
        if not response.prepared:
            failure.headers = failure.headers | headers
            raise
        await send(failure.body())
    await response.write_eof(b"data: [DONE]\n\n")
    return response


def _object(value: Any) -> Object:
    return value if isinstance(value, dict) else {}


def _invalid(message: str) -> Failure:
    return Failure(400, "invalid_request_error", message, code="invalid_request")
