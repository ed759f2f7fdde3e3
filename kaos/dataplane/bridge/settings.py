"""What a bridge is told: what is behind it, where it listens, who may call it, and which tools."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field

from kaos.dataplane import egress
from kaos.dataplane.bridge.filtering import OPEN, ToolsFilter
from kaos.dataplane.serving import refuse

ISOLATIONS = ("shared", "session")
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
    isolation: str = "session"  # or "shared": whether each session has a process of its own
    socket: str = ""  # where stdio-exec listens, in place of a command
    give_up: int = 0  # after so many starts in a row that came to nothing; 0: never
    tools: ToolsFilter = OPEN
    egress_port: int | None = None  # of the guard through which the server reaches others; 0: a free one
    egress: egress.Policy = field(default_factory=egress.Policy)
    upstream: str = ""  # the URL of the HTTP server that is relayed in place of a command
    upstream_headers: dict[str, str] = field(default_factory=dict, repr=False)  # secret

    @classmethod
    def read(cls, arguments: list[str] | None, environ: Mapping[str, str]) -> Settings:
        parser = argparse.ArgumentParser(
            prog="python -m kaos.dataplane.bridge",
            description="Serve a stdio MCP server over HTTP, or relay one that speaks it.",
        )
        parser.add_argument("--host", default=environ.get("HOST", "0.0.0.0"))
        parser.add_argument("--port", type=int, default=environ.get("PORT", "8000"))
        parser.add_argument("--path", default=cls.path, help="of the MCP endpoint")
        parser.add_argument("--idle", type=float, default=cls.idle_s, help="seconds until an unused session ends")
        parser.add_argument("--sessions", type=int, default=cls.most_sessions, help="how many there may be at once")
        parser.add_argument(
            "--isolation", choices=ISOLATIONS, default=cls.isolation, help="a process each session, or one for all"
        )
        parser.add_argument("--socket", default="", metavar="PATH", help="of stdio-exec, in place of a command")
        parser.add_argument("--give-up", type=int, default=0, metavar="N", help="end after so many failed starts")
        parser.add_argument("--allow", action="append", default=[], metavar="GLOB", help="only these tools")
        parser.add_argument("--deny", action="append", default=[], metavar="GLOB", help="none of these tools")
        parser.add_argument("--egress-port", type=int, metavar="N", help="guard where the server goes, on this port")
        parser.add_argument(
            "--egress-allow", action="append", default=[], metavar="PLACE", help="a private name, address or network"
        )
        parser.add_argument("--upstream", default="", metavar="URL", help="an HTTP MCP server in place of a command")
        parser.add_argument(
            "--header", action="append", default=[], metavar="NAME=VARIABLE", help="a header for it, from a variable"
        )
        parser.add_argument("command", nargs="*", help="the server, after --")
        told = parser.parse_args(arguments)
        if sum(map(bool, (told.command, told.socket, told.upstream))) != 1:
            parser.error("give one of: a command, after --; --socket PATH; --upstream URL")
        try:
            places = egress.Policy(told.egress_allow)
        except ValueError as error:
            parser.error(f"--egress-allow: {error}")
        return cls(
            command=tuple(told.command),
            env=server_env(environ),
            host=told.host,
            port=told.port,
            token=environ.get(TOKEN, ""),
            path=told.path,
            idle_s=told.idle,
            most_sessions=told.sessions,
            isolation=told.isolation,
            socket=told.socket,
            give_up=told.give_up,
            tools=ToolsFilter(tuple(told.allow), tuple(told.deny)),
            egress_port=told.egress_port,
            egress=places,
            upstream=told.upstream,
            upstream_headers=_headers(told.header, environ),
        )


def server_env(environ: Mapping[str, str]) -> dict[str, str]:
    """All of ours but the key to ourselves."""
    return {name: value for name, value in environ.items() if name != TOKEN}


def _headers(pairs: list[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Values come from the environment, never from arguments."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, _, variable = pair.partition("=")
        value = environ.get(variable, "").strip()
        if not value or not value.isprintable() or not value.isascii():
            refuse(f"the value of header {name}, in {variable}, is empty or holds what no header may")
        found[name.lower()] = value
    return found
