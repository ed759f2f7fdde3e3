"""`kaos version`."""

from __future__ import annotations

import click

import kaos
from kaos.cli.commands import Command


@click.command(cls=Command)
def version() -> None:
    """Print the version of this command."""
    click.echo(f"kaos {kaos.__version__}")
