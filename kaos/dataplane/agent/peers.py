"""Other agents as tools: a message is delegated over A2A, with a limit to how far it may travel."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

import aiohttp

from kaos.dataplane.agent.settings import Peer
from kaos.dataplane.agent.tools import ToolFailed, fitting_name

Object = dict[str, Any]

PREFIX = "delegate_to_"
PATH_HEADER = "x-kaos-delegation-path"  # the agents that a message has come through, with commas
MAX_HOPS = 5
CARD_TIMEOUT_S = 5.0
TIMEOUT_S = 120.0
RENEW_S, RETRY_S = 60.0, 5.0
METHOD_NOT_FOUND = -32601
_PARAMETERS: Object = {
    "type": "object",
    "properties": {"message": {"type": "string", "description": "What the other agent shall do, in full."}},
    "required": ["message"],
}


@dataclass
class PeerConnection:
    """One other agent, as its card describes it."""

    peer: Peer
    card: Object | None = None
    problem: str = "not asked yet"
    asked: float = -RENEW_S

    @property
    def tool_name(self) -> str:
        return fitting_name(f"{PREFIX}{self.peer.name}")

    @property
    def url(self) -> str:
        """Where its card says that it listens; the card's own host when that is another's name for it."""
        return self.peer.card_url.partition("/.well-known/")[0] + "/"


class Peers:
    """The agents that this one may delegate to."""

    def __init__(self, own_name: str, peers: tuple[Peer, ...], http: aiohttp.ClientSession) -> None:
        self._own_name = own_name
        self._http = http
        self.connections = [PeerConnection(peer) for peer in peers]

    async def refresh(self) -> list[Object]:
        """One tool for each peer that answers."""
        await asyncio.gather(*(self._ask(one) for one in self.connections))
        return [_offered(one) for one in self.connections if one.card is not None]

    async def _ask(self, one: PeerConnection) -> None:
        if time.monotonic() - one.asked < (RETRY_S if one.problem else RENEW_S):
            return
        one.asked = time.monotonic()
        timeout = aiohttp.ClientTimeout(total=CARD_TIMEOUT_S)
        try:
            async with self._http.get(one.peer.card_url, timeout=timeout, allow_redirects=False) as response:
                card = json.loads(await response.content.read(256 * 1024)) if response.status == 200 else None
            one.card = card if isinstance(card, dict) else None
            one.problem = "" if one.card else f"its card is no card (HTTP {response.status})"
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            one.card, one.problem = None, str(error) or "no answer in time"

    def find(self, tool_name: str) -> PeerConnection | None:
        return next((one for one in self.connections if one.tool_name == tool_name), None)

    async def delegate(self, one: PeerConnection, message: str, path: tuple[str, ...], session_id: str) -> str:
        """What the peer answers. Raises ToolFailed."""
        travelled = (*path, self._own_name)
        if one.peer.name in travelled:
            raise ToolFailed(f"this would go round in a circle: {' -> '.join((*travelled, one.peer.name))}")
        if len(travelled) > MAX_HOPS:
            raise ToolFailed(f"delegated too often already: {' -> '.join(travelled)}")
        headers = {PATH_HEADER: ",".join(travelled), "A2A-Version": "1.0"}
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._send(one, message, headers, session_id)
        except TimeoutError:
            raise ToolFailed(f"{one.peer.name} did not answer within {TIMEOUT_S:.0f} s") from None
        except (aiohttp.ClientError, OSError) as error:
            one.problem, one.asked = str(error), -RENEW_S
            raise ToolFailed(f"{one.peer.name} cannot be reached: {error}") from None

    async def _send(self, one: PeerConnection, message: str, headers: dict[str, str], session_id: str) -> str:
        identity, context = uuid.uuid4().hex, f"{self._own_name}-{session_id}"
        modern = {"role": "ROLE_USER", "messageId": identity, "contextId": context, "parts": [{"text": message}]}
        answer = await self._rpc(one, "SendMessage", modern, headers)
        if (answer.get("error") or {}).get("code") == METHOD_NOT_FOUND:
            old = {"role": "user", "kind": "message", "messageId": identity, "contextId": context,
                   "parts": [{"kind": "text", "text": message}]}  # fmt: skip
            answer = await self._rpc(one, "message/send", old, {PATH_HEADER: headers[PATH_HEADER]})
        if error := answer.get("error"):
            raise ToolFailed(f"{one.peer.name}: {error.get('message', 'it gave no reason')}")
        return _said(one.peer.name, answer.get("result"))

    async def _rpc(self, one: PeerConnection, method: str, message: Object, headers: dict[str, str]) -> Object:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"message": message}}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        async with self._http.post(
            one.url, json=body, headers=headers, timeout=timeout, allow_redirects=False
        ) as response:
            data = await response.read()
        try:
            answer = json.loads(data)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ToolFailed(f"{one.peer.name} answered HTTP {response.status}, and no A2A")
        return answer


def _offered(one: PeerConnection) -> Object:
    about = str(one.card.get("description") or f"the agent {one.peer.name}")
    function = {
        "name": one.tool_name,
        "description": f"Delegate to the agent {one.peer.name}: {about}"[:1024],
        "parameters": _PARAMETERS,
    }
    return {"type": "function", "function": function}


def _said(peer: str, result: Any) -> str:
    """The text of a Task or Message, in the words of either version. Raises ToolFailed for a task that went wrong."""
    if not isinstance(result, dict):
        raise ToolFailed(f"{peer} answered nothing")
    task = result.get("task") or (result if "status" in result else None)
    if task is None:
        return _text((result.get("message") or result).get("parts"))
    state = str((task.get("status") or {}).get("state", "")).lower().removeprefix("task_state_")
    text = "\n".join(_text(one.get("parts")) for one in task.get("artifacts") or ())
    text = text or _text(((task.get("status") or {}).get("message") or {}).get("parts"))
    if state != "completed":
        raise ToolFailed(f"{peer}: the task is {state or 'in no state'}{': ' + text if text else ''}")
    return text


def _text(parts: Any) -> str:
    return "".join(str(part.get("text", "")) for part in parts or () if isinstance(part, dict))
