"""`kaos mcp invoke` and `kaos mcp tools`: talking to a server through the API server's proxy, or at a URL."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from kaos.actions.kinds import MCPSERVER
from kaos.cli import completion, options
from kaos.cli.commands import Command, Settings
from kaos.cli.output import as_json, result, say, table
from kaos.errors import KaosError, UsageError

if TYPE_CHECKING:
    from kaos.actions.conversation import Talk

timeout = click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0, min_open=True), default=60.0, show_default=True,
    metavar="SECONDS", help="How long it may take.",
)  # fmt: skip
url = click.option("--url", metavar="URL", help="A server at this address, in place of NAME; see: kaos mcp run")


@click.command(cls=Command)
@click.argument("name", required=False, shell_complete=completion.names_of(MCPSERVER.resource))
@click.argument("words", nargs=-1, metavar="[TOOL] [KEY=VALUE]...", shell_complete=completion.tools)
@options.namespace
@url
@click.option("--tool", metavar="TOOL", shell_complete=completion.tools, help="The tool, if not named by position.")
@click.option("--args", "arguments", metavar="JSON", help="All arguments as one JSON object.")
@click.option("--args-file", metavar="FILE|-", help="The same from a file or standard input.")
@timeout
@options.output("result", "text", "json", default="result")
@click.pass_obj
def invoke(
    settings: Settings,
    name: str | None,
    words: tuple[str, ...],
    namespace: str | None,
    url: str | None,
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
    kaos mcp invoke --url http://127.0.0.1:8000/mcp add a=2 b=3

    What the server asks back is put to you on a terminal; without one it is told that nobody can be asked.
    """
    from kaos.actions.mcp import call
    from kaos.cli.questions import asker

    if url is not None:
        words, name = (*((name,) if name is not None else ()), *words), None
    server = _server(name, url)
    if tool is None:
        if not words or "=" in words[0]:
            raise UsageError("Which tool?", f"kaos mcp invoke {server} TOOL; see: kaos mcp tools {server}")
        tool, words = words[0], words[1:]
    given = _given(words, arguments, args_file)
    on_progress, on_log = (_show_progress, _show_log) if sys.stderr.isatty() else (None, None)
    with _talk(settings, name, namespace, url, timeout_s, on_log=on_log, on_ask=asker()) as talk:
        answer, who = call(talk, tool, given, on_progress), talk.who
    if output == "json":
        result(json.dumps(answer.result, ensure_ascii=False))
    if answer.is_error:
        raise KaosError(f"Tool {tool} of {who} failed: {answer.text}", "")
    if output == "text" or (output == "result" and answer.structured is None):
        result(answer.text)
    elif output == "result":
        result(json.dumps(answer.structured, ensure_ascii=False))


def _server(name: str | None, url: str | None) -> str:
    """The words that say which server. Raises UsageError when none do, or two."""
    if url is not None and name is not None:
        raise UsageError(f"Which server, {name} or {url}?", "Leave out NAME, or --url.")
    if url is None and name is None:
        raise UsageError("Which server?", "Give its NAME, or the --url of one that runs without a cluster.")
    return name if url is None else f"--url {url}"  # type: ignore[return-value]


def _talk(
    settings: Settings, name: str | None, namespace: str | None, url: str | None, timeout_s: float, **asking: Any
) -> Talk:
    """A conversation with the server of that URL, or of that name in the cluster."""
    if url is not None:
        from kaos.actions.direct import DirectTalk

        return DirectTalk(url, timeout_s, **asking)
    from kaos.actions.conversation import Conversation

    client = settings.client(namespace)
    return Conversation(client, str(name), client.namespace, timeout_s, **asking)


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
@click.argument("name", required=False, shell_complete=completion.names_of(MCPSERVER.resource))
@options.namespace
@url
@timeout
@options.output("table", "json", "name", default="table")
@click.pass_obj
def tools(
    settings: Settings, name: str | None, namespace: str | None, url: str | None, timeout_s: float, output: str
) -> None:
    """List the tools of a server with their arguments, as the server itself tells them."""
    from kaos.actions.arguments import signature
    from kaos.actions.mcp import tools_of
    from kaos.cli.describe import first_line

    _server(name, url)
    with _talk(settings, name, namespace, url, timeout_s) as talk:
        found, who = tools_of(talk), talk.who
    if output == "json":
        as_json(found)
    elif output == "name":
        result("".join(f"{tool['name']}\n" for tool in found), end="")
    elif found:
        rows = [[tool["name"], signature(tool), first_line(str(tool.get("description") or ""))] for tool in found]
        table(["NAME", "ARGUMENTS", "DESCRIPTION"], rows)
    else:
        say(f"{who} has no tools.")
