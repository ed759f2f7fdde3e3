"""What the agent's spans say of themselves, in the words of OpenTelemetry's conventions; never a word of a chat."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from kaos.dataplane.agent.peers import PeerConnection
from kaos.dataplane.agent.settings import Settings
from kaos.dataplane.agent.tools import Tool

Attributes = dict[str, Any]


def of_answer(settings: Settings, session_id: str) -> Attributes:
    return {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": settings.name,
        "gen_ai.conversation.id": session_id,
        "gen_ai.request.model": settings.model,
    }


def of_model_call(settings: Settings) -> Attributes:
    named = {"gen_ai.operation.name": "chat", "gen_ai.request.model": settings.model}
    return named | _address(settings.model_url)


def of_tool_call(tool: Tool, identity: str) -> Attributes:
    """A call by MCP is one span, which follows both conventions."""
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool.own_name,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": identity,
        "mcp.method.name": "tools/call",
        **_address(tool.connection.server.url),
    }


def of_delegation(peer: PeerConnection, identity: str) -> Attributes:
    named = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": peer.peer.name}
    return named | {"gen_ai.tool.call.id": identity} | _address(peer.url)


def _address(url: str) -> Attributes:
    parts = urlsplit(url)
    if not parts.hostname:
        return {}
    return {"server.address": parts.hostname, "server.port": parts.port or {"https": 443}.get(parts.scheme, 80)}
