"""`kaos apply -f` and `kaos delete -f`: manifests of every kind, a line an object."""

from __future__ import annotations

from typing import Any

import click

from kaos.cli import options
from kaos.cli.commands import Command, Settings
from kaos.cli.output import say
from kaos.errors import KaosError


class SomeFailed(KaosError):
    """Each failure has been told already; the exit code is that of the first."""


@click.command(cls=Command)
@options.files
@options.namespace
@options.create_namespace
@options.wait
@click.pass_obj
def apply(
    settings: Settings, files: tuple[str, ...], namespace: str | None, create_namespace: bool, wait_s: float | None
) -> None:
    """Make the cluster hold what manifests of any kind say, in an order that works."""
    from kaos.actions import apply as action
    from kaos.actions.manifests import read

    manifests = read(files)
    client = settings.client(namespace)
    options.announce(client, namespace or client.namespace)
    if create_namespace and action.create_namespace(client, client.namespace):
        say(f"✓ Namespace {client.namespace} created")
    outcomes = action.apply_all(client, manifests, namespace, _tell)
    _fail_if_any(outcomes)
    if wait_s:
        _wait(client, action.of_kaos(outcomes), wait_s)


def _wait(client: Any, outcomes: list[Any], wait_s: float) -> None:
    from kaos.actions.kinds import kind_of
    from kaos.cli.progress import until_ready

    for outcome in outcomes:
        until_ready(client, kind_of(outcome.object), outcome.name, outcome.namespace, wait_s)


@click.command(cls=Command)
@options.files
@options.namespace
@options.yes
@click.pass_obj
def delete(settings: Settings, files: tuple[str, ...], namespace: str | None, yes: bool) -> None:
    """Delete what manifests name; what is not there is no failure."""
    from kaos.actions import apply as action
    from kaos.actions.manifests import read
    from kaos.cli.prompt import confirm

    manifests = read(files)
    client = settings.client(namespace)
    options.announce(client, namespace or client.namespace)
    names = ", ".join(f"{one.kind} {one.name}" for one in manifests[:3])
    more = f" and {len(manifests) - 3} more" if len(manifests) > 3 else ""
    confirm(f"Delete {names}{more}?", yes, needed=False)
    _fail_if_any(action.delete_all(client, manifests, namespace, _tell))


def _tell(outcome: Any) -> None:
    if outcome.error:
        named = outcome.title in outcome.error.cause
        say(f"✗ {'' if named else outcome.title + ': '}{outcome.error.cause}")
        if outcome.error.cure:
            say(f"  {outcome.error.cure}")
    else:
        say(f"✓ {outcome.title} {outcome.verb}")


def _fail_if_any(outcomes: list[Any]) -> None:
    errors = [outcome.error for outcome in outcomes if outcome.error]
    if errors:
        failed = SomeFailed(f"{len(errors)} of {len(outcomes)} objects failed.", "")
        failed.exit_code = errors[0].exit_code
        raise failed
