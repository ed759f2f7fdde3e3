"""The handshake behind `Ready`: a real conversation with one pod in its own protocol, ended again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from kaos.api.names import MODELS_PATH, READINESS_PATH, Reason
from kaos.api.ollama import LATEST
from kaos.cluster.aio import AsyncClient
from kaos.mcp.aio import AsyncMcpSession
from kaos.mcp.wire import McpError, RpcError
from kaos.operator import ollama
from kaos.operator.decide import health, spoken
from kaos.operator.decide.world import Ask, Handshake
from kaos.operator.ollama import NoModel
from kaos.operator.podhttp import Refused, TooLarge, Unreachable, get_json, sender

Object = dict[str, Any]
log = logging.getLogger("kaos.operator")
TIMEOUT_S = 10.0
END_S = 2.0
MESSAGE_LIMIT = 1024
_INTERNAL_ERROR = -32603
_PROTOCOLS = {
    "mcp": "MCP", "models": "the OpenAI protocol", "hosted": "Ollama's protocol", "agent": "the agent's protocol"
}  # fmt: skip
_LITELLMS_REFUSALS = (400, 500)  # of a call without a key, when it has no database
_TIMEOUTS_S = {"hosted": 90.0}  # a model is loaded


async def converse(client: AsyncClient, ask: Ask, tell: Callable[[Handshake], None] = lambda said: None) -> Handshake:
    """What the pod has to say. Never raises for anything that it does.

    `tell` hears from time to time of what goes well and takes long: a model that is being pulled.
    """
    identity, where = health.identity(ask.pod, ask.container), f"port {ask.port}, path {ask.path}"
    talk, timeout_s = _TALKS[ask.protocol], _TIMEOUTS_S.get(ask.protocol, TIMEOUT_S)
    language = _PROTOCOLS[ask.protocol]

    def bad(reason: Reason, message: str) -> Handshake:
        return Handshake(
            identity, good=False, reason=reason, message=" ".join(spoken.plain(message[:MESSAGE_LIMIT]).split())
        )

    try:
        if ask.protocol == "hosted":
            await _pulled(client, ask, lambda told: tell(bad(Reason.ROLLOUT_IN_PROGRESS, told)))
        async with asyncio.timeout(timeout_s):
            said = await talk(client, ask)
    except TimeoutError:
        return bad(Reason.HANDSHAKE_FAILED, f"no answer in {language} within {timeout_s:.0f} s ({where}); read its log")
    except Unreachable as error:
        return bad(Reason.HANDSHAKE_FAILED, f"{error} ({where}); read its log")
    except NoModel as error:
        return bad(Reason.HANDSHAKE_FAILED, str(error))
    except McpError as error:
        if isinstance(error, RpcError) and error.code == _INTERNAL_ERROR:  # a relay, of its server
            return bad(Reason.HANDSHAKE_FAILED, f"{error.cause} ({where}); read its log")
        return bad(Reason.NOT_AN_MCP_SERVER, f"{error.cause} ({where}); check the image, spec.port and spec.path")
    except TooLarge as error:
        reason = Reason.NOT_AN_MCP_SERVER if ask.protocol == "mcp" else Reason.HANDSHAKE_FAILED
        return bad(reason, f"{error} ({where}); check the image")
    except Exception as error:  # whatever it has sent, it is the server's fault and no one else's
        log.debug("%s: %s", where, error, exc_info=error)
        told = str(error) if isinstance(error, ValueError) else type(error).__name__
        return bad(Reason.HANDSHAKE_FAILED, f"no answer in {language}: {told} ({where}); read its log")
    return Handshake(identity, good=True, **said)


async def _mcp(client: AsyncClient, ask: Ask) -> Object:
    session = AsyncMcpSession(sender(client, ask, ask.path))
    try:
        await session.open()
        tools = await session.list_tools()
    finally:
        await _end(session)
    return {
        "server_info": spoken.server_info(session.server_info),
        "protocol_version": session.protocol_version or "",
        **_tools(tools),
    }


async def _end(session: AsyncMcpSession) -> None:
    """A server that cannot end a session serves all the same."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(END_S):
            await session.close()


def _tools(tools: list[Any]) -> Object:
    return {"tools": tuple(spoken.described_tools(tools)), "tool_count": len(tools)}


async def _models(client: AsyncClient, ask: Ask) -> Object:
    """What an OpenAI-compatible server lists, unless it wants a key for that: to serve is to be ready then."""
    if ask.path == READINESS_PATH:
        await get_json(client, ask, READINESS_PATH)
        return {"keyed": True}
    try:
        return await _listed_models(client, ask)
    except Refused as refused:
        if refused.status in (401, 403):
            return {"keyed": True}
        if refused.status not in _LITELLMS_REFUSALS or not await _says_ready(client, ask):
            raise
        return {"keyed": True}


async def _says_ready(client: AsyncClient, ask: Ask) -> bool:
    try:
        told = await get_json(client, ask, READINESS_PATH)
    except ValueError:
        return False
    return isinstance(told, dict) and "status" in told


async def _listed_models(client: AsyncClient, ask: Ask) -> Object:
    answer = await get_json(client, ask, MODELS_PATH)
    listed = answer.get("data", ...) if isinstance(answer, dict) else ...
    listed = [] if listed is None else listed  # Ollama's word for none
    if not isinstance(listed, list):
        raise ValueError("the list of models is none")
    names = (one.get("id") for one in listed if isinstance(one, dict))
    return {"models": tuple(spoken.plain(name) for name in names if isinstance(name, str) and name)}


async def _agent(client: AsyncClient, ask: Ask) -> Object:
    await get_json(client, ask, "/ready")
    answer = await get_json(client, ask, "/tools")
    listed = answer.get("tools") if isinstance(answer, dict) else None
    servers = answer.get("servers") if isinstance(answer, dict) else None
    lacking = isinstance(servers, list) and any(isinstance(one, dict) and one.get("ready") is False for one in servers)
    return _tools(listed if isinstance(listed, list) else []) | {"whole": not lacking}


async def _pulled(client: AsyncClient, ask: Ask, tell: Callable[[str], None]) -> None:
    """Have Ollama pull the model unless it has it."""
    async with asyncio.timeout(TIMEOUT_S):
        there = await _hosted_models(client, ask)
    if ask.model not in there:
        await ollama.pull(client, ask, tell)


async def _hosted_models(client: AsyncClient, ask: Ask) -> tuple[str, ...]:
    """What Ollama has. It lists `name:latest` for `name`; what was asked for is told as it was asked for."""
    said = await _listed_models(client, ask)
    return tuple(name if name == ask.model else name.removesuffix(LATEST) for name in said["models"])


async def _hosted(client: AsyncClient, ask: Ask) -> Object:
    """A model serves once it is loaded."""
    await ollama.load(client, ask)
    return {"models": await _hosted_models(client, ask)}


_TALKS: dict[str, Callable[[AsyncClient, Ask], Awaitable[Object]]] = {
    "mcp": _mcp,
    "models": _models,
    "hosted": _hosted,
    "agent": _agent,
}
