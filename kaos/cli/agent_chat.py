"""`kaos agent chat`: a conversation, line by line."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import click

from kaos.actions.kinds import AGENT
from kaos.cli import options
from kaos.cli.agent_talk import endpoint, no_tools, session, show_step, show_text, timeout
from kaos.cli.commands import Command, Settings
from kaos.cli.output import result, say
from kaos.cli.verbs import name_argument
from kaos.errors import KaosError

HELP = "/tools  /memory  /new (forget this conversation)  /quit; ctrl-c stops an answer, ctrl-d leaves"
MEMORY_EVENTS = 50


@click.command(cls=Command)
@name_argument(AGENT)
@options.namespace
@session
@no_tools
@timeout
@click.pass_obj
def chat(
    settings: Settings, name: str, namespace: str | None, session_id: str | None, no_tools: bool, timeout_s: float
) -> None:
    """Talk to the agent NAME. Each line is a message; the conversation is remembered."""
    from kaos.actions.chat import new_session

    agent = endpoint(settings, name, namespace, timeout_s)
    session_id = session_id or new_session()
    talked = False
    asks = sys.stdin.isatty()
    if asks:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 - line editing and history for input()
        say(f"{agent.who}, model {agent.object['spec'].get('model')}. {HELP}")
    while (line := _read("> " if asks else "")) is not None:
        match line.strip():
            case "":
                continue
            case "/quit" | "/exit":
                break
            case "/new":
                session_id, talked = new_session(), False
                say("A new conversation.")
            case "/help" | "/?":
                say(HELP)
            case "/tools":
                _tools(agent)
            case "/memory":
                _memory(agent, session_id)
            case text:
                _answer(agent, name, text, session_id, not no_tools)
                talked = True
    if talked:
        say(f"Go on later: kaos agent chat {name} -n {agent.namespace} --session {session_id}")


def _read(prompt: str) -> str | None:
    try:
        return input(prompt)
    except EOFError:
        return None


def _answer(agent: Any, name: str, text: str, session_id: str, tools: bool) -> None:
    try:
        reply = agent.ask([{"role": "user", "content": text}], name, session_id, show_text, show_step, tools=tools)
    except KeyboardInterrupt:
        result("")
        say("Stopped.")
        return
    except KaosError as error:
        result("")
        say(f"Error: {error.cause}")
        if error.cure:
            say(error.cure)
        return
    result("")
    if reply.usage and sys.stdin.isatty():
        first = f", first word after {reply.first_s:.1f} s" if reply.first_s is not None else ""
        say(f"({reply.usage.get('total_tokens', 0)} tokens{first}, {reply.seconds:.1f} s)")


def _tools(agent: Any) -> None:
    from kaos.actions.memory import belongings

    found = belongings(agent)
    for one in found.tools:
        say(f"{one.name} ({one.server}): {one.description}")
    if not found.tools:
        say("No tools.")
    for kind, name, why in found.away:
        say(f"{kind} {name} is away: {why}")


def _memory(agent: Any, session_id: str) -> None:
    from kaos.actions.memory import events

    found = events(agent, session_id, MEMORY_EVENTS)
    for one in found:
        say(f"{one.kind}: {one.words[:160]}")
    if not found:
        say("Nothing was said yet.")
