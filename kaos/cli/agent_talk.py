"""`kaos agent invoke|tools|memory|card|a2a`: one question, one answer."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from kaos.actions.kinds import AGENT
from kaos.cli import options
from kaos.cli.commands import Command, Settings
from kaos.cli.output import as_json, colourful, result, say, table
from kaos.cli.verbs import name_argument
from kaos.errors import KaosError, UsageError
from kaos.kube import sanitize

if TYPE_CHECKING:
    from kaos.actions.chat import Step

Object = dict[str, Any]

timeout = click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0, min_open=True), default=300.0, show_default=True,
    metavar="SECONDS", help="How long it may be silent.",
)  # fmt: skip
message = click.option("-m", "--message", metavar="TEXT|-", help="What to say; - is standard input.")
session = click.option("--session", "session_id", metavar="ID", help="Go on with this conversation.")

no_tools = click.option("--no-tools", is_flag=True, help="Let the agent use no tool and no other agent.")


def endpoint(settings: Settings, name: str, namespace: str | None, timeout_s: float) -> Any:
    from kaos.actions.chat import Endpoint

    client = settings.client(namespace)
    return Endpoint(client, AGENT, name, client.namespace, timeout_s)


def said(message: str | None) -> str:
    """The message, from the option or standard input. Raises UsageError for none."""
    from kaos.actions.manifests import read_text

    text = read_text("-") if message == "-" else message
    if not text or not text.strip():
        raise UsageError("There is nothing to say.", "Add --message TEXT")
    return text


def show_step(step: Step) -> None:
    """A line about a tool call or delegation, on standard error."""
    if step.result is None:
        say(f"→ {step.name} {json.dumps(step.arguments, ensure_ascii=False)}")
    else:
        failed = " failed" if step.failed else ""
        say(f"← {step.name}{failed}: {' '.join(step.result.split())[:200]} ({step.seconds:.2f} s)")


def show_text(text: str) -> None:
    """A piece of an answer, at once."""
    click.echo(sanitize.text(text) if sys.stdout.isatty() else text, nl=False)


@click.command(cls=Command)
@name_argument(AGENT)
@message
@session
@options.namespace
@no_tools
@click.option("--stream/--no-stream", default=None, help="Print the answer as it comes (default: on a terminal).")
@timeout
@options.output("text", "json", default="text")
@click.pass_obj
def invoke(
    settings: Settings,
    name: str,
    message: str | None,
    session_id: str | None,
    namespace: str | None,
    no_tools: bool,
    stream: bool | None,
    timeout_s: float,
    output: str,
) -> None:
    """Ask the agent NAME one question.

    \b
    kaos agent invoke helper --message "what is 2 + 3?"
    """
    text = said(message)
    streams = output == "text" and (sys.stdout.isatty() if stream is None else stream)
    agent = endpoint(settings, name, namespace, timeout_s)
    shown = show_step if output == "text" and colourful(sys.stderr) else lambda step: None
    on_text = show_text if streams else lambda piece: None
    reply = agent.ask([{"role": "user", "content": text}], name, session_id, on_text, shown, tools=not no_tools)
    if output == "json":
        as_json(dataclasses.asdict(reply))
    else:
        result("" if streams else reply.text)
    if reply.finish == "length":
        raise KaosError(f"{agent.who} stopped before it had an answer.", "Raise config.reasoningLoopMaxSteps")


@click.command(cls=Command)
@name_argument(AGENT)
@options.namespace
@timeout
@options.output("table", "json", "name", default="table")
@click.pass_obj
def tools(settings: Settings, name: str, namespace: str | None, timeout_s: float, output: str) -> None:
    """List the tools that the agent has now, and what is away."""
    from kaos.actions.arguments import signature
    from kaos.cli.describe import first_line

    agent = endpoint(settings, name, namespace, timeout_s)
    found = agent.get("/tools")
    if output == "json":
        as_json(found)
        return
    listed = found.get("tools") or []
    if output == "name":
        result("".join(f"{one['name']}\n" for one in listed), end="")
    elif listed:
        rows = [
            [one["name"], one["server"], signature(one), first_line(one.get("description") or "")] for one in listed
        ]
        table(["NAME", "MCPSERVER", "ARGUMENTS", "DESCRIPTION"], rows)
    else:
        say(f"{agent.who} has no tools.")
    for word, ones in (("MCPServer", found.get("servers")), ("Agent", found.get("peers"))):
        for one in ones or ():
            if not one.get("ready"):
                say(f"{word} {one['name']} is away: {one.get('message')}")


@click.command(cls=Command)
@name_argument(AGENT)
@options.namespace
@session
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="The last so many events.")
@timeout
@options.output("table", "json", default="table")
@click.pass_obj
def memory(
    settings: Settings,
    name: str,
    namespace: str | None,
    session_id: str | None,
    limit: int,
    timeout_s: float,
    output: str,
) -> None:
    """Show the agent's sessions, or what happened in one of them (--session)."""
    from kaos.actions import memory as remembered

    agent = endpoint(settings, name, namespace, timeout_s)
    if session_id:
        found = remembered.events(agent, session_id, limit)
        headers = ["TIME", "KIND", "WHAT"]
        rows = [[_clock(one.at, "%H:%M:%S"), one.kind, one.words[:160]] for one in found]
    else:
        found = remembered.sessions(agent)
        headers = ["SESSION", "EVENTS", "LAST"]
        rows = [[one.id, str(one.events), _clock(one.updated, "%Y-%m-%d %H:%M:%SZ")] for one in found]
    if output == "json":
        as_json([dataclasses.asdict(one) for one in found])
    elif rows:
        table(headers, rows)
    else:
        say(f"{agent.who} remembers {'nothing of that session' if session_id else 'no sessions'}.")


def _clock(at: float, how: str) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime(how)


@click.command(cls=Command)
@name_argument(AGENT)
@options.namespace
@timeout
@click.pass_obj
def card(settings: Settings, name: str, namespace: str | None, timeout_s: float) -> None:
    """Print the agent's A2A card."""
    as_json(endpoint(settings, name, namespace, timeout_s).get("/.well-known/agent-card.json"))


@click.command(cls=Command)
@name_argument(AGENT)
@message
@options.namespace
@timeout
@options.output("text", "json", default="text")
@click.pass_obj
def a2a(
    settings: Settings, name: str, message: str | None, namespace: str | None, timeout_s: float, output: str
) -> None:
    """Send the agent a message over A2A and print what its task has made."""
    from kaos.actions.agents import send_a2a

    text = said(message)
    answer = send_a2a(endpoint(settings, name, namespace, timeout_s), text)
    if output == "json":
        as_json(answer)
        return
    task = answer.get("task") or {}
    parts = [part for artifact in task.get("artifacts") or () for part in artifact.get("parts") or ()]
    state = str((task.get("status") or {}).get("state", "")).removeprefix("TASK_STATE_").lower()
    if state != "completed":
        raise KaosError(f"The task of Agent {name} is {state or 'in no state'}.", "See: -o json")
    result("".join(str(part.get("text", "")) for part in parts))
