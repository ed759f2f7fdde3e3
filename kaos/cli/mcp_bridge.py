"""`kaos mcp bridge`: a stdio server over HTTP, on this machine."""

from __future__ import annotations

import sys

import click

from kaos.cli.commands import Command, Settings
from kaos.cli.output import result, say


@click.command(cls=Command)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1 (default: a free one).")
@click.option(
    "--isolation",
    type=click.Choice(["shared", "session"]),
    default="session",
    show_default=True,
    help="A process for each session, or one for all.",
)
@click.argument("command", metavar="-- COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def bridge(settings: Settings, port: int, isolation: str, command: tuple[str, ...]) -> None:
    """Serve the stdio MCP server that COMMAND starts over HTTP, until ctrl-c.

    For example: kaos mcp bridge -- uvx mcp-server-fetch
    """
    from kaos.actions.bridge import serve

    def ready(url: str) -> None:
        result(url)
        sys.stdout.flush()  # whoever reads it from a pipe begins now
        say(f"Serving {command[0]} over MCP's streamable HTTP, to this machine only; ctrl-c ends it")

    serve(command, port, isolation, ready)
