"""`kaos mcp run`: a server of one's own on this machine, started again whenever a file changes."""

from __future__ import annotations

import sys

import click

from kaos.cli.commands import Command
from kaos.cli.mcp_validate import fastmcp_path
from kaos.cli.output import result, say
from kaos.errors import UsageError


@click.command(cls=Command)
@click.argument("directory", default=".", metavar="[DIRECTORY]")
@fastmcp_path
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port on 127.0.0.1; 0: a free one."
)
@click.option("--console/--no-console", "opens", default=None,
              help="Call its tools in the console meanwhile.  [default: on a terminal]")  # fmt: skip
@click.pass_context
def run(ctx: click.Context, directory: str, fastmcp_path: str, port: int, opens: bool | None) -> None:
    """Serve a project over HTTP, to this machine only, until ctrl-c; whenever a file changes it is started again.

    On a terminal the console shows its tools, to be called as they are now; `l` there is what the server says.
    """
    from kaos.actions.project import serving
    from kaos.actions.project.environment import project

    on_terminal = all(click.get_text_stream(name).isatty() for name in ("stdin", "stdout"))
    if opens and not on_terminal:
        raise UsageError("The console needs a terminal.", "Without it: kaos mcp run --no-console")
    if opens or (opens is None and on_terminal):
        from kaos.tui.workbench import run as open_console

        found = project(directory, fastmcp_path)
        serving.server_place(found)
        place = () if fastmcp_path == "server:mcp" else ("--fastmcp-path", fastmcp_path)
        words = (directory, *place, *(() if port == 8000 else ("--port", str(port))))
        ctx.exit(open_console(found, port, words))

    def ready(url: str) -> None:
        result(url)
        sys.stdout.flush()  # whoever reads it from a pipe begins now
        say("A change of a file starts it again; ctrl-c ends it")

    serving.serve(project(directory, fastmcp_path), port, ready)
