"""`kaos operator run`: the operator in the foreground, against any cluster."""

from __future__ import annotations

import logging
import signal
import threading

import click

from kaos.cli import completion
from kaos.cli.commands import Settings, group
from kaos.cli.output import say

LOG_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


@group("Run the operator.")
def operator() -> None:
    pass


@operator.command()
@click.option(
    "-n",
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NAMESPACE",
    shell_complete=completion.namespaces,
    help="Watch only this one; may be given again (default: all).",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How much to tell.",
)
@click.pass_obj
def run(settings: Settings, namespaces: tuple[str, ...], log_level: str) -> None:
    """Run the operator here, until interrupted. Only one works at a time; others stand by."""
    from kaos.operator.run import run as run_operator

    connection = settings.connection()
    stop, ready, ended_by = threading.Event(), threading.Event(), []

    def end(signum: int, _: object) -> None:
        ended_by.append(signum)
        stop.set()

    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, end)
    logging.basicConfig(level=log_level.upper(), format=LOG_FORMAT)
    say(f"Operator for context {connection.context}, {', '.join(namespaces) or 'all namespaces'}")
    threading.Thread(target=_tell_ready, args=(ready,), daemon=True).start()
    run_operator(
        connection,
        stop=stop,
        ready=ready,
        namespaces=namespaces,
        on_waiting=lambda holder: say(f"Standing by: {holder} leads."),
    )
    if ended_by:
        raise SystemExit(128 + ended_by[0])


def _tell_ready(ready: threading.Event) -> None:
    ready.wait()
    say("✓ Operator runs")
