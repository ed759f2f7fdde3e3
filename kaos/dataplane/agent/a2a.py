"""A2A over JSON-RPC, protocol versions 1.0 and 0.3: the agent's card, messages (also streamed) and tasks.

Source: the A2A specification. The method tells the version: `SendMessage` is 1.0, `message/send` is 0.3.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Any

from aiohttp import web

import kaos
from kaos.dataplane.agent.dialects import Dialect
from kaos.dataplane.agent.loop import Agent
from kaos.dataplane.agent.openai_api import encode, json_response
from kaos.dataplane.agent.peers import PATH_HEADER, path_of
from kaos.dataplane.agent.store import StoredTask
from kaos.dataplane.agent.tasks import FINAL, Task, Tasks, TooMany
from kaos.dataplane.agent.turns import Step, Turn

Object = dict[str, Any]

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL = -32700, -32600, -32601, -32602, -32603
TASK_NOT_FOUND, NOT_CANCELABLE, NO_PUSH, UNSUPPORTED, NOT_TEXT, NO_EXTENDED_CARD, WRONG_VERSION = (
    -32001, -32002, -32003, -32004, -32005, -32007, -32009
)  # fmt: skip
_REASONS = {
    TASK_NOT_FOUND: "TASK_NOT_FOUND", NOT_CANCELABLE: "TASK_NOT_CANCELABLE",
    NO_PUSH: "PUSH_NOTIFICATION_NOT_SUPPORTED", UNSUPPORTED: "UNSUPPORTED_OPERATION",
    NOT_TEXT: "CONTENT_TYPE_NOT_SUPPORTED", NO_EXTENDED_CARD: "EXTENDED_AGENT_CARD_NOT_CONFIGURED",
    WRONG_VERSION: "VERSION_NOT_SUPPORTED",
}  # fmt: skip
_METHODS = {
    "SendMessage": ("send", True), "SendStreamingMessage": ("stream", True), "GetTask": ("get", True),
    "ListTasks": ("list", True), "CancelTask": ("cancel", True), "SubscribeToTask": ("subscribe", True),
    "message/send": ("send", False), "message/stream": ("stream", False), "tasks/get": ("get", False),
    "tasks/list": ("list", False), "tasks/cancel": ("cancel", False), "tasks/resubscribe": ("subscribe", False),
}  # fmt: skip
_PAGE, _LARGEST_PAGE = 50, 100


class RpcFailure(Exception):
    """A JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code

    def described(self) -> Object:
        error: Object = {"code": self.code, "message": str(self)}
        if reason := _REASONS.get(self.code):
            kind = "type.googleapis.com/google.rpc.ErrorInfo"
            error["data"] = [{"@type": kind, "reason": reason, "domain": "a2a-protocol.org"}]
        return error


