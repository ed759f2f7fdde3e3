"""`kaos why`: the cause, the cure, and the chain that leads from one to the other."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import click

from kaos.cli import completion, options
from kaos.cli.commands import Command, Settings
from kaos.cli.output import as_json, result, say
from kaos.cli.tree import Branch, lines
from kaos.errors import NotFound
from kaos.kube import sanitize

UNHEALTHY = 1


@click.command(cls=Command)
@click.argument("resource", required=False, metavar="[KIND/NAME]", shell_complete=completion.references)
@options.namespace
@options.all_namespaces
@options.output("text", "json", default="text")
@click.pass_obj
def why(settings: Settings, resource: str | None, namespace: str | None, all_namespaces: bool, output: str) -> int:
    """Say why something is not well, and what cures it; without KIND/NAME of everything that is not.

    \b
    kaos why
    kaos why agent/helper

    Ends with 1 when something is not well.
    """
    from kaos.actions import resources
    from kaos.actions import survey as surveys
    from kaos.actions.health import parse_ref
    from kaos.actions.why import diagnose, troubles

    client = settings.client(namespace)
    ref = parse_ref(resource, client.namespace) if resource else None
    if ref and all_namespaces:
        raise click.UsageError("KIND/NAME and --all-namespaces do not go together.")
    found = surveys.take(client, None if all_namespaces else client.namespace, ref)
    if not found.resources and not all_namespaces and not resources.namespace_exists(client, client.namespace):
        raise NotFound(f"There is no namespace {client.namespace}.", "See them all: kaos why -A")
    if ref and found.installed:
        if ref not in found.resources:
            raise _not_found(found, ref)
        told = diagnose(found, ref)
        wrong, chain = list(told.troubles), told.chain
    else:
        wrong, chain = troubles(found), None
    if output == "json":
        as_json(_facts(found, ref, wrong, chain))
    else:
        _print(found, wrong, chain, None if all_namespaces else client.namespace)
    return UNHEALTHY if wrong else 0


def _not_found(found: Any, ref: Any) -> NotFound:
    from kaos.kube.names import nearest

    like = nearest(ref.name, [one.name for one in found.resources if one.kind == ref.kind])
    hint = f"Did you mean {ref.handler.command}/{like}?" if like else f"See: kaos {ref.handler.command} list"
    return NotFound(f"There is no {ref.kind} {ref.name} in namespace {ref.namespace}.", hint)


def _print(found: Any, wrong: list[Any], chain: Any, namespace: str | None) -> None:
    blocks = [[sanitize.line(line) for line in _cause(trouble)] for trouble in wrong]
    if chain is not None and not wrong:
        blocks.append([f"{chain.what} is {chain.state.value}. Nothing is wrong."])
    if chain is not None:
        blocks.append(lines(_branch(chain)))
    elif not wrong:
        count, where = len(found.resources), f"namespace {namespace}" if namespace else "all namespaces"
        blocks.append([f"Nothing is wrong in {where}: {count} resource{'s' if count != 1 else ''} looked at."])
    result("\n\n".join("\n".join(block) for block in blocks))
    for right in found.unread:
        say(f"Not everything could be looked at. {right}")


def _cause(trouble: Any) -> Iterator[str]:
    """The sentence, the cure, and what it breaks beside itself."""
    cause = trouble.cause
    yield f"{cause.state.glyph} {cause.sentence}"
    if cause.meaning:
        yield f"  Means:   {cause.meaning}"
    if cause.cure:
        yield f"  Cure:    {cause.cure}"
    if cause.command:
        yield f"  Command: {shlex.join(cause.command)}"
    others = [str(ref) for ref in trouble.breaks if str(ref) != cause.about]
    if others:
        yield f"  Breaks:  {', '.join(others)}"


def _branch(link: Any) -> Branch:
    text = f"{link.state.glyph} {link.what}: {link.text or link.state.value}"
    return Branch(text, below=tuple(_branch(one) for one in link.below))


def _facts(found: Any, ref: Any, wrong: list[Any], chain: Any) -> dict[str, Any]:
    from dataclasses import asdict

    causes = [
        {key: value for key, value in asdict(one.cause).items() if key != "command"}
        | {"command": shlex.join(one.cause.command), "breaks": [asdict(each) for each in one.breaks]}
        | ({} if ref or one.chain is None else {"chain": asdict(one.chain)})
        for one in wrong
    ]
    whole = {"resource": asdict(ref), "chain": asdict(chain)} if chain else {}
    return {"healthy": not wrong, **whole, "causes": causes, "unread": list(found.unread)}
