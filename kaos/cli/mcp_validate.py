"""`kaos mcp validate`: what clients would trip over in a server of one's own."""

from __future__ import annotations

import click

from kaos.cli import options
from kaos.cli.commands import Command
from kaos.cli.output import as_json, red, result, say, table
from kaos.errors import KaosError

fastmcp_path = click.option("--fastmcp-path", default="server:mcp", show_default=True, metavar="MODULE:NAME",
                            help="Where the server object is.")  # fmt: skip


@click.command(cls=Command)
@click.argument("directory", default=".", metavar="[DIRECTORY]")
@fastmcp_path
@options.output("table", "json", default="table")
def validate(directory: str, fastmcp_path: str, output: str) -> None:
    """Start the server of a project, list its tools and say what clients and models would trip over.

    It ends with 1 when something is broken; warnings alone are no failure.
    """
    from kaos.actions.arguments import signature
    from kaos.actions.project.checking import validate as check
    from kaos.actions.project.environment import project
    from kaos.actions.project.inspection import Level
    from kaos.cli.describe import first_line

    report = check(project(directory, fastmcp_path))
    broken = sum(one.level is Level.ERROR for one in report.findings)
    if output == "json":
        as_json(report.as_dict())
    else:
        rows = [
            [tool["name"], signature(tool), first_line(str(tool.get("description") or ""))] for tool in report.tools
        ]
        table(["NAME", "ARGUMENTS", "DESCRIPTION"], rows)
        for one in report.findings:
            mark = red("✗") if one.level is Level.ERROR else "!"
            result(f"{mark} {f'{one.tool}: ' if one.tool else ''}{one.problem}. {one.cure}".rstrip())
        if not report.findings:
            say("✓ Nothing that a client would trip over")
    if broken:
        raise KaosError(f"{report.server} has {broken} error{'s' if broken > 1 else ''}.", "")