class A2A:
    """The agent's side of the protocol."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.tasks = Tasks(agent)

    async def card(self, base: str) -> Object:
        """The card, with the fields of both versions; `base` is the URL that the caller came by."""
        settings = self._agent.settings
        about = settings.description or f"The KAOS agent {settings.name}"
        offer = await self._agent.offer()
        skills = [{"id": "chat", "name": "chat", "description": about, "tags": ["chat"]}]
        skills += [
            {"id": one.name, "name": one.name, "description": one.description, "tags": ["tool", one.server]}
            for one in offer.tools.values()
        ]
        return {
            "name": settings.name,
            "description": about,
            "version": kaos.__version__,
            "supportedInterfaces": [
                {"url": base, "protocolBinding": "JSONRPC", "protocolVersion": version} for version in ("1.0", "0.3")
            ],
            "url": base,
            "preferredTransport": "JSONRPC",
            "protocolVersion": "0.3.0",
            "capabilities": {"streaming": True, "pushNotifications": False},
            "defaultInputModes": ["text/plain"],
            "defaultOutputModes": ["text/plain"],
            "skills": skills,
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """POST /."""
        identity: Any = None
        try:
            body = _envelope(await request.read())
            identity = body.get("id")
            verb, dialect = _method(body["method"], request.headers.get("A2A-Version", ""))
            params = body.get("params") or {}
            if not isinstance(params, dict):
                raise RpcFailure(INVALID_PARAMS, "params must be an object")
            match verb:
                case "send":
                    result = await self._send(params, dialect, request)
                case "get":
                    result = dialect.task(await self._find(params), _history(params))
                case "list":
                    result = await self._list(params, dialect)
                case "cancel":
                    result = await self._cancel(params, dialect)
                case _:
                    task = await self._begin(params, request) if verb == "stream" else await self._running(params)
                    return await _events(request, identity, self._follow(task, dialect))
            return json_response({"jsonrpc": "2.0", "id": identity, "result": result})
        except RpcFailure as failure:
            return json_response({"jsonrpc": "2.0", "id": identity, "error": failure.described()})

    # Verbs.

    async def _send(self, params: Object, dialect: Dialect, request: web.Request) -> Object:
        task = await self._begin(params, request)
        settings = _object(params.get("configuration"))
        waits = not settings.get("returnImmediately") if dialect.modern else settings.get("blocking") is not False
        if waits:
            try:
                await asyncio.wait([task.work])
            except asyncio.CancelledError:
                # Who waited for the answer has gone, and nobody else knows of the task.
                await self.tasks.cancel(task)
                raise
        return dialect.sent(task.stored(), _history(settings))

    async def _list(self, params: Object, dialect: Dialect) -> Object:
        size = params.get("pageSize") or _PAGE
        if not isinstance(size, int) or not 0 < size <= _LARGEST_PAGE:
            raise RpcFailure(INVALID_PARAMS, f"pageSize must be a number from 1 to {_LARGEST_PAGE}")
        token = str(params.get("pageToken") or "0")
        if not token.isdecimal() or len(token) > 9:
            raise RpcFailure(INVALID_PARAMS, "pageToken is none of this agent's")
        state = None
        if asked := params.get("status"):
            state = dialect.state_of(asked)
            if state is None:
                raise RpcFailure(INVALID_PARAMS, f"there is no state {asked}")
        after, offset = _moment(params.get("statusTimestampAfter")), int(token)
        context = str(params.get("contextId") or "") or None
        found, total = await self._agent.sessions.tasks(context, state, after, offset, size)
        running, history = self.tasks.running, _history(params)
        artifacts = bool(params.get("includeArtifacts")) or not dialect.modern
        shown = [running[one.id].stored() if one.id in running else one for one in found]
        more = offset + len(found) < total
        return {
            "tasks": [dialect.task(one, history, artifacts) for one in shown],
            "totalSize": total,
            "pageSize": size,
            "nextPageToken": str(offset + len(found)) if more else "",
        }

    async def _cancel(self, params: Object, dialect: Dialect) -> Object:
        found = await self._find(params)
        task = self.tasks.running.get(found.id)
        if task is None:
            raise RpcFailure(NOT_CANCELABLE, f"the task is {found.state} already")
        await self.tasks.cancel(task)
        return dialect.task(task.stored())

    async def _follow(self, task: Task, dialect: Dialect) -> AsyncIterator[Object]:
        """The task, what is added to its answer, the steps on the way, and its end."""
        yield dialect.sent(task.stored())
        first = True
        async for piece in task.follow():
            if isinstance(piece, Step):
                yield dialect.status_update(task.stored(), piece)
            else:
                yield dialect.artifact_update(task.stored(), piece, first)
                first = False
        yield dialect.status_update(task.stored())

    # Tasks.

    async def _begin(self, params: Object, request: web.Request) -> Task:
        message = params.get("message")
        parts = message.get("parts") if isinstance(message, dict) else None
        if not isinstance(parts, list) or not parts:
            raise RpcFailure(INVALID_PARAMS, "params.message.parts must be a list")
        if task_id := message.get("taskId"):
            found = await self._find({"id": task_id})
            state = "at work already" if found.state not in FINAL else found.state
            raise RpcFailure(UNSUPPORTED, f"the task is {state}; send a message with its contextId for a new one")
        texts = [part.get("text") for part in parts if isinstance(part, dict)]
        text = "\n".join(one for one in texts if isinstance(one, str) and one)
        if not text:
            raise RpcFailure(NOT_TEXT, "the message holds no text, and this agent reads text only")
        try:
            context = await self._agent.sessions.open(str(message.get("contextId") or "") or None)
        except ValueError as error:
            raise RpcFailure(INVALID_PARAMS, f"contextId: {error}") from None
        path = path_of(request.headers.get(PATH_HEADER, ""))
        try:
            return await self.tasks.begin(Turn(context, [{"role": "user", "content": text}], path), text)
        except TooMany:
            raise RpcFailure(INTERNAL, "too many tasks are at work; try again later") from None

    async def _find(self, params: Object) -> StoredTask:
        task_id = str(params.get("id") or "").removeprefix("tasks/")
        task = await self.tasks.find(task_id)
        if task is None:
            raise RpcFailure(TASK_NOT_FOUND, f"there is no task {task_id[:128]}")
        return task

    async def _running(self, params: Object) -> Task:
        found = await self._find(params)
        if found.id not in self.tasks.running:
            raise RpcFailure(UNSUPPORTED, f"the task is {found.state} already; nothing more will come")
        return self.tasks.running[found.id]


def _envelope(data: bytes) -> Object:
    """Raises RpcFailure."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise RpcFailure(PARSE_ERROR, "the body is not JSON") from None
    if isinstance(body, list):
        raise RpcFailure(INVALID_REQUEST, "batches are not supported")
    good = isinstance(body, dict) and body.get("jsonrpc") == "2.0" and isinstance(body.get("method"), str)
    if not good or isinstance(body.get("id"), (dict, list, bool)):
        raise RpcFailure(INVALID_REQUEST, "the body is no JSON-RPC 2.0 request")
    return body


