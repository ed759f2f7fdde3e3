"""`kaos tui`: the console."""

from __future__ import annotations

import click

from kaos.cli import options
from kaos.cli.commands import Command, Settings


@click.command(cls=Command)
@click.argument("path", default="")
@options.namespace
@options.all_namespaces
@click.option("--read-only", is_flag=True, help="Look, and change nothing.")
@click.pass_obj
def tui(settings: Settings, path: str, namespace: str | None, all_namespaces: bool, read_only: bool) -> None:
    """Browse, watch, call and chat in the terminal; PATH opens a place, such as mcp/calculator/tools."""
    from kaos.errors import UsageError
    from kaos.tui.session import Target

    if not (click.get_text_stream("stdin").isatty() and click.get_text_stream("stdout").isatty()):
        raise UsageError("The console needs a terminal.", "What it shows is also a command; begin with: kaos status")
    from kaos.tui.app import run

    run(Target(settings.context, settings.kubeconfig, namespace, all_namespaces, read_only), path)
