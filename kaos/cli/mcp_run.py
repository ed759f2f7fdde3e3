"""`kaos mcp run`: a server of one's own on this machine, started again whenever a file changes."""

from __future__ import annotations

import sys

import click

from kaos.cli.commands import Command
from kaos.cli.mcp_validate import fastmcp_path
from kaos.cli.output import result, say


@click.command(cls=Command)
@click.argument("directory", default=".", metavar="[DIRECTORY]")
@fastmcp_path
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port on 127.0.0.1; 0: a free one."
)
def run(directory: str, fastmcp_path: str, port: int) -> None:
    """Serve a project over HTTP, to this machine only, until ctrl-c; whenever a file changes it is started again."""
    from kaos.actions.project import serving
    from kaos.actions.project.environment import project

    def ready(url: str) -> None:
        result(url)
        sys.stdout.flush()  # whoever reads it from a pipe begins now
        say("A change of a file starts it again; ctrl-c ends it")

    serving.serve(project(directory, fastmcp_path), port, ready)
