"""A2A over JSON-RPC, protocol versions 1.0 and 0.3: the agent's card, messages (also streamed) and tasks.

Source: the A2A specification. The method tells the version: `SendMessage` is 1.0, `message/send` is 0.3.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

import kaos
from kaos.dataplane.agent.loop import Agent, Finished, Turn
from kaos.dataplane.agent.peers import PATH_HEADER
from kaos.dataplane.model.openai import Failure

Object = dict[str, Any]

TASKS_KEPT = 1000
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
TASK_NOT_FOUND, NOT_CANCELABLE = -32001, -32002
_FINAL = ("completed", "failed", "canceled")


class RpcFailure(Exception):
    """A JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Task:
    """One piece of work for a caller."""

    id: str
    context_id: str
    state: str = "submitted"
    text: str = ""
    problem: str = ""
    at: str = ""
    work: asyncio.Task[None] | None = None
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    pieces: list[str] = field(default_factory=list)

    async def become(self, state: str) -> None:
        self.state, self.at = state, datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        async with self.changed:
            self.changed.notify_all()


class Dialect:
    """How one version of the protocol writes things."""

    def __init__(self, modern: bool) -> None:
        self.modern = modern

    def state(self, word: str) -> str:
        return f"TASK_STATE_{word.upper()}" if self.modern else word

    def parts(self, text: str) -> list[Object]:
        return [{"text": text}] if self.modern else [{"kind": "text", "text": text}]

    def message(self, task: Task, text: str) -> Object:
        role = "ROLE_AGENT" if self.modern else "agent"
        made = {"role": role, "messageId": f"{task.id}-status", "contextId": task.context_id, "taskId": task.id}
        return made | {"parts": self.parts(text)} | ({} if self.modern else {"kind": "message"})

    def status(self, task: Task) -> Object:
        told = {"state": self.state(task.state), "timestamp": task.at}
        return told | ({"message": self.message(task, task.problem)} if task.problem else {})

    def artifact(self, task: Task, text: str) -> Object:
        return {"artifactId": f"{task.id}-answer", "name": "answer", "parts": self.parts(text)}

    def task(self, task: Task) -> Object:
        made = {"id": task.id, "contextId": task.context_id, "status": self.status(task)}
        if task.text:
            made["artifacts"] = [self.artifact(task, task.text)]
        return made if self.modern else made | {"kind": "task"}

    def sent(self, task: Task) -> Object:
        return {"task": self.task(task)} if self.modern else self.task(task)

    def status_update(self, task: Task) -> Object:
        update = {"taskId": task.id, "contextId": task.context_id, "status": self.status(task)}
        if self.modern:
            return {"statusUpdate": update}
        return update | {"kind": "status-update", "final": task.state in _FINAL}

    def artifact_update(self, task: Task, text: str, more: bool) -> Object:
        update = {
            "taskId": task.id,
            "contextId": task.context_id,
            "artifact": self.artifact(task, text),
            "append": more,
        }
        return {"artifactUpdate": update} if self.modern else update | {"kind": "artifact-update"}


_METHODS = {
    "SendMessage": ("send", True), "SendStreamingMessage": ("stream", True), "GetTask": ("get", True),
    "ListTasks": ("list", True), "CancelTask": ("cancel", True), "SubscribeToTask": ("subscribe", True),
    "message/send": ("send", False), "message/stream": ("stream", False), "tasks/get": ("get", False),
    "tasks/list": ("list", False), "tasks/cancel": ("cancel", False), "tasks/resubscribe": ("subscribe", False),
}  # fmt: skip


