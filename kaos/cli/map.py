"""`kaos map`: who uses whom, as a tree, as data, or as a drawing for dot and mermaid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from kaos.cli import options
from kaos.cli.commands import Command, Settings
from kaos.cli.output import as_json, result, say
from kaos.cli.tree import Branch, lines
from kaos.kube import sanitize

DEEPEST = 8  # what stands deeper begins a tree of its own


@click.command("map", cls=Command)
@options.namespace
@options.all_namespaces
@options.output("text", "json", "dot", "mermaid", default="text")
@click.pass_obj
def map_(settings: Settings, namespace: str | None, all_namespaces: bool, output: str) -> None:
    """Show which agent uses which model, tools and other agents, and what of it is broken."""
    from kaos.actions import resources
    from kaos.actions.graph import graph
    from kaos.actions.survey import declared
    from kaos.errors import NotFound

    client = settings.client(namespace)
    found = declared(client, None if all_namespaces else client.namespace)
    if not found.installed:
        raise NotFound(f"KAOS is not installed on the cluster of context {found.context}.",
                       "Install it: kaos system install")  # fmt: skip
    drawn = graph(found.resources)
    match output:
        case "json":
            as_json(_facts(drawn))
        case "dot":
            result("\n".join(_dot(drawn)))
        case "mermaid":
            result("\n".join(_mermaid(drawn)))
        case _ if drawn.nodes:
            result("\n".join(_text(drawn, all_namespaces)))
        case _:
            where = "any namespace" if all_namespaces else f"namespace {client.namespace}"
            if not all_namespaces and not resources.namespace_exists(client, client.namespace):
                where += ", which does not exist"
            say(f"Nothing in {where} (context {client.connection.context}).")
            say("Make something: kaos mcp deploy --help")
    for right in found.unread:
        say(f"Not everything could be looked at. {right}")


def _text(drawn: Any, named: bool) -> list[str]:
    tree = _Tree(drawn, named)
    branches = [tree.branch(ref) for ref in drawn.roots()]
    while tree.ahead:
        branches.append(tree.branch(tree.ahead.pop(0)))
    # One tree for all, so that the columns agree; its own line is left out.
    return [line[3:] for line in lines(Branch("", "", tuple(branches)))[1:]]


class _Tree:
    """What is used stands below what uses it. What is taken apart elsewhere is not taken apart again; circles end."""

    def __init__(self, drawn: Any, named: bool) -> None:
        self._drawn = drawn
        self._named = named  # with namespaces
        self._told: set[Any] = set()
        self.ahead: list[Any] = []  # what stood too deep, to be told by itself

    def branch(self, ref: Any, does: str = "", problem: str = "", path: tuple[Any, ...] = ()) -> Branch:
        node, below = self._drawn.nodes[ref], self._drawn.uses(ref)
        name = f"{does or ref.kind} " + (f"{ref.namespace}/{ref.name}" if self._named else ref.name)
        why = f"✖ {problem}" if problem and node.state.healthy else node.reason
        text = f"{node.state.glyph} {', '.join(part for part in (node.state.value, node.about, why) if part)}"
        if ref in path:
            return Branch(name, f"{text}, ↻ a circle")
        if ref in self._told and below and path:
            return Branch(name, f"{text}, ↑ see above")
        self._told.add(ref)
        if len(path) >= DEEPEST and below:
            self.ahead.append(ref)
            return Branch(name, f"{text}, ↓ see below")
        path = (*path, ref)
        return Branch(name, text, tuple(self.branch(one.used, one.does, one.problem, path) for one in below))


def _facts(drawn: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "nodes": [asdict(node.ref) | {key: value for key, value in asdict(node).items() if key != "ref"}
                  for node in drawn.nodes.values()],
        "edges": [asdict(edge) for edge in drawn.edges],
    }  # fmt: skip


_SHAPES = {"Agent": "box", "MCPServer": "component", "ModelAPI": "ellipse"}


def _dot(drawn: Any) -> Iterator[str]:
    yield "digraph kaos {"
    yield "  rankdir=LR;"
    for node in drawn.nodes.values():
        label = f"{node.ref.kind}\\n{_quoted(f'{node.ref.namespace}/{node.ref.name}')}\\n{node.state.value}"
        shape = _SHAPES[node.ref.kind]
        broken = "" if node.state.healthy else ', color="red"'
        yield f'  "{_id(node.ref)}" [label="{label}", shape={shape}{broken}];'
    for edge in drawn.edges:
        told = f'{edge.does}: {_quoted(edge.problem)}", color="red", style="dashed' if edge.problem else edge.does
        yield f'  "{_id(edge.user)}" -> "{_id(edge.used)}" [label="{told}"];'
    yield "}"


def _mermaid(drawn: Any) -> Iterator[str]:
    numbers = {ref: f"n{index}" for index, ref in enumerate(drawn.nodes)}
    yield "flowchart LR"
    for ref, node in drawn.nodes.items():
        yield f'  {numbers[ref]}["{ref.kind} {_quoted(f"{ref.namespace}/{ref.name}")}<br/>{node.state.value}"]'
    for edge in drawn.edges:
        if edge.problem:
            yield f'  {numbers[edge.user]} -. "{edge.does}: {_quoted(edge.problem)}" .-> {numbers[edge.used]}'
        else:
            yield f'  {numbers[edge.user]} -- "{edge.does}" --> {numbers[edge.used]}'
    broken = ",".join(numbers[ref] for ref, node in drawn.nodes.items() if not node.state.healthy)
    if broken:
        yield "  classDef broken stroke:#d33,stroke-width:2px"
        yield f"  class {broken} broken"


def _id(ref: Any) -> str:
    return _quoted(f"{ref.kind}/{ref.namespace}/{ref.name}")


def _quoted(text: str) -> str:
    return sanitize.line(text).replace("\\", "/").replace('"', "'")
