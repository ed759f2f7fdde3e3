"""`kaos mcp invoke` and `kaos mcp tools`: talking to a server through the API server's proxy."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from kaos.actions.kinds import MCPSERVER
from kaos.cli import completion, options
from kaos.cli.commands import Command, Settings
from kaos.cli.output import as_json, result, say, table
from kaos.cli.verbs import name_argument
from kaos.errors import KaosError, UsageError

timeout = click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0, min_open=True), default=60.0, show_default=True,
    metavar="SECONDS", help="How long it may take.",
)  # fmt: skip


@click.command(cls=Command)
@name_argument(MCPSERVER)
@click.argument("words", nargs=-1, metavar="[TOOL] [KEY=VALUE]...", shell_complete=completion.tools)
@options.namespace
@click.option("--tool", metavar="TOOL", shell_complete=completion.tools, help="The tool, if not named by position.")
@click.option("--args", "arguments", metavar="JSON", help="All arguments as one JSON object.")
@click.option("--args-file", metavar="FILE|-", help="The same from a file or standard input.")
@timeout
@options.output("result", "text", "json", default="result")
@click.pass_obj
def invoke(
    settings: Settings,
    name: str,
    words: tuple[str, ...],
    namespace: str | None,
    tool: str | None,
    arguments: str | None,
    args_file: str | None,
    timeout_s: float,
    output: str,
) -> None:
    """Call a tool of the server NAME.

    \b
    kaos mcp invoke calculator add a=2 b=3        typed by the tool's schema
    kaos mcp invoke calculator add a:=2 b:=3      JSON values
    kaos mcp invoke calculator --tool add --args '{"a": 2, "b": 3}'

    What the server asks back is put to you on a terminal; without one it is told that nobody can be asked.
    """
    from kaos.actions.mcp import invoke as call
    from kaos.cli.questions import asker

    if tool is None:
        if not words or "=" in words[0]:
            raise UsageError("Which tool?", f"kaos mcp invoke {name} TOOL; see: kaos mcp tools {name}")
        tool, words = words[0], words[1:]
    given = _given(words, arguments, args_file)
    client = settings.client(namespace)
    on_progress, on_log = (_show_progress, _show_log) if sys.stderr.isatty() else (None, None)
    answer = call(client, name, client.namespace, tool, given, timeout_s, on_progress, on_log, on_ask=asker())
    if output == "json":
        result(json.dumps(answer.result, ensure_ascii=False))
    if answer.is_error:
        raise KaosError(f"Tool {tool} of MCPServer {client.namespace}/{name} failed: {answer.text}", "")
    if output == "text" or (output == "result" and answer.structured is None):
        result(answer.text)
    elif output == "result":
        result(json.dumps(answer.structured, ensure_ascii=False))


def _given(words: tuple[str, ...], arguments: str | None, args_file: str | None) -> dict[str, Any] | tuple[str, ...]:
    """The arguments themselves, or the words that the tool's schema makes some of."""
    from kaos.actions.arguments import parse_object
    from kaos.actions.manifests import read_text

    if sum((bool(words), arguments is not None, args_file is not None)) > 1:
        raise UsageError("Give the arguments in one way: KEY=VALUE, --args or --args-file.", "")
    if arguments is not None:
        return parse_object(arguments, "--args")
    if args_file is not None:
        return parse_object(read_text(args_file), args_file if args_file != "-" else "Standard input")
    return words or {}


def _show_progress(done: float, total: float | None, message: str) -> None:
    say(f"{done:g}{f' of {total:g}' if total is not None else ''} {message}".rstrip())


def _show_log(level: str, text: str) -> None:
    say(f"{level}: {text}")


@click.command(cls=Command)
@name_argument(MCPSERVER)
@options.namespace
@timeout
@options.output("table", "json", "name", default="table")
@click.pass_obj
def tools(settings: Settings, name: str, namespace: str | None, timeout_s: float, output: str) -> None:
    """List the tools of a server with their arguments, as the server itself tells them."""
    from kaos.actions.arguments import signature
    from kaos.actions.mcp import tools as list_tools
    from kaos.cli.describe import first_line

    client = settings.client(namespace)
    found = list_tools(client, name, client.namespace, timeout_s)
    if output == "json":
        as_json(found)
    elif output == "name":
        result("".join(f"{tool['name']}\n" for tool in found), end="")
    elif found:
        rows = [[tool["name"], signature(tool), first_line(str(tool.get("description") or ""))] for tool in found]
        table(["NAME", "ARGUMENTS", "DESCRIPTION"], rows)
    else:
        say(f"MCPServer {client.namespace}/{name} has no tools.")
