"""Shell completion: names are asked of the cluster, for a moment only; without an answer nothing is completed."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click

from kaos.cli.commands import Command
from kaos.errors import KaosError

PATIENCE_S = 1.5
SHELLS = ("bash", "zsh", "fish")

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script of a shell: eval "$(kaos completion bash)"."""
    from click.shell_completion import get_completion_class

    from kaos.cli.main import root

    made = get_completion_class(shell)(root, {}, "kaos", "_KAOS_COMPLETE")
    click.echo(made.source())


def _asked(ask: Callable[[click.Context], Iterable[str]]) -> Complete:
    """What `ask` finds in time and that begins as typed; nothing when it fails."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        with contextlib.suppress(KaosError, TimeoutError), _at_most(PATIENCE_S):
            return sorted(name for name in ask(ctx) if name.startswith(incomplete))
        return []

    return complete


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _client(ctx: click.Context) -> Any:
    """With the options that stand on the line so far."""
    return ctx.find_root().obj.client(ctx.params.get("namespace"))


def _names(client: Any, resource: Any, namespace: str | None) -> list[str]:
    return [row["cells"][0] for row in client.table(resource, namespace, include_object="None")["rows"]]


def _of_namespaces(ctx: click.Context) -> Iterable[str]:
    from kaos.kube.resources import NAMESPACES

    return _names(_client(ctx), NAMESPACES, None)


def _of_secrets(ctx: click.Context) -> Iterable[str]:
    from kaos.kube.resources import SECRETS

    client = _client(ctx)
    return _names(client, SECRETS, client.namespace)


def _of_contexts(ctx: click.Context) -> Iterable[str]:
    from kaos.actions.contexts import listed

    return [one.name for one in listed()]


def _of_runtimes(ctx: click.Context) -> Iterable[str]:
    from kaos.actions.system import runtimes

    return [one.name for one in runtimes(_client(ctx))[0]]


def _of_tools(ctx: click.Context) -> Iterable[str]:
    from kaos.api.names import MCPSERVERS

    if ctx.params.get("words"):
        return ()  # the tool is named already
    client = _client(ctx)
    # After an option that still lacks its value, click leaves the words before it unread.
    name = ctx.params["name"] or next(iter(ctx.args), "")
    server = client.get(MCPSERVERS, name, client.namespace)
    return [tool["name"] for tool in (server.get("status") or {}).get("tools") or ()]


def _of_references(ctx: click.Context) -> Iterable[str]:
    from kaos.actions.kinds import KINDS

    client = _client(ctx)
    return [f"{kind.command}/{name}" for kind in KINDS for name in _names(client, kind.resource, client.namespace)]


def names_of(resource: Any) -> Complete:
    """Names of one kind, in the namespace that the line says."""

    def ask(ctx: click.Context) -> Iterable[str]:
        client = _client(ctx)
        return _names(client, resource, client.namespace)

    return _asked(ask)


references = _asked(_of_references)
namespaces = _asked(_of_namespaces)
secrets = _asked(_of_secrets)
contexts = _asked(_of_contexts)
runtimes = _asked(_of_runtimes)
tools = _asked(_of_tools)
