"""`kaos context ...`: which cluster."""

from __future__ import annotations

from dataclasses import asdict

import click

from kaos.cli import completion, options
from kaos.cli.commands import Settings, group
from kaos.cli.output import as_json, as_yaml, result, say, table


@group("Choose the cluster that plain commands use.")
def context() -> None:
    pass


@context.command("list")
@options.output("table", "json", "yaml", "name", default="table")
@click.pass_obj
def list_(settings: Settings, output: str) -> None:
    """List the clusters that can be used; * marks the one in use."""
    import os

    from kaos.actions.contexts import listed

    found = listed(os.environ | ({"KUBECONFIG": settings.kubeconfig} if settings.kubeconfig else {}))
    if output in ("json", "yaml"):
        (as_json if output == "json" else as_yaml)([asdict(one) for one in found])
    elif output == "name":
        result("".join(f"{one.name}\n" for one in found), end="")
    elif found:
        rows = [["*" if one.current else "", one.name, one.server, one.namespace, one.source] for one in found]
        table(["CURRENT", "NAME", "SERVER", "NAMESPACE", "SOURCE"], rows)
    else:
        say("No cluster is known.")
        say("Start one with nothing but Python: kaos local up")


@context.command()
@click.argument("name", shell_complete=completion.contexts)
def use(name: str) -> None:
    """Use this cluster from now on. Your kubeconfig stays as it is."""
    from kaos.actions.contexts import use as action

    path, overriding = action(name)
    say(f"✓ kaos now uses context {name} (saved in {path})")
    if overriding:
        say(f"{overriding} is set in this shell and still wins.")
