"""`kaos operator run|status`: the operator in the foreground, against any cluster; and who runs it now."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

import click

from kaos.api.names import SYSTEM_NAMESPACE
from kaos.cli import completion, options
from kaos.cli.commands import Settings, group
from kaos.cli.output import as_json, result, say
from kaos.kube import sanitize

LOG_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


@group("Run the operator, and see who runs it.")
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
@click.option("--probe-port", type=click.IntRange(1, 65535), help="Answer /livez and /readyz on this port.")
@click.pass_obj
def run(settings: Settings, namespaces: tuple[str, ...], log_level: str, probe_port: int | None) -> None:
    """Run the operator here, until interrupted. Only one works at a time; others stand by."""
    from kaos.operator import environment
    from kaos.operator.run import run as run_operator

    set_up = environment.settings()
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
        settings=set_up,
        probe_port=probe_port,
        on_waiting=lambda holder: say(f"Standing by: {holder} leads."),
    )
    if ended_by:
        raise SystemExit(128 + ended_by[0])


def _tell_ready(ready: threading.Event) -> None:
    ready.wait()
    say("✓ Operator runs")


@operator.command()
@options.output("text", "json", default="text")
@click.pass_obj
def status(settings: Settings, output: str) -> int:
    """Tell who runs the operator, where and since when. Ends with 1 when nobody does."""
    from dataclasses import asdict

    from kaos.actions.operators import operators
    from kaos.errors import Forbidden

    client = settings.client()
    found = operators(client)
    if found is None:
        raise Forbidden("No right to list Leases in namespace kaos-system.", "Ask for that right.")
    found.sort(key=lambda one: (not one.fresh, one.lease))
    if output == "json":
        as_json([asdict(one) for one in found])
    else:
        blocks = ["\n".join(f"{name + ':':<12}{value}" for name, value in _facts(one)) for one in found if one.holder]
        if blocks:
            result("\n\n".join(blocks))
    if any(one.fresh for one in found):
        return 0
    say(f"No operator runs in context {client.connection.context}: kaos operator run")
    return 1


def _facts(one: Any) -> list[tuple[str, str]]:
    from kaos.actions.operators import PLACES
    from kaos.kube.times import age

    state = "runs" if one.fresh else f"gone; last heard of {age(one.renewed)} ago"
    facts = [
        ("Operator", state),
        ("Holder", one.holder),
        ("Where", PLACES.get(one.place, "unknown")),
        ("Since", f"{one.since} ({age(one.since)})" if one.since else "unknown"),
        ("Version", one.version or "unknown"),
        ("Namespaces", ", ".join(one.namespaces) or "all"),
        ("Lease", f"{SYSTEM_NAMESPACE}/{one.lease}"),
    ]
    return [(name, sanitize.line(value)) for name, value in facts]
