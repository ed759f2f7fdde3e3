"""What the pod's environment says of the agent. Raises ValueError with the variable's name for what cannot be read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Server:
    """A tool server: MCP_SERVER_<NAME>_URL, and which of its tools may be used.

    MCP_SERVER_<NAME>_ALLOW and MCP_SERVER_<NAME>_DENY are shell-style patterns with commas between them, for the
    server's own names of its tools. Without ALLOW all are allowed; DENY wins.
    """

    name: str
    url: str
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


@dataclass(frozen=True)
class Peer:
    """Another agent: PEER_AGENT_<NAME>_CARD_URL."""

    name: str
    card_url: str


@dataclass(frozen=True)
class Memory:
    """How much of conversations is kept (MEMORY_*), and where: in MEMORY_PATH, else in the process."""

    enabled: bool = True
    context_limit: int = 6
    max_sessions: int = 1000
    max_session_events: int = 500
    path: str = ""


@dataclass(frozen=True)
class Limits:
    """How long and how much; seconds and characters."""

    answer_s: float = 300  # AGENT_DEADLINE_S: a whole answer, whatever goes on in it
    model_silence_s: float = 120  # MODEL_TIMEOUT_S: until the model says something more
    tool_silence_s: float = 30  # TOOL_TIMEOUT_S: until a tool answers or reports progress
    tool_s: float = 120  # TOOL_DEADLINE_S: until a tool answers, whatever progress it reports
    tools_at_once: int = 8  # TOOL_CONCURRENCY: calls of one answer that run side by side
    tool_result: int = 1024 * 1024  # TOOL_RESULT_LIMIT: what the model gets of one result
    hops: int = 5  # DELEGATION_MAX_HOPS: agents that a message may come through
    drain_s: float = 24  # DRAIN_TIMEOUT_S: for answers under way after SIGTERM


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
    limits: Limits = Limits()
    script: tuple[str, ...] = ()  # DEBUG_MOCK_RESPONSES: what the model says, in place of a model
    host: str = "0.0.0.0"
    port: int = 8000

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        script = _script(environ.get("DEBUG_MOCK_RESPONSES", ""))
        return cls(
            name=_needed(environ, "AGENT_NAME"),
            model=environ.get("MODEL_NAME") or "mock" if script else _needed(environ, "MODEL_NAME"),
            model_url="" if script else _url(environ, "MODEL_API_URL").rstrip("/").removesuffix("/v1"),
            namespace=environ.get("AGENT_NAMESPACE") or "default",
            description=environ.get("AGENT_DESCRIPTION", ""),
            instructions=environ.get("AGENT_INSTRUCTIONS", ""),
            model_key=environ.get("MODEL_API_KEY", ""),
            max_steps=_whole(environ, "AGENTIC_LOOP_MAX_STEPS", 5),
            servers=tuple(_server(name, environ) for name in _list(environ.get("MCP_SERVERS", ""))),
            peers=tuple(_peer(name, environ) for name in _list(environ.get("PEER_AGENTS", ""))),
            memory=_memory(environ),
            limits=_limits(environ),
            script=script,
            host=environ.get("HOST") or "0.0.0.0",
            port=_whole(environ, "PORT", 8000, at_most=65535),
        )


def _memory(environ: Mapping[str, str]) -> Memory:
    return Memory(
        _truth(environ, "MEMORY_ENABLED", True),
        _whole(environ, "MEMORY_CONTEXT_LIMIT", 6),
        _whole(environ, "MEMORY_MAX_SESSIONS", 1000),
        _whole(environ, "MEMORY_MAX_SESSION_EVENTS", 500),
        environ.get("MEMORY_PATH", ""),
    )


def _limits(environ: Mapping[str, str]) -> Limits:
    default = Limits()
    return Limits(
        _seconds(environ, "AGENT_DEADLINE_S", default.answer_s),
        _seconds(environ, "MODEL_TIMEOUT_S", default.model_silence_s),
        _seconds(environ, "TOOL_TIMEOUT_S", default.tool_silence_s),
        _seconds(environ, "TOOL_DEADLINE_S", default.tool_s),
        _whole(environ, "TOOL_CONCURRENCY", default.tools_at_once),
        _whole(environ, "TOOL_RESULT_LIMIT", default.tool_result),
        _whole(environ, "DELEGATION_MAX_HOPS", default.hops),
        _seconds(environ, "DRAIN_TIMEOUT_S", default.drain_s),
    )


def _server(name: str, environ: Mapping[str, str]) -> Server:
    prefix = f"MCP_SERVER_{_variable(name)}"
    allow, deny = (tuple(_list(environ.get(f"{prefix}_{word}", ""))) for word in ("ALLOW", "DENY"))
    return Server(name, _url(environ, f"{prefix}_URL"), allow, deny)


def _peer(name: str, environ: Mapping[str, str]) -> Peer:
    return Peer(name, _url(environ, f"PEER_AGENT_{_variable(name)}_CARD_URL"))


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


def _list(text: str) -> list[str]:
    """The words between commas, each once."""
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _needed(environ: Mapping[str, str], name: str) -> str:
    if not environ.get(name):
        raise ValueError(f"{name} is not set")
    return environ[name]


def _url(environ: Mapping[str, str], name: str) -> str:
    url = _needed(environ, name)
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"{name} must be an http:// or https:// address, not {url!r}")
    return url


def _whole(environ: Mapping[str, str], name: str, default: int, at_most: int | None = None) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and int(text[:20]) >= 1 and (at_most is None or int(text) <= at_most)):
        bound = f"from 1 to {at_most}" if at_most else "of at least 1"
        raise ValueError(f"{name} must be a whole number {bound}, not {text!r}")
    return int(text)


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name) or str(default)
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 < found < math.inf:
        raise ValueError(f"{name} must be a number of seconds above 0, not {text!r}")
    return found


def _truth(environ: Mapping[str, str], name: str, default: bool) -> bool:
    text = (environ.get(name) or str(default)).lower()
    if text not in ("true", "false"):
        raise ValueError(f"{name} must be true or false, not {text!r}")
    return text == "true"


def _script(text: str) -> tuple[str, ...]:
    if not text:
        return ()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError("DEBUG_MOCK_RESPONSES must be a JSON list of texts")
    return tuple(found)
