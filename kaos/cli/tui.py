"""`kaos tui` and `kaos ui`: the console in the terminal and in the browser."""

from __future__ import annotations

import os

import click

from kaos.cli import options
from kaos.cli.commands import Command, Settings

_read_only = click.option("--read-only", is_flag=True, help="Look, and change nothing.")


@click.command(cls=Command)
@click.argument("path", default="")
@options.namespace
@options.all_namespaces
@_read_only
@click.pass_context
def tui(ctx: click.Context, path: str, namespace: str | None, all_namespaces: bool, read_only: bool) -> None:
    """Browse, watch, call and chat in the terminal; PATH opens a place, such as mcp/calculator/tools."""
    from kaos.errors import UsageError
    from kaos.tui.session import Target

    in_browser = "TEXTUAL_DRIVER" in os.environ  # `kaos ui` runs it so
    if not in_browser and not (click.get_text_stream("stdin").isatty() and click.get_text_stream("stdout").isatty()):
        raise UsageError("The console needs a terminal.", "What it shows is also a command; begin with: kaos status")
    from kaos.tui.app import run

    settings: Settings = ctx.obj
    ctx.exit(run(Target(settings.context, settings.kubeconfig, namespace, all_namespaces, read_only), path))


@click.command(cls=Command)
@click.argument("path", default="")
@options.namespace
@options.all_namespaces
@_read_only
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1 (default: a free one).")
@click.option("--open/--no-open", "opens", default=True, help="Open the browser.  [default: open]")
@click.pass_obj
def ui(
    settings: Settings,
    path: str,
    namespace: str | None,
    all_namespaces: bool,
    read_only: bool,
    port: int,
    opens: bool,
) -> None:
    """The console in your browser, on this machine only. The address that it prints works once."""
    from kaos.cli.output import result, say
    from kaos.tui import places
    from kaos.tui.web import serve

    places.parse(path)  # what is wrong is better said here than in the browser
    given = {"--context": settings.context, "--kubeconfig": settings.kubeconfig, "-n": namespace}
    arguments = [word for option, value in given.items() if value for word in (option, value)]
    arguments += ["-A"] * all_namespaces + ["--read-only"] * read_only + [path] * bool(path)

    def ready(address: str) -> None:
        result(address)
        say("Open it in a browser of this machine; it works once. ctrl-c ends it.")
        if opens:
            import webbrowser

            webbrowser.open(address)

    serve(arguments, port, ready)
