"""`kaos top`: how busy everything is."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import Any

import click

from kaos.cli import options
from kaos.cli.commands import Command, Settings
from kaos.cli.output import as_json, result, say, table

BETWEEN_S = 2.0
CLEAR = "\x1b[H\x1b[2J"


@click.command(cls=Command)
@options.namespace
@options.all_namespaces
@options.output("text", "json", default="text")
@click.option("-w", "--watch", is_flag=True, help="Again and again, until interrupted.")
@click.pass_obj
def top(settings: Settings, namespace: str | None, all_namespaces: bool, output: str, watch: bool) -> None:
    """Show how busy everything is: requests, errors, times and tokens since the pods began, and calls a minute now."""
    from kaos.actions.top import Top

    client = settings.client(namespace)
    place = None if all_namespaces else client.namespace
    reader = Top(client, place)
    usages = reader.read()
    if usages:
        time.sleep(BETWEEN_S)  # a rate is what happens between two readings
        usages = reader.read()
    while True:
        _show(usages, output, all_namespaces, watch)
        if not watch:
            break
        sys.stdout.flush()
        time.sleep(BETWEEN_S)
        usages = reader.read()
    if not usages:
        say(f"Nothing in {'any namespace' if all_namespaces else f'namespace {place}'} "
            f"(context {client.connection.context}).")  # fmt: skip


def _show(usages: list[Any], output: str, named: bool, watch: bool) -> None:
    if output == "json" and watch:
        result(json.dumps([asdict(one) for one in usages], ensure_ascii=False))  # a line a reading
    elif output == "json":
        as_json([asdict(one) for one in usages])
    elif usages:
        if watch and sys.stdout.isatty():
            click.echo(CLEAR, nl=False)
        table(HEADERS, [cells(one, named) for one in usages])


HEADERS = ["KIND", "NAME", "PODS", "CALLS/MIN", "REQUESTS", "ERRORS", "P50", "P95", "TOKENS", "MEMORY", "NOTE"]


def cells(one: Any, named: bool) -> list[str]:
    """A resource as a row of text."""
    return [
        one.ref.kind,
        f"{one.ref.namespace}/{one.ref.name}" if named else one.ref.name,
        str(one.pods),
        "-" if one.per_minute is None else f"{one.per_minute:.0f}",
        _number(one.requests),
        _number(one.errors),
        _seconds(one.p50_s),
        _seconds(one.p95_s),
        _number(one.tokens),
        "-" if one.memory_bytes is None else f"{one.memory_bytes / 2**20:.0f} MiB",
        one.note,
    ]


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
