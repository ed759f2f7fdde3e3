"""`kaos agent proxy`: an address on this machine for other programs."""

from __future__ import annotations

import click

from kaos.actions.kinds import AGENT
from kaos.cli import options
from kaos.cli.commands import Command, Settings
from kaos.cli.output import result, say
from kaos.cli.verbs import name_argument


@click.command(cls=Command)
@name_argument(AGENT)
@options.namespace
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1 (default: a free one).")
@click.pass_obj
def proxy(settings: Settings, name: str, namespace: str | None, port: int) -> None:
    """Give the agent NAME an address on this machine, until ctrl-c.

    Any program that speaks OpenAI's protocol can use it as its base URL, with /v1 behind it.
    """
    from kaos.actions import resources
    from kaos.actions.loopback import serve

    client = settings.client(namespace)
    resources.get(client, AGENT, name, client.namespace)

    def ready(address: str) -> None:
        result(address)
        say(f"OpenAI base URL: {address}/v1 (any key); A2A card: {address}/.well-known/agent-card.json; ctrl-c ends it")

    serve(client.connection, AGENT, name, client.namespace, port, ready)
