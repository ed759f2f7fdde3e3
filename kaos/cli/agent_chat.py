"""`kaos agent chat`: a conversation, line by line."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import click

from kaos.actions.kinds import AGENT
from kaos.cli import options
from kaos.cli.agent_talk import endpoint, session, show_step, show_text, timeout
from kaos.cli.commands import Command, Settings
from kaos.cli.output import result, say
from kaos.cli.verbs import name_argument
from kaos.errors import KaosError

HELP = "/tools  /memory  /new (forget this conversation)  /quit; ctrl-c stops an answer, ctrl-d leaves"


@click.command(cls=Command)
@name_argument(AGENT)
@options.namespace
@session
@timeout
@click.pass_obj
def chat(settings: Settings, name: str, namespace: str | None, session_id: str | None, timeout_s: float) -> None:
    """Talk to the agent NAME. Each line is a message; the conversation is remembered."""
    agent = endpoint(settings, name, namespace, timeout_s)
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
                session_id = None
                say("A new conversation.")
            case "/help" | "/?":
                say(HELP)
            case "/tools":
                _tools(agent)
            case "/memory":
                _memory(agent, session_id)
            case text:
                session_id = _answer(agent, name, text, session_id)
    if session_id:
        say(f"Go on later: kaos agent chat {name} -n {agent.namespace} --session {session_id}")


def _read(prompt: str) -> str | None:
    try:
        return input(prompt)
    except EOFError:
        return None


def _answer(agent: Any, name: str, text: str, session_id: str | None) -> str | None:
    """The session, also after an answer that was stopped or failed."""
    try:
        reply = agent.ask([{"role": "user", "content": text}], name, session_id, show_text, show_step)
    except KeyboardInterrupt:
        result("")
        say("Stopped.")
        return session_id
    except KaosError as error:
        result("")
        say(f"Error: {error.cause}")
        if error.cure:
            say(error.cure)
        return session_id
    result("")
    if reply.usage and sys.stdin.isatty():
        say(f"({reply.usage.get('total_tokens', 0)} tokens)")
    return reply.session_id or session_id


def _tools(agent: Any) -> None:
    found = agent.get("/tools")
    for one in found.get("tools") or ():
        say(f"{one['name']} ({one['server']}): {one.get('description', '')}")
    if not found.get("tools"):
        say("No tools.")


def _memory(agent: Any, session_id: str | None) -> None:
    if not session_id:
        say("Nothing was said yet.")
        return
    from urllib.parse import quote

    for one in agent.get(f"/memory/events?session_id={quote(session_id)}&limit=50")["events"]:
        say(f"{one['kind']}: {' '.join(str(one['data'].get('text') or one['data']).split())[:160]}")
