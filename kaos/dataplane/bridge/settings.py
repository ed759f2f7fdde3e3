"""What a bridge is told: its command, where it listens, and who may call it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass

TOKEN = "KAOS_BRIDGE_TOKEN"  # never an argument: those are for all to see


@dataclass(frozen=True)
class Settings:
    """Of one bridge."""

    command: tuple[str, ...]
    env: dict[str, str]  # of the server
    host: str
    port: int
    token: str = ""
    path: str = "/mcp"
    idle_s: float = 1800.0
    most_sessions: int = 100

    @classmethod
    def read(cls, arguments: list[str] | None, environ: Mapping[str, str]) -> Settings:
        parser = argparse.ArgumentParser(
            prog="python -m kaos.dataplane.bridge", description="Serve a stdio MCP server over HTTP."
        )
        parser.add_argument("--host", default=environ.get("HOST", "0.0.0.0"))
        parser.add_argument("--port", type=int, default=environ.get("PORT", "8000"))
        parser.add_argument("--idle", type=float, default=cls.idle_s, help="seconds until an unused session ends")
        parser.add_argument("--sessions", type=int, default=cls.most_sessions, help="how many there may be at once")
        parser.add_argument("command", nargs="+", help="the server, after --")
        told = parser.parse_args(arguments)
        return cls(
            command=tuple(told.command),
            env=server_env(environ),
            host=told.host,
            port=told.port,
            token=environ.get(TOKEN, ""),
            idle_s=told.idle,
            most_sessions=told.sessions,
        )


def server_env(environ: Mapping[str, str]) -> dict[str, str]:
    """All of ours but the key to ourselves."""
    return {name: value for name, value in environ.items() if name != TOKEN}
