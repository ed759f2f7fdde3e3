"""`kaos status` and `kaos events`: the one glance, and what happened."""

from __future__ import annotations

from typing import Any

import click

from kaos.cli import options
from kaos.cli.commands import Command, Settings
from kaos.cli.output import as_json, as_yaml, result, say, table

MOST = 20


@click.command(cls=Command)
@options.namespace
@options.all_namespaces
@options.output("text", "json", "yaml", default="text")
@click.pass_obj
def status(settings: Settings, namespace: str | None, all_namespaces: bool, output: str) -> None:
    """What runs, what is broken, and what to do next."""
    from dataclasses import asdict

    from kaos.actions.status import overview

    client = settings.client(namespace)
    found = overview(client, None if all_namespaces else client.namespace)
    if output in ("json", "yaml"):
        (as_json if output == "json" else as_yaml)(asdict(found))
        return
    result(f"Context:    {found.context} ({found.server})")
    result(f"Namespace:  {found.namespace or 'all'}")
    result(f"Operator:   {_operator(found)}")
    for kind, states in found.counts.items():
        told = "no right to list them" if states is None else _told(states)
        result(f"{kind + 's:':<12}{told}")
    if found.troubled:
        result("")
        rows = [
            [one.kind, f"{one.namespace}/{one.name}", one.state, one.reason, one.message]
            for one in found.troubled[:MOST]
        ]
        table(["KIND", "NAME", "STATE", "REASON", "MESSAGE"], rows)
        if len(found.troubled) > MOST:
            result(f"... and {len(found.troubled) - MOST} more")
    if found.next:
        result("\nNext:")
        for step in found.next:
            result(f"  {step}")


def _told(states: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in states.items()) or "none"


def _operator(found: Any) -> str:
    if not found.installed:
        return "KAOS is not installed here"
    if found.operators is None:
        return "unknown: no right to read Leases in kaos-system"
    if found.operator:
        return f"running ({found.operator.holder})"
    gone = next((one for one in found.operators if one.holder), None)
    return f"not running; {gone.holder} was last heard of {_ago(gone.renewed)}" if gone else "not running"


def _ago(time: str) -> str:
    from kaos.kube.times import age

    return f"{age(time)} ago" if time else "never"


@click.command(cls=Command)
@options.namespace
@options.all_namespaces
@options.output("table", "json", "yaml", default="table")
@click.pass_obj
def events(settings: Settings, namespace: str | None, all_namespaces: bool, output: str) -> None:
    """What happened lately to KAOS's resources and their pods, oldest first."""
    from dataclasses import asdict

    from kaos.actions.events import listed
    from kaos.kube.times import age

    client = settings.client(namespace)
    found = listed(client, None if all_namespaces else client.namespace)
    if output in ("json", "yaml"):
        (as_json if output == "json" else as_yaml)([asdict(one) for one in found])
    elif found:
        headers = ["NAMESPACE", "LAST", "TYPE", "REASON", "OBJECT", "COUNT", "MESSAGE"]
        skipped = 0 if all_namespaces else 1
        rows = [
            [one.namespace, age(one.last), one.type, one.reason, one.object, str(one.count), one.message]
            for one in found
        ]
        table(headers[skipped:], [row[skipped:] for row in rows])
    else:
        say(f"No events in {'any namespace' if all_namespaces else f'namespace {client.namespace}'}.")
