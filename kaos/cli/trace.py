"""`kaos trace`: what an agent did, as a tree with times."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from kaos.actions.kinds import AGENT
from kaos.cli import options
from kaos.cli.commands import Command, Settings
from kaos.cli.output import as_json, result, say
from kaos.cli.tree import Branch, lines
from kaos.cli.verbs import name_argument

SHOWN = 240  # characters of one text


@click.command(cls=Command)
@name_argument(AGENT)
@options.namespace
@click.option("--session", "session_id", metavar="ID", help="All turns of this session (default: the last turn).")
@options.output("text", "json", default="text")
@click.pass_obj
def trace(settings: Settings, name: str, namespace: str | None, session_id: str | None, output: str) -> None:
    """Show what the agent NAME did to answer: model, tools and delegations, followed into the other agents' memory."""
    from dataclasses import asdict

    from kaos.actions.trace import trace as action

    client = settings.client(namespace)
    turns = action(client, name, client.namespace, session_id)
    if output == "json":
        as_json([asdict(one) | {"seconds": one.seconds} for one in turns])
    elif turns:
        result("\n\n".join("\n".join(lines(_turn(one, one.at))) for one in turns))
    else:
        say(f"Agent {client.namespace}/{name} remembers nothing: nobody has asked it, or spec.config.memory is off.")
        say(f"Ask it: kaos agent invoke {name} -n {client.namespace} --message TEXT")


def _turn(turn: Any, begin: float) -> Branch:
    from datetime import UTC, datetime

    when = f"{datetime.fromtimestamp(turn.at, UTC):%H:%M:%S}Z" if turn.at == begin else f"+{told(turn.at - begin)}"
    took = f"{told(turn.seconds)}" if turn.seconds is not None else "not answered"
    by = f"{turn.asked_by}: " if turn.asked_by else ""
    title = f"{when} {turn.agent} ({took}, session {turn.session_id}) {by}{cut(turn.question)}"
    return Branch(title, below=tuple(_steps(turn, begin)))


def _steps(turn: Any, begin: float) -> Iterator[Branch]:
    for step in turn.steps:
        below = tuple(_turn(one, begin) for one in step.below)
        yield Branch(f"+{told(step.at - begin)} {title_of(step)}", below=below)


def title_of(step: Any) -> str:
    """One line about a step."""
    took = "not ended" if step.seconds is None else told(step.seconds)
    match step.kind:
        case "model":
            return f"model ({took})"
        case "answer":
            return f"answer: {cut(step.text)}"
        case "error":
            return f"✖ error: {cut(step.text)}"
        case "note":
            return f"{step.name}: {cut(step.text)}"
    given = json.dumps(step.arguments if step.arguments is not None else {}, ensure_ascii=False)
    mark = "✖ failed" if step.failed else "→"
    return f"{step.name} {cut(given)} ({took}) {mark} {cut(step.text)}".rstrip()


def told(seconds: float) -> str:
    """A length of time in the unit that suits it."""
    return f"{max(seconds, 0) * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"
