"""`kaos mcp resources` and `kaos mcp prompts`: what a server has to read, and the words it has ready."""

from __future__ import annotations

import base64
import sys
from typing import Any

import click

from kaos.actions.kinds import MCPSERVER
from kaos.cli import options
from kaos.cli.commands import Command, Settings
from kaos.cli.mcp_invoke import timeout
from kaos.cli.output import as_json, result, say, table
from kaos.cli.verbs import name_argument
from kaos.errors import UsageError

Object = dict[str, Any]


@click.command(cls=Command)
@name_argument(MCPSERVER)
@click.argument("uri", required=False)
@options.namespace
@timeout
@options.output("text", "json", "name", default="text")
@click.pass_obj
def resources(
    settings: Settings, name: str, uri: str | None, namespace: str | None, timeout_s: float, output: str
) -> None:
    """List the resources of a server, or print the one of URI."""
    from kaos.actions import offers
    from kaos.cli.describe import first_line

    client = settings.client(namespace)
    if uri is not None:
        _print_contents(offers.read(client, name, client.namespace, uri, timeout_s), output)
        return
    found = offers.list_resources(client, name, client.namespace, timeout_s)
    rows = [(one["uri"], one) for one in found.resources] + [(one["uriTemplate"], one) for one in found.templates]
    if output == "json":
        as_json({"resources": found.resources, "resourceTemplates": found.templates})
    elif output == "name":
        result("".join(f"{place}\n" for place, _ in rows), end="")
    elif rows:
        cells = [
            [place, str(one.get("name") or ""), str(one.get("mimeType") or ""),
             first_line(str(one.get("description") or ""))]
            for place, one in rows
        ]  # fmt: skip
        table(["URI", "NAME", "TYPE", "DESCRIPTION"], cells)
    else:
        say(f"MCPServer {client.namespace}/{name} has no resources.")


def _print_contents(contents: list[Object], output: str) -> None:
    if output == "json":
        as_json(contents)
        return
    for content in contents:
        if "text" in content:
            result(content["text"], end="" if content["text"].endswith("\n") else "\n")
        elif sys.stdout.isatty():
            say(f"{content['uri']} is not text ({content.get('mimeType') or 'of unknown type'}). Send it to a file.")
        else:
            sys.stdout.buffer.write(base64.b64decode(content["blob"]))


@click.command(cls=Command)
@name_argument(MCPSERVER)
@click.argument("prompt", required=False)
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
@options.namespace
@timeout
@options.output("text", "json", "name", default="text")
@click.pass_obj
def prompts(
    settings: Settings,
    name: str,
    prompt: str | None,
    words: tuple[str, ...],
    namespace: str | None,
    timeout_s: float,
    output: str,
) -> None:
    """List the prompts of a server, or print PROMPT with its arguments filled in."""
    from kaos.actions import offers
    from kaos.cli.describe import first_line

    client = settings.client(namespace)
    if prompt is not None:
        filled = offers.get_prompt(client, name, client.namespace, prompt, _arguments(words), timeout_s)
        as_json(filled) if output == "json" else result(offers.conversation_text(filled))
        return
    found = offers.list_prompts(client, name, client.namespace, timeout_s)
    if output == "json":
        as_json(found)
    elif output == "name":
        result("".join(f"{one['name']}\n" for one in found), end="")
    elif found:
        rows = [[one["name"], offers.signature(one), first_line(str(one.get("description") or ""))] for one in found]
        table(["NAME", "ARGUMENTS", "DESCRIPTION"], rows)
    else:
        say(f"MCPServer {client.namespace}/{name} has no prompts.")


def _arguments(words: tuple[str, ...]) -> dict[str, str]:
    """A prompt's arguments are texts, whatever they look like."""
    given: dict[str, str] = {}
    for word in words:
        key, value = options.pair(word, "A prompt's argument", "KEY=VALUE")
        if key in given:
            raise UsageError(f"Argument {key} is given twice.", "")
        given[key] = value
    return given