class A2A:
    """The agent's side of the protocol."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._tasks: OrderedDict[str, Task] = OrderedDict()

    def card(self, base: str) -> Object:
        """The card, with the fields of both versions; `base` is the URL that the caller came by."""
        settings = self._agent.settings
        about = settings.description or f"The KAOS agent {settings.name}"
        skill = {"id": "chat", "name": "chat", "description": about, "tags": ["chat"]}
        return {
            "name": settings.name,
            "description": about,
            "version": kaos.__version__,
            "supportedInterfaces": [
                {"url": base, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
                {"url": base, "protocolBinding": "JSONRPC", "protocolVersion": "0.3"},
            ],
            "url": base,
            "preferredTransport": "JSONRPC",
            "protocolVersion": "0.3.0",
            "capabilities": {"streaming": True, "pushNotifications": False},
            "defaultInputModes": ["text/plain"],
            "defaultOutputModes": ["text/plain"],
            "skills": [skill],
        }

    async def handle(self, request: Request) -> Response:
        """POST /."""
        identity: Any = None
        try:
            try:
                body = json.loads(await request.body())
            except ValueError:
                raise RpcFailure(PARSE_ERROR, "the body is not JSON") from None
            if not isinstance(body, dict) or not isinstance(body.get("method"), str):
                raise RpcFailure(INVALID_REQUEST, "the body is no JSON-RPC request")
            identity = body.get("id")
            if body["method"] not in _METHODS:
                raise RpcFailure(METHOD_NOT_FOUND, f"there is no method {body['method']}")
            verb, modern = _METHODS[body["method"]]
            params = body.get("params") or {}
            if not isinstance(params, dict):
                raise RpcFailure(INVALID_PARAMS, "params must be an object")
            result = await getattr(self, f"_{verb}")(params, Dialect(modern), request)
            if isinstance(result, AsyncIterator):
                return StreamingResponse(_sse(identity, result), media_type="text/event-stream")
            return JSONResponse({"jsonrpc": "2.0", "id": identity, "result": result})
        except RpcFailure as failure:
            error = {"code": failure.code, "message": str(failure)}
            return JSONResponse({"jsonrpc": "2.0", "id": identity, "error": error})

    # Verbs.

    async def _send(self, params: Object, dialect: Dialect, request: Request) -> Object:
        task = self._begin(params, request)
        settings = params.get("configuration") or {}
        waits = not settings.get("returnImmediately") if dialect.modern else settings.get("blocking", True)
        if waits:
            await asyncio.shield(task.work)
        return dialect.sent(task)

    async def _stream(self, params: Object, dialect: Dialect, request: Request) -> AsyncIterator[Object]:
        return self._follow(self._begin(params, request), dialect)

    async def _subscribe(self, params: Object, dialect: Dialect, request: Request) -> AsyncIterator[Object]:
        return self._follow(self._find(params), dialect)

    async def _get(self, params: Object, dialect: Dialect, request: Request) -> Object:
        return dialect.task(self._find(params))

    async def _list(self, params: Object, dialect: Dialect, request: Request) -> Object:
        context = params.get("contextId")
        found = [one for one in reversed(self._tasks.values()) if not context or one.context_id == context]
        size = params.get("pageSize") if isinstance(params.get("pageSize"), int) else 50
        shown = found[: min(max(size, 1), 100)]
        tasks = [dialect.task(one) for one in shown]
        return {"tasks": tasks, "totalSize": len(found), "pageSize": len(tasks), "nextPageToken": ""}

    async def _cancel(self, params: Object, dialect: Dialect, request: Request) -> Object:
        task = self._find(params)
        if task.state in _FINAL:
            raise RpcFailure(NOT_CANCELABLE, f"the task is {task.state} already")
        task.work.cancel()
        await asyncio.gather(task.work, return_exceptions=True)
        return dialect.task(task)

    # Tasks.

    def _begin(self, params: Object, request: Request) -> Task:
        message = params.get("message")
        parts = message.get("parts") if isinstance(message, dict) else None
        if not isinstance(parts, list):
            raise RpcFailure(INVALID_PARAMS, "params.message.parts must be a list")
        text = "\n".join(str(part["text"]) for part in parts if isinstance(part, dict) and part.get("text"))
        if not text:
            raise RpcFailure(INVALID_PARAMS, "the message holds no text; this agent reads text only")
        try:
            context = self._agent.sessions.open(message.get("contextId") or None)
        except ValueError as error:
            raise RpcFailure(INVALID_PARAMS, str(error)) from None
        path = tuple(word for word in request.headers.get(PATH_HEADER, "").split(",") if word)
        task = Task(uuid.uuid4().hex, context)
        self._tasks[task.id] = task
        while len(self._tasks) > TASKS_KEPT:
            self._tasks.popitem(last=False)[1].work.cancel()
        turn = Turn(context, [{"role": "user", "content": text}], path)
        task.work = asyncio.create_task(self._work(task, turn))
        return task

    def _find(self, params: Object) -> Task:
        task = self._tasks.get(str(params.get("id") or "").removeprefix("tasks/"))
        if task is None:
            raise RpcFailure(TASK_NOT_FOUND, f"there is no task {params.get('id')}")
        return task

    async def _work(self, task: Task, turn: Turn) -> None:
        await task.become("working")
        try:
            async for piece in self._agent.answer(turn):
                if isinstance(piece, str):
                    task.pieces.append(piece)
                    async with task.changed:
                        task.changed.notify_all()
                elif isinstance(piece, Finished):
                    task.text = piece.text
        except Failure as failure:
            task.problem = failure.message
            await task.become("failed")
        except asyncio.CancelledError:
            await task.become("canceled")
            raise
        else:
            await task.become("completed")

    async def _follow(self, task: Task, dialect: Dialect) -> AsyncIterator[Object]:
        """The task, what is added to its answer, and its end."""
        yield dialect.sent(task)
        told = 0
        while True:
            async with task.changed:
                while told == len(task.pieces) and task.state not in _FINAL:
                    await task.changed.wait()
            if told < len(task.pieces):
                yield dialect.artifact_update(task, "".join(task.pieces[told:]), more=told > 0)
                told = len(task.pieces)
            elif task.state in _FINAL:
                yield dialect.status_update(task)
                return


async def _sse(identity: Any, results: AsyncIterator[Object]) -> AsyncIterator[bytes]:
    async for result in results:
        yield b"data: " + json.dumps({"jsonrpc": "2.0", "id": identity, "result": result}).encode() + b"\n\n"
