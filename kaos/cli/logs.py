"""`kaos logs`: of several resources at once, and of the operator; a prefix where several pods speak."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from kaos.cli import completion, options
from kaos.cli.commands import Command, Settings
from kaos.cli.output import say
from kaos.errors import UsageError


@click.command(cls=Command)
@click.argument("resources", nargs=-1, metavar="[KIND/NAME...]", shell_complete=completion.references)
@options.namespace
@click.option("-f", "--follow", is_flag=True, help="Keep printing what comes, from pods to come as well.")
@click.option("--previous", is_flag=True, help="Of the containers before their last restart.")
@click.option("--tail", type=click.IntRange(min=0), help="Only the last N lines of each pod.")
@click.option("--since", type=options.Duration(), metavar="DURATION", help="Only the last 30s, 5m, 1h30m.")
@click.option("--timestamps", is_flag=True, help="With the time of each line.")
@click.option("--pod", metavar="NAME", help="Only of this pod.")
@click.option("--operator", is_flag=True, help="The operator's own log, wherever it runs.")
@click.pass_obj
def logs(
    settings: Settings,
    resources: tuple[str, ...],
    namespace: str | None,
    follow: bool,
    timestamps: bool,
    operator: bool,
    **wanted: Any,
) -> None:
    """What the pods of resources said, merged in the order of time.

    \b
    kaos logs mcp/calculator -f
    kaos logs agent/helper mcp/calculator --since 15m
    kaos logs --operator
    """
    from kaos.actions.operatorlogs import operator_source
    from kaos.actions.podlogs import Source, sources_of

    refuse_both(follow, wanted["previous"])
    if not resources and not operator:
        raise UsageError("Logs of what? Name KIND/NAME, or --operator.", "Such as: kaos logs mcp/calculator")
    client = settings.client(namespace)
    sources: list[Source] = [*sources_of(resources, client.namespace)]
    if operator:
        sources.append(operator_source(client))
    show(client, sources, follow=follow, timestamps=timestamps, **wanted)


def refuse_both(follow: bool, previous: bool) -> None:
    """Raises UsageError, before any cluster is asked."""
    if follow and previous:
        raise click.UsageError("--follow and --previous do not go together.")


def show(
    client: Any,
    sources: Sequence[Any],
    *,
    follow: bool,
    timestamps: bool,
    previous: bool,
    since: int | None,
    tail: int | None,
    container: str | None = None,
    pod: str | None = None,
) -> None:
    """Print what was said so far, or also what comes, until interrupted."""
    from kaos.actions.following import Following
    from kaos.actions.podlogs import Selection, past

    wanted = Selection(container, pod, previous, tail, since)
    if not follow:
        places, lines = past(client, sources, wanted)
        for line in lines:
            _print(line, places > 1 or len(sources) > 1, timestamps)
        return
    following = Following(client, sources, wanted)
    for batch in following.batches():
        for line in batch:
            _print(line, following.many or len(sources) > 1, timestamps)
        sys.stdout.flush()


def _print(line: Any, prefixed: bool, timestamps: bool) -> None:
    from kaos.actions.podlogs import shown

    if line.notice:
        say(line.text)
        return
    prefix = f"[{line.pod}] " if prefixed else ""
    time = f"{line.time} " if timestamps else ""
    sys.stdout.write(f"{prefix}{time}{shown(line.text)}\n")
