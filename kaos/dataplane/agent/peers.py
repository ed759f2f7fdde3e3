"""Other agents as tools: a message is delegated over A2A, else as a chat, with a limit to how far it may travel."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import time
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from kaos.dataplane.agent.settings import Peer, Settings
from kaos.dataplane.agent.tools import fitting_name
from kaos.dataplane.agent.turns import ToolFailed, Turn
from kaos.dataplane.faults import worded
from kaos.dataplane.model.openai import Failure, text_of
from kaos.dataplane.telemetry import Telemetry
from kaos.kube import sanitize

Object = dict[str, Any]
log = logging.getLogger("kaos.agent")

PREFIX = "delegate_to_"
PATH_HEADER = "x-kaos-delegation-path"  # the agents that a message has come through, with commas
PATH_LIMIT = 64
CARD_PATH = "/.well-known/agent-card.json"
CARD_TIMEOUT_S = 5.0
FIRST_CARD_S = 3.0
RENEW_S, FIRST_RETRY_S, LAST_RETRY_S = 60.0, 0.5, 5.0
CONNECT_S = 5.0
# A Service is reachable some seconds after its pod: who asked for its name too early is denied it for five more.
YOUNG_S, PATIENCE_S, ASK_AGAIN_S = 30.0, 6.0, 0.25
# Until then its address may lead out of the cluster, to some gateway that knows no such page.
CARDLESS_S = 5.0
CARD_LIMIT_BYTES = 256 * 1024
ANSWER_LIMIT_BYTES = 4 * 1024 * 1024
METHOD_NOT_FOUND, VERSION_NOT_SUPPORTED = -32601, -32009
_NO_A2A = (404, 405, 501)
_PARAMETERS: Object = {
    "type": "object",
    "properties": {"message": {"type": "string", "description": "What the other agent shall do, in full."}},
    "required": ["message"],
}


def path_of(header: str) -> tuple[str, ...]:
    """The agents that a request has come through. No more are read than would be refused anyway."""
    return tuple(word.strip()[:128] for word in header.split(",", PATH_LIMIT)[:PATH_LIMIT] if word.strip())


def refuse_rounds(name: str, path: tuple[str, ...], hops: int) -> None:
    """Raises Failure for a message that came by here before, or through too many agents."""
    if name in path:
        round_trip = " -> ".join((*path, name))
        raise Failure(508, "server_error", f"delegation went round in a circle: {round_trip}", code="delegation_cycle")
    if len(path) > hops:
        raise Failure(508, "server_error", f"delegated too often: {' -> '.join(path)}", code="delegation_limit")


@dataclass
class PeerConnection:
    """One other agent, as its card describes it."""

    peer: Peer
    description: str = ""
    problem: str = "not asked yet"
    asked: bool = False
    asked_at: float = 0.0
    failures: int = 0

    @property
    def tool_name(self) -> str:
        return fitting_name(f"{PREFIX}{self.peer.name}")

    @property
    def card_url(self) -> str:
        url = self.peer.card_url
        return url if "/.well-known/" in url or url.endswith(".json") else url.rstrip("/") + CARD_PATH

    @property
    def url(self) -> str:
        """Where it answers. Never another host, whatever the card says."""
        parts = urlsplit(self.card_url)
        return urlunsplit((parts.scheme, parts.netloc, parts.path.partition(".well-known/")[0] or "/", "", ""))

    def offered(self) -> Object:
        about = self.description or f"the agent {self.peer.name}"
        function = {
            "name": self.tool_name,
            "description": f"Delegate to the agent {self.peer.name}: {about}"[:1024],
            "parameters": _PARAMETERS,
        }
        return {"type": "function", "function": function}


class Peers:
    """The agents that this one may delegate to."""

    def __init__(self, settings: Settings, http: aiohttp.ClientSession, telemetry: Telemetry) -> None:
        self._own_name = settings.name
        self._limits = settings.limits
        self._http = http
        self._telemetry = telemetry
        self.connections = [PeerConnection(peer) for peer in settings.peers]
        self._tasks: list[asyncio.Task[None]] = []
        self._wanted = [asyncio.Event() for _ in self.connections]
        self._all_asked = asyncio.Event()
        self._started = 0.0

    def start(self) -> None:
        self._started = asyncio.get_running_loop().time()
        pairs = zip(self.connections, self._wanted, strict=True)
        self._tasks = [asyncio.create_task(self._keep_asking(one, wanted)) for one, wanted in pairs]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def tools(self) -> dict[str, PeerConnection]:
        """A tool for each peer, there or not: its name is known. Only soon after the start is anything waited for."""
        if self.connections and not self._all_asked.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._started + FIRST_CARD_S):
                    await self._all_asked.wait()
        for one, wanted in zip(self.connections, self._wanted, strict=True):
            if one.failures and time.monotonic() - one.asked_at > FIRST_RETRY_S:
                wanted.set()
        return {one.tool_name: one for one in self.connections}

    async def _keep_asking(self, one: PeerConnection, wanted: asyncio.Event) -> None:
        while True:
            await self._ask(one)
            one.asked, one.asked_at = True, time.monotonic()
            if all(other.asked for other in self.connections):
                self._all_asked.set()
            pause_s = min(FIRST_RETRY_S * 2 ** min(one.failures - 1, 8), LAST_RETRY_S) if one.failures else RENEW_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await wanted.wait()
            wanted.clear()

    async def _ask(self, one: PeerConnection) -> None:
        timeout = aiohttp.ClientTimeout(total=CARD_TIMEOUT_S)
        fresh = {"Connection": "close"}  # one that was made too early may lead elsewhere for good
        try:
            async with self._http.get(one.card_url, headers=fresh, timeout=timeout, allow_redirects=False) as response:
                status, data = response.status, await _read(response, CARD_LIMIT_BYTES)
            if status != 200 and (status not in _NO_A2A or self._age_s() < CARDLESS_S):
                raise ToolFailed(f"its card is HTTP {status}")
            card = json.loads(data) if status == 200 else {}  # without a card it may still chat
            if not isinstance(card, dict):
                raise ToolFailed("its card is no card")
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, RecursionError, ToolFailed) as error:
            why = "no card in time" if isinstance(error, TimeoutError) else worded(error)
            one.problem = f"{one.card_url}: {why}; see: kaos agent describe {one.peer.name}"
            if not one.failures:
                log.warning("agent %s is away: %s", one.peer.name, sanitize.line(one.problem))
            one.failures += 1
        else:
            one.description, one.problem = str(card.get("description") or ""), ""
            one.failures = 0

    # Delegation.

    async def delegate(self, one: PeerConnection, arguments: Object, turn: Turn) -> str:
        """What the peer answers. Raises ToolFailed."""
        message = arguments.get("message")
        if not isinstance(message, str) or not message:
            raise ToolFailed("the argument message must be a text")
        travelled = (*turn.path, self._own_name)
        try:
            refuse_rounds(one.peer.name, travelled, self._limits.hops)
        except Failure as refused:
            raise ToolFailed(refused.message) from None
        headers = {PATH_HEADER: ",".join(travelled)} | self._telemetry.outgoing()
        try:
            await self._wait_for_young(one)
            return await self._send(one, message, headers, _context(self._own_name, turn.session_id))
        except TimeoutError:
            raise ToolFailed(f"{one.peer.name} did not answer within {self._limits.answer_s:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise ToolFailed(f"{one.peer.name} at {one.card_url} cannot be reached: {worded(error)}") from None

    def _age_s(self) -> float:
        return asyncio.get_running_loop().time() - self._started

    async def _wait_for_young(self, one: PeerConnection) -> None:
        """Soon after the start, give a peer that has not been met some time to appear."""
        loop = asyncio.get_running_loop()
        end = min(loop.time() + PATIENCE_S, self._started + YOUNG_S)
        while one.failures and loop.time() < end:
            await asyncio.sleep(ASK_AGAIN_S)
            self._wanted[self.connections.index(one)].set()

    async def _send(self, one: PeerConnection, message: str, headers: dict[str, str], context: str) -> str:
        sent: Object = {"messageId": uuid.uuid4().hex, "contextId": context}
        modern = sent | {"role": "ROLE_USER", "parts": [{"text": message}]}
        answer = await self._rpc(one, "SendMessage", modern, headers | {"A2A-Version": "1.0"})
        if answer is not None and _code(answer) in (METHOD_NOT_FOUND, VERSION_NOT_SUPPORTED):
            old = sent | {"kind": "message", "role": "user", "parts": [{"kind": "text", "text": message}]}
            answer = await self._rpc(one, "message/send", old, headers)
        if answer is None:
            return await self._chat(one, message, headers | {"x-session-id": context})
        if error := answer.get("error"):
            raise ToolFailed(f"{one.peer.name}: {_reason(error)}")
        return _said(one.peer.name, answer.get("result"))

    async def _rpc(self, one: PeerConnection, method: str, message: Object, headers: dict[str, str]) -> Object | None:
        """The JSON-RPC answer, or None from who does not speak A2A. Raises ToolFailed."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"message": message}}
        status, answer = await self._post(one.url, body, headers)
        if status in _NO_A2A:
            return None
        if answer is None or not ("result" in answer or "error" in answer):
            raise ToolFailed(f"{one.peer.name} answered HTTP {status}, and no A2A")
        return answer

    async def _chat(self, one: PeerConnection, message: str, headers: dict[str, str]) -> str:
        body = {"model": one.peer.name, "messages": [{"role": "user", "content": message}]}
        status, answer = await self._post(f"{one.url}v1/chat/completions", body, headers)
        if status != 200:
            raise ToolFailed(f"{one.peer.name}: {_reason((answer or {}).get('error'))} (HTTP {status})")
        try:
            return text_of(answer["choices"][0]["message"]["content"])
        except (LookupError, TypeError):
            raise ToolFailed(f"{one.peer.name} answered neither A2A nor a chat") from None

    async def _post(self, url: str, body: Object, headers: dict[str, str]) -> tuple[int, Object | None]:
        """Status, and the JSON object if it is one. Never sent twice: the peer may have acted."""
        timeout = aiohttp.ClientTimeout(total=self._limits.answer_s, sock_connect=CONNECT_S)
        async with self._http.post(url, json=body, headers=headers, timeout=timeout, allow_redirects=False) as response:
            data = await _read(response, ANSWER_LIMIT_BYTES)
        try:
            answer = json.loads(data)
        except (ValueError, RecursionError):
            answer = None
        return response.status, answer if isinstance(answer, dict) else None


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > limit:
            raise ToolFailed(f"the answer is larger than {limit // 1024} KiB")
    return bytes(body)


