"""`kaos modelapi invoke|models`: asking a model without an agent."""

from __future__ import annotations

import sys

import click

from kaos.actions.kinds import MODELAPI
from kaos.cli import options
from kaos.cli.agent_talk import message, said, show_text, timeout
from kaos.cli.commands import Command, Settings
from kaos.cli.output import as_json, result, say, table
from kaos.cli.verbs import name_argument


@click.command(cls=Command)
@name_argument(MODELAPI)
@message
@click.option("--model", metavar="MODEL", help="Which one; not needed where there is only one.")
@options.namespace
@click.option("--stream/--no-stream", default=None, help="Print the answer as it comes (default: on a terminal).")
@timeout
@options.output("text", "json", default="text")
@click.pass_obj
def invoke(
    settings: Settings,
    name: str,
    message: str | None,
    model: str | None,
    namespace: str | None,
    stream: bool | None,
    timeout_s: float,
    output: str,
) -> None:
    """Ask a model of the ModelAPI NAME one question."""
    from kaos.actions.agents import chosen_model
    from kaos.actions.chat import Endpoint

    text = said(message)
    client = settings.client(namespace)
    api = Endpoint(client, MODELAPI, name, client.namespace, timeout_s)
    streams = output == "text" and (sys.stdout.isatty() if stream is None else stream)
    on_text = show_text if streams else lambda piece: None
    reply = api.ask([{"role": "user", "content": text}], chosen_model(api.object, model), None, on_text)
    if output == "json":
        as_json({"text": reply.text, "finish": reply.finish, "usage": reply.usage})
    else:
        result("" if streams else reply.text)


@click.command(cls=Command)
@name_argument(MODELAPI)
@options.namespace
@timeout
@options.output("table", "json", "name", default="table")
@click.pass_obj
def models(settings: Settings, name: str, namespace: str | None, timeout_s: float, output: str) -> None:
    """List the models that are really served."""
    from kaos.actions.chat import Endpoint

    client = settings.client(namespace)
    api = Endpoint(client, MODELAPI, name, client.namespace, timeout_s)
    found = api.get("/v1/models").get("data") or []
    if output == "json":
        as_json(found)
    elif output == "name":
        result("".join(f"{one['id']}\n" for one in found), end="")
    elif found:
        table(["MODEL", "OWNER"], [[one["id"], str(one.get("owned_by") or "-")] for one in found])
    else:
        say(f"{api.who} serves no models.")
