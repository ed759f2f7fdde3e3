"""`kaos mcp proxy`: a server of the cluster for programs of this machine."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from kaos.actions.kinds import MCPSERVER
from kaos.cli import options
from kaos.cli.commands import Command, Settings
from kaos.cli.output import result, say
from kaos.cli.verbs import name_argument

if TYPE_CHECKING:
    from kaos.actions.reaching import Reach

LINE_LIMIT = 16 * 1024 * 1024


@click.command(cls=Command)
@name_argument(MCPSERVER)
@options.namespace
@click.option("--port", type=click.IntRange(0, 65535), help="Serve HTTP on this port of 127.0.0.1 (0: a free one).")
@click.pass_obj
def proxy(settings: Settings, name: str, namespace: str | None, port: int | None) -> None:
    """Speak MCP for the server NAME on standard input and output, or on a port of this machine.

    It is what `kaos mcp connect` has editors and assistants start. With --port it serves until ctrl-c; when the
    variable KAOS_BRIDGE_TOKEN is set, clients must send it, as Authorization: Bearer or X-KAOS-Token.
    """
    from kaos.actions import resources
    from kaos.actions.mcp_proxy import serve
    from kaos.actions.reaching import Reach
    from kaos.api.names import DEFAULT_PATH
    from kaos.dataplane.bridge.settings import TOKEN

    client = settings.client(namespace)
    server = resources.get(client, MCPSERVER, name, client.namespace)
    reach = Reach(client.connection, name, client.namespace)
    if port is None:
        _speak(reach)
        return

    def ready(url: str) -> None:
        result(url)
        sys.stdout.flush()  # whoever reads it from a pipe begins now
        say(f"MCPServer {client.namespace}/{name} over MCP's streamable HTTP, to this machine only; ctrl-c ends it")

    path = (server.get("status") or {}).get("path") or DEFAULT_PATH
    serve(reach, path, port, os.environ.get(TOKEN, ""), ready)


def _speak(reach: Reach) -> None:
    from kaos.actions.mcp_proxy import StdioProxy

    out = sys.stdout.buffer

    def to_client(text: str) -> None:
        out.write(text.encode() + b"\n")
        out.flush()

    StdioProxy(reach, to_client, say).run(iter(lambda: sys.stdin.buffer.readline(LINE_LIMIT), b""))
