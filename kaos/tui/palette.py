"""The palette (ctrl+p): every place, every object and what can be done with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from textual.app import SystemCommand
from textual.screen import Screen

from kaos.actions.kinds import KINDS
from kaos.kube import sanitize
from kaos.tui.places import Place

if TYPE_CHECKING:
    from kaos.tui.app import Console

_VIEWS = (
    ("Overview", "What runs, what is broken", Place("home")),
    ("MCP servers", "All MCPServers", Place("list", "mcp")),
    ("Agents", "All Agents", Place("list", "agent")),
    ("Model APIs", "All ModelAPIs", Place("list", "modelapi")),
    ("Map", "Who uses whom", Place("map")),
    ("Why", "What is wrong, and the cure", Place("why")),
    ("Top", "Requests, latency, tokens", Place("top")),
    ("Events", "What happened lately", Place("events")),
    ("Runtimes", "What MCP servers can be made of", Place("runtimes")),
    ("System", "Operator, versions, registry", Place("system")),
    ("Rights", "What MCP servers may do on the cluster", Place("accounts")),
    ("Secrets", "Names and keys, never values", Place("secrets")),
    ("Contexts", "Another cluster", Place("contexts")),
    ("Namespaces", "Another namespace", Place("namespaces")),
    ("New MCP server", "Deploy one", Place("deploy", "mcp")),
    ("New agent", "Deploy one", Place("deploy", "agent")),
    ("New model API", "Deploy one", Place("deploy", "modelapi")),
)


def entries(console: Console, screen: Screen[Any]) -> Iterator[SystemCommand]:
    """What the palette finds."""
    for active in screen.active_bindings.values():
        binding = active.binding
        if active.enabled and binding.id and binding.id.startswith(("screen.", "object.", "list.")):
            yield SystemCommand(binding.description.capitalize(), f"Key {binding.key}", _press(console, binding.key))
    for title, does, place in _VIEWS:
        yield SystemCommand(title, does, _go(console, place))
    for kind in KINDS:
        for namespace, name in console.session.objects(kind.resource):
            place = Place("detail", kind.command, namespace, name)
            yield SystemCommand(
                f"{kind.command}/{sanitize.line(name)}", f"{kind.title} in {namespace}", _go(console, place)
            )


def _go(console: Console, place: Place) -> Any:
    return lambda: console.go(place)


def _press(console: Console, key: str) -> Any:
    return lambda: console.simulate_key(key)
