"""What the pod's environment says of the agent. Raises ValueError with the variable's name for what cannot be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Server:
    """A tool server: MCP_SERVER_<NAME>_URL, and which of its tools may be used (shell-style patterns)."""

    name: str
    url: str
    allow: tuple[str, ...] = ()  # none given: all
    deny: tuple[str, ...] = ()


@dataclass(frozen=True)
class Peer:
    """Another agent: PEER_AGENT_<NAME>_CARD_URL."""

    name: str
    card_url: str


@dataclass(frozen=True)
class Memory:
    """How much of conversations is kept, and where; without a path in the process."""

    enabled: bool = True
    context_limit: int = 6
    max_sessions: int = 1000
    max_session_events: int = 500
    path: str = ""


@dataclass(frozen=True)
class Settings:
    """The whole agent."""

    name: str
    model: str
    model_url: str  # without /v1
    namespace: str = "default"
    description: str = ""
    instructions: str = ""
    model_key: str = ""
    max_steps: int = 5
    servers: tuple[Server, ...] = ()
    peers: tuple[Peer, ...] = ()
    memory: Memory = Memory()
    script: tuple[str, ...] = ()  # DEBUG_MOCK_RESPONSES: what the model says, in place of a model

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        script = _script(environ.get("DEBUG_MOCK_RESPONSES", ""))
        return cls(
            name=_needed(environ, "AGENT_NAME"),
            model=environ.get("MODEL_NAME", "mock") if script else _needed(environ, "MODEL_NAME"),
            model_url=environ.get("MODEL_API_URL", "") if script else _needed(environ, "MODEL_API_URL"),
            namespace=environ.get("AGENT_NAMESPACE", "default"),
            description=environ.get("AGENT_DESCRIPTION", ""),
            instructions=environ.get("AGENT_INSTRUCTIONS", ""),
            model_key=environ.get("MODEL_API_KEY", ""),
            max_steps=_number(environ, "AGENTIC_LOOP_MAX_STEPS", 5),
            servers=tuple(_server(name, environ) for name in _list(environ.get("MCP_SERVERS", ""))),
            peers=tuple(_peer(name, environ) for name in _list(environ.get("PEER_AGENTS", ""))),
            memory=Memory(
                environ.get("MEMORY_ENABLED", "true").lower() != "false",
                _number(environ, "MEMORY_CONTEXT_LIMIT", 6),
                _number(environ, "MEMORY_MAX_SESSIONS", 1000),
                _number(environ, "MEMORY_MAX_SESSION_EVENTS", 500),
                environ.get("MEMORY_PATH", ""),
            ),
            script=script,
        )


def _server(name: str, environ: Mapping[str, str]) -> Server:
    prefix = f"MCP_SERVER_{_variable(name)}"
    allow, deny = (tuple(_list(environ.get(f"{prefix}_{word}", ""))) for word in ("ALLOW", "DENY"))
    return Server(name, _needed(environ, f"{prefix}_URL"), allow, deny)


def _peer(name: str, environ: Mapping[str, str]) -> Peer:
    return Peer(name, _needed(environ, f"PEER_AGENT_{_variable(name)}_CARD_URL"))


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


def _list(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _needed(environ: Mapping[str, str], name: str) -> str:
    if not environ.get(name):
        raise ValueError(f"{name} is not set")
    return environ[name]


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{name} must be a number of at least 1, not {text!r}")
    return int(text)


def _script(text: str) -> tuple[str, ...]:
    if not text:
        return ()
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError("DEBUG_MOCK_RESPONSES must be a JSON list of texts")
    return tuple(found)