def _context(name: str, session_id: str) -> str:
    """The peer's own session for this one of ours."""
    context = f"{name}-{session_id}"
    return context if len(context) <= 128 else f"{name}-{hashlib.sha256(session_id.encode()).hexdigest()[:32]}"


def _code(answer: Object) -> Any:
    error = answer.get("error")
    return error.get("code") if isinstance(error, dict) else None


def _reason(error: Any) -> str:
    return str((error.get("message") if isinstance(error, dict) else error) or "it gave no reason")


def _said(peer: str, result: Any) -> str:
    """The text of a Task or Message, in the words of either version. Raises ToolFailed for a task that went wrong."""
    if not isinstance(result, dict):
        raise ToolFailed(f"{peer} answered nothing")
    task = result.get("task") or (result if "status" in result else None)
    if not isinstance(task, dict):
        return _text(_object(result.get("message") or result).get("parts"))
    status = _object(task.get("status"))
    state = str(status.get("state") or "in no state").lower().removeprefix("task_state_")
    text = "\n".join(_text(_object(one).get("parts")) for one in _list(task.get("artifacts")))
    text = text or _text(_object(status.get("message")).get("parts"))
    if state != "completed":
        raise ToolFailed(f"{peer}: {text}" if text else f"{peer}: the task is {state}")
    return text


def _text(parts: Any) -> str:
    return "".join(str(_object(part).get("text") or "") for part in _list(parts))


def _object(value: Any) -> Object:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
