"""Options that many commands share, and the words that every write begins with."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from kaos.cli import completion
from kaos.cli.output import say
from kaos.errors import UsageError

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

namespace = click.option(
    "-n",
    "--namespace",
    metavar="NAMESPACE",
    shell_complete=completion.namespaces,
    help="Namespace (default: the context's).",
)
all_namespaces = click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces.")
yes = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
wait = click.option(
    "--wait",
    "wait_s",
    metavar="[SECONDS]",
    type=click.FloatRange(min=0, min_open=True),
    is_flag=False,
    flag_value=120.0,
    help="Wait until it is ready, at most so long (120).",
)
create_namespace = click.option("--create-namespace", is_flag=True, help="Make the namespace if it is missing.")
files = click.option(
    "-f", "--file", "files", metavar="FILE|DIR|-", multiple=True, required=True, help="Manifests; - is standard input."
)


def output(*formats: str, default: str) -> Decorator:
    return click.option(
        "-o", "--output", type=click.Choice(formats), default=default, show_default=True, help="How to print it."
    )


def announce(client: Any, namespace: str | None = None) -> None:
    """Where a write goes."""
    place = f", namespace {namespace}" if namespace else ""
    say(f"Using context {client.connection.context}{place}")


_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


class Duration(click.ParamType):
    """A length of time such as 90, 30s, 5m, 1h30m or 2d, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = _DURATION.fullmatch(value)
        if not value or not found:
            self.fail(f"{value!r} is no length of time such as 30s, 5m or 1h30m.", param, ctx)
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def pair(text: str, what: str, form: str) -> tuple[str, str]:
    """`KEY=VALUE`. Raises UsageError that does not repeat the value."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"{what} needs the form {form}.", "")
    return key, value