def _method(name: str, version: str) -> tuple[str, Dialect]:
    """Raises RpcFailure."""
    if version and version.partition(".")[0] not in ("0", "1"):
        raise RpcFailure(WRONG_VERSION, f"A2A {version[:16]} is not spoken here; 1.0 and 0.3 are")
    if name in _METHODS:
        verb, modern = _METHODS[name]
        return verb, Dialect(modern)
    if "PushNotificationConfig" in name or "pushNotificationConfig" in name:
        raise RpcFailure(NO_PUSH, "push notifications are not supported")
    if name in ("GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard"):
        raise RpcFailure(NO_EXTENDED_CARD, "there is no extended card")
    raise RpcFailure(METHOD_NOT_FOUND, f"there is no method {name[:128]}")


def _history(params: Object) -> int | None:
    """Raises RpcFailure."""
    length = params.get("historyLength")
    if length is not None and (not isinstance(length, int) or length < 0):
        raise RpcFailure(INVALID_PARAMS, "historyLength must be a number of at least 0")
    return length


def _moment(text: Any) -> float:
    """Raises RpcFailure."""
    try:
        return datetime.fromisoformat(str(text)).timestamp() if text else 0.0
    except (ValueError, OverflowError):
        raise RpcFailure(INVALID_PARAMS, "statusTimestampAfter is no time") from None


async def _events(request: web.Request, identity: Any, results: AsyncIterator[Object]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-cache"})
    await response.prepare(request)
    async with aclosing(results):
        async for result in results:
            await response.write(b"data: " + encode({"jsonrpc": "2.0", "id": identity, "result": result}) + b"\n\n")
    await response.write_eof()
    return response


def _object(value: Any) -> Object:
    return value if isinstance(value, dict) else {}
