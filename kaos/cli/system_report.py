"""`kaos system report`: a support bundle, and what is in it."""

from __future__ import annotations

from pathlib import Path

import click

from kaos.cli import options
from kaos.cli.commands import Command, Settings
from kaos.cli.output import result, say


@click.command("report", cls=Command)
@click.option(
    "-n", "--namespace", metavar="NAMESPACE", help="Resources of this namespace only (default: of all namespaces)."
)
@click.option(
    "--output",
    "path",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write it (default: kaos-report-TIME.tar.gz, here).",
)
@click.pass_obj
def report(settings: Settings, namespace: str | None, path: Path | None) -> None:
    """Write a support bundle: versions, resources, events, logs and what is wrong, without secrets.

    No Secret is read, and values that look like secrets are hidden. Look into the file before you send it.
    """
    from kaos.actions import report as action

    client = settings.client(namespace)
    options.announce(client, namespace)
    written = action.write(client, namespace, path, lambda part: say(f"✓ {part}"))
    for refused in written.unread:
        say(f"! Not in it: {refused}")
    say(f"{len(written.files)} files, secrets hidden; README.txt says what is in them. Look before you send it.")
    result(str(written.path))
