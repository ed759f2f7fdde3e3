"""Questions to a person. Without a terminal none is ever asked."""

from __future__ import annotations

import sys

import click

from kaos.errors import KaosError, UsageError


def confirm(question: str, yes: bool, needed: bool = True) -> None:
    """Go on only if the person agrees. Without a terminal `--yes` is the agreement, where one is needed."""
    if yes:
        return
    if sys.stdin.isatty() and sys.stderr.isatty():
        if not click.confirm(question, err=True):
            raise KaosError("Nothing was deleted.", "")
    elif needed:
        raise UsageError(f"{question} There is no terminal to ask on.", "If so: add --yes")


def hidden(what: str) -> str:
    """A value that must not be seen. Raises UsageError without a terminal."""
    if not sys.stdin.isatty():
        raise UsageError(f"There is no terminal to ask for {what}.", "Pipe it in: --from-stdin KEY")
    return click.prompt(f"{what} (not shown)", hide_input=True, err=True)
