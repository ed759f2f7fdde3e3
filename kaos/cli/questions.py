"""What a server asks back during a call, put to whoever sits at the terminal."""

from __future__ import annotations

import sys
from typing import Any

import click

from kaos.cli.output import say
from kaos.errors import UsageError
from kaos.kube import sanitize
from kaos.mcp.questions import Ask, Decision, Question, Reply

_CHOICES = {"a": Decision.ACCEPT, "d": Decision.DECLINE, "c": Decision.CANCEL}


def asker() -> Ask | None:
    """Who answers; None without a terminal: then the server is told that nobody can be asked."""
    return _ask if sys.stdin.isatty() and sys.stderr.isatty() else None


def _ask(question: Question) -> Reply:
    say(f"The server asks{' for what a model would say' if question.wants_text else ''}: {question.message}")
    if question.url is not None:
        say(f"It is answered on this page, if you trust it: {question.url}")
    choice = click.prompt("[a]ccept, [d]ecline or [c]ancel", type=click.Choice(list(_CHOICES)), err=True)
    decision = _CHOICES[choice]
    if decision is not Decision.ACCEPT or question.url is not None:
        return Reply(decision)
    return Reply(decision, click.prompt("Answer", err=True) if question.wants_text else _values(question.schema))


def _values(schema: dict[str, Any]) -> dict[str, Any]:
    """One line for each field; what may be left out may stay empty."""
    from kaos.actions import arguments

    properties = schema.get("properties")
    values: dict[str, Any] = {}
    for name, field in (properties if isinstance(properties, dict) else {}).items():
        alone = {"type": "object", "properties": {name: field}}
        about = field if isinstance(field, dict) else {}
        needed = name in (schema.get("required") or ())
        while True:
            text = click.prompt(
                _label(name, about, needed), default=_default(about, needed), show_default=False, err=True
            )
            if text == "":
                break
            try:
                value = arguments.typed([f"{name}={text}"], alone)
                arguments.check(value, {"name": "its question", "inputSchema": alone})
            except UsageError as wrong:
                say(f"{wrong.cause} {wrong.cure}".strip())
                continue
            values |= value
            break
    return values


def _label(name: str, about: dict[str, Any], needed: bool) -> str:
    told = [sanitize.line(name)]
    if about.get("description"):
        told.append(f"({sanitize.line(str(about['description']))})")
    if isinstance(about.get("enum"), list):
        told.append(f"<{sanitize.line('|'.join(map(str, about['enum'])))}>")
    if default := _default(about, needed):
        told.append(f"[{sanitize.line(default)}]")
    return " ".join(told)


def _default(about: dict[str, Any], needed: bool) -> str | None:
    """What an empty line stands for; None: for nothing, it is asked again."""
    found = about.get("default")
    if isinstance(found, bool):
        return str(found).lower()
    return str(found) if isinstance(found, str | int | float) else None if needed else ""
