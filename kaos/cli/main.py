"""`kaos`: the tree of commands, and the edge where errors become text and an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

import kaos
from kaos.cli.commands import Group, Settings
from kaos.errors import KaosError, NotInstalled

INTERRUPTED = 130
PIPE_CLOSED = 141

_TREE = {
    "tui": ("kaos.cli.tui:tui", "The console: browse, watch, call and chat in the terminal."),
    "ui": ("kaos.cli.tui:ui", "The same console in the browser."),
    "status": ("kaos.cli.status:status", "What runs, what is broken, and what to do next."),
    "why": ("kaos.cli.why:why", "Why something is not well, and what cures it."),
    "map": ("kaos.cli.map:map_", "Who uses whom, and what of it is broken."),
    "top": ("kaos.cli.top:top", "How busy everything is."),
    "trace": ("kaos.cli.trace:trace", "What an agent did to answer, step by step."),
    "events": ("kaos.cli.status:events", "What happened lately, oldest first."),
    "logs": ("kaos.cli.logs:logs", "What the pods of resources said, and the operator."),
    "mcp": ("kaos.cli.mcp:mcp", "Deploy, inspect and call MCP servers."),
    "agent": ("kaos.cli.agent:agent", "Deploy, inspect and talk to agents."),
    "modelapi": ("kaos.cli.modelapi:modelapi", "Deploy, inspect and ask model APIs."),
    "apply": ("kaos.cli.apply:apply", "Make the cluster hold what manifests say."),
    "delete": ("kaos.cli.apply:delete", "Delete what manifests name."),
    "secret": ("kaos.cli.secret:secret", "Keep tokens and passwords for servers."),
    "context": ("kaos.cli.context:context", "Choose the cluster."),
    "local": ("kaos.cli.local:local", "The cluster that KAOS brings along."),
    "system": ("kaos.cli.system:system", "KAOS itself on a cluster: install, state, runtimes."),
    "operator": ("kaos.cli.operator:operator", "Run the operator, and see who runs it."),
    "completion": ("kaos.cli.completion:completion", "Completion of names for your shell."),
    "version": ("kaos.cli.version:version", "The version of this command."),
}

root = Group(
    name="kaos",
    lazy=_TREE,
    moved={word: f"kaos system {word}" for word in ("install", "uninstall")},
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Run MCP servers, model APIs and agents as Kubernetes resources.",
    epilog="Begin with: kaos local up",
    callback=click.pass_context(lambda ctx: _help(ctx)),
    params=[click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False, help="Show the version.",
                         callback=lambda ctx, param, value: _version(ctx, value))],
)  # fmt: skip


def _help(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _version(ctx: click.Context, wanted: bool) -> None:
    if wanted:
        click.echo(f"kaos {kaos.__version__}")
        ctx.exit()


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the exit code."""
    settings = Settings()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a character that the terminal lacks is no failure
    try:
        code = root.main(arguments, "kaos", "_KAOS_COMPLETE", standalone_mode=False, obj=settings)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`| head`). What Python still holds must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        return _told(*_of_click(error), error.exit_code)
    except KaosError as error:
        _show_traceback(settings)
        return _told(error.cause, error.cure, error.exit_code)
    except ModuleNotFoundError as error:
        _show_traceback(settings)
        missing = NotInstalled(error)
        return _told(missing.cause, missing.cure, missing.exit_code)
    except Exception as error:
        _show_traceback(settings)
        return _told(f"kaos itself failed: {type(error).__name__}: {error}", "Where: add --debug", 1)


def _of_click(error: click.ClickException) -> tuple[str, str]:
    cause, _, cure = error.format_message().partition("\n")
    ctx = getattr(error, "ctx", None)
    if not cure and ctx is not None:
        cure = f"See: {ctx.command_path} --help"
    return cause, cure


def _told(cause: str, cure: str, code: int) -> int:
    from kaos.cli.output import red
    from kaos.kube import sanitize

    click.echo(f"{red('Error:')} {sanitize.text(cause)}", err=True)
    if cure:
        click.echo(sanitize.line(cure), err=True)
    return code


def _show_traceback(settings: Settings) -> None:
    if settings.debug:
        import traceback

        click.echo(traceback.format_exc(), err=True, nl=False)


def main() -> NoReturn:
    """The entry point."""
    sys.exit(run())
