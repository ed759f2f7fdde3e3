"""`kaos mcp connect`: a server of the cluster in the configuration of an editor or assistant."""

from __future__ import annotations

import click

from kaos.actions.kinds import MCPSERVER
from kaos.cli import options
from kaos.cli.commands import Command, Settings
from kaos.cli.output import result, say
from kaos.cli.verbs import name_argument

NAMES = ("claude", "cursor", "vscode", "codex")


@click.command(cls=Command)
@name_argument(MCPSERVER)
@options.namespace
@click.option("--client", "wanted", type=click.Choice(NAMES), help="Which one (default: all that are found here).")
@click.option("--print", "only_print", is_flag=True, help="Print the entry; write nothing.")
@click.pass_obj
def connect(settings: Settings, name: str, namespace: str | None, wanted: str | None, only_print: bool) -> None:
    """Let your editor or assistant use the server NAME.

    It gets an entry that starts `kaos mcp proxy NAME`. All else in its file stays, and a copy of what it was before.
    """
    from kaos.actions import connecting, resources
    from kaos.errors import UsageError

    client = settings.client(namespace)
    resources.get(client, MCPSERVER, name, client.namespace)
    server = connecting.Server(name, client.namespace, client.connection.context, settings.kubeconfig)
    known = connecting.clients()
    if only_print:
        result(connecting.printed(known[wanted or NAMES[0]], server).rstrip("\n"))
        return
    chosen = [known[wanted]] if wanted else [one for one in known.values() if one.is_here]
    if not chosen:
        raise UsageError(
            "None of the editors and assistants that kaos knows is found here.",
            f"Name one: --client {'|'.join(NAMES)}, or see the entry: --print",
        )
    for one in chosen:
        written = connecting.connect(one, server)
        if not written.changed:
            say(f"{one.title} has it already, as {written.entry}: {one.file}")
            continue
        kept = f" (before: {written.backup})" if written.backup else ""
        say(f"✓ {one.title} has it as {written.entry}: {one.file}{kept}")
        say(f"  Restart {one.title} to use it")
