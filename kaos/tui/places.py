"""Places of the console: what a screen shows, as a path (`demo/mcp/calculator/tools`) and as typed after `:`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kaos.errors import UsageError
from kaos.kube.names import nearest

# View -> where its screen lives.
SCREENS = {
    "home": "kaos.tui.screens.home:HomeScreen",
    "list": "kaos.tui.screens.resources:ResourcesScreen",
    "detail": "kaos.tui.screens.detail:DetailScreen",
    "logs": "kaos.tui.screens.logs:LogsScreen",
    "tools": "kaos.tui.screens.tools:ToolsScreen",
    "invoke": "kaos.tui.screens.invoke:InvokeScreen",
    "resources": "kaos.tui.screens.server_resources:ServerResourcesScreen",
    "prompts": "kaos.tui.screens.prompts:PromptsScreen",
    "chat": "kaos.tui.screens.chat:ChatScreen",
    "memory": "kaos.tui.screens.memory:MemoryScreen",
    "trace": "kaos.tui.screens.trace:TraceScreen",
    "map": "kaos.tui.screens.map:MapScreen",
    "why": "kaos.tui.screens.why:WhyScreen",
    "top": "kaos.tui.screens.top:TopScreen",
    "events": "kaos.tui.screens.events:EventsScreen",
    "runtimes": "kaos.tui.screens.runtimes:RuntimesScreen",
    "runtime": "kaos.tui.screens.runtimes:RuntimeScreen",
    "system": "kaos.tui.screens.system:SystemScreen",
    "secrets": "kaos.tui.screens.secrets:SecretsScreen",
    "contexts": "kaos.tui.screens.contexts:ContextsScreen",
    "namespaces": "kaos.tui.screens.contexts:NamespacesScreen",
    "deploy": "kaos.tui.screens.deploy:DeployScreen",
    "rbac": "kaos.tui.screens.rbac:RbacScreen",
    "accounts": "kaos.tui.screens.rbac:AccountsScreen",
}
KINDS = ("mcp", "agent", "modelapi")
# What else a kind or view is called.
ALIASES = {
    "mcps": "mcp", "mcpserver": "mcp", "mcpservers": "mcp", "server": "mcp", "servers": "mcp",
    "agents": "agent", "ag": "agent",
    "api": "modelapi", "mapi": "modelapi", "apis": "modelapi", "modelapis": "modelapi", "model": "modelapi",
    "rt": "runtimes", "ctx": "contexts", "context": "contexts", "ns": "namespaces", "namespace": "namespaces",
    "log": "logs", "tool": "tools", "ev": "events", "event": "events", "x": "map", "graph": "map", "op": "system",
    "operator": "system", "sys": "system", "status": "home", "secret": "secrets", "new": "deploy", "doctor": "why",
    "rights": "rbac",
}  # fmt: skip
_OF_A_RESOURCE = {  # views of one resource -> the kinds that have it
    "logs": KINDS, "why": KINDS, "top": KINDS, "events": KINDS, "map": KINDS, "tools": ("mcp", "agent"),
    "resources": ("mcp",), "prompts": ("mcp",), "chat": ("agent", "modelapi"),
    "memory": ("agent",), "trace": ("agent",), "rbac": ("mcp",),
}  # fmt: skip
TABS = ("overview", "pods", "yaml")
_ALONE = (
    "home", "map", "why", "top", "events", "runtimes", "system", "secrets", "accounts", "contexts", "namespaces",
    "deploy",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """What a screen shows. Without a namespace: that of the session, or all."""

    view: str
    kind: str = ""  # mcp, agent, modelapi; operator for its logs
    namespace: str | None = None
    name: str = ""
    item: str = ""  # a tool, a session, a tab, a runtime

    @property
    def path(self) -> str:
        """As `kaos tui PATH` takes it."""
        if self.view == "list":
            words = [self.kind]
        elif self.view == "detail":
            words = [self.kind, self.name, self.item]
        elif self.view == "invoke":
            words = [self.kind, self.name, "tools", self.item]
        elif self.view == "runtime":
            words = ["runtimes", self.item]
        elif self.kind == "operator":
            words = ["operator", self.view]
        else:
            words = [self.kind, self.name, self.view, self.item] if self.name else [self.view, self.kind]
        return "/".join(word for word in (self.namespace or "", *words) if word)

    def within(self, namespace: str | None) -> Place:
        """The same in a namespace, unless it names one itself."""
        return self if self.namespace else replace(self, namespace=namespace)


HOME = Place("home")


def parse(text: str) -> Place:
    """The place that a path names. Raises UsageError, with the nearest word there is."""
    words = [word for word in text.strip().strip("/").split("/") if word]
    if not words:
        return HOME
    namespace = None
    if _canonical(words[0]) is None and len(words) > 1:
        namespace, *words = words
    first = _canonical(words[0])
    if first is None:
        raise _unknown(words[0], *([namespace] if namespace else []))
    if words[0] == "operator" and words[1:] == ["logs"]:
        return Place("logs", kind="operator")
    if first not in KINDS:
        return _view(first, words[1:], namespace)
    if len(words) == 1:
        return Place("list", first, namespace)
    return _of_resource(first, words[1], words[2:], namespace)


def _canonical(word: str) -> str | None:
    word = word.lower()
    if word in KINDS or word in _ALONE or word in _OF_A_RESOURCE:
        return word
    return ALIASES.get(word)


def _view(view: str, rest: list[str], namespace: str | None) -> Place:
    if view == "rbac" and not rest:
        return Place("accounts", namespace=namespace)
    if view == "runtimes" and rest:
        return Place("runtime", item=rest[0])
    if view == "deploy":
        kind = ALIASES.get(rest[0], rest[0]) if rest else "mcp"
        if kind not in KINDS:
            raise _unknown(kind)
        return Place("deploy", kind, namespace, item=rest[1] if rest[1:] else "")
    if rest and view in _OF_A_RESOURCE:  # logs/mcp/calculator, the order of `kaos logs`
        kind = ALIASES.get(rest[0], rest[0])
        if kind in KINDS and rest[1:]:
            return _of_resource(kind, rest[1], [view, *rest[2:]], namespace)
    if rest or view not in _ALONE:
        raise UsageError(f"{view} of what? {'/'.join([view, *rest])!r} names nothing.", f"Such as: mcp/NAME/{view}")
    return Place(view, namespace=namespace)


def _of_resource(kind: str, name: str, rest: list[str], namespace: str | None) -> Place:
    if not rest:
        return Place("detail", kind, namespace, name)
    view = rest[0].lower()
    view = view if view in TABS else ALIASES.get(view, view)
    if view in TABS:
        return Place("detail", kind, namespace, name, item=view)
    if kind not in _OF_A_RESOURCE.get(view, ()):
        have = [*TABS, *(one for one, kinds in _OF_A_RESOURCE.items() if kind in kinds)]
        raise UsageError(f"{kind}/{name} has no {view!r}.", f"There is: {', '.join(have)}")
    if view == "tools" and kind == "mcp" and rest[1:]:
        return Place("invoke", kind, namespace, name, rest[1])
    return Place(view, kind, namespace, name, item=rest[1] if rest[1:] else "")


def _unknown(*words: str) -> UsageError:
    """Of several words, the one that is most likely mistyped."""
    known = [*KINDS, *_ALONE, *_OF_A_RESOURCE, *ALIASES]
    for word in words:
        if like := nearest(word, known):
            return UsageError(f"There is no place {word!r}.", f"Did you mean: {like}")
    return UsageError(f"There is no place {words[0]!r}.", "Try: mcp, agent, modelapi, map, why")


def typed(text: str) -> tuple[Place, str]:
    """What is typed after `:`, and a filter for it: `mcp demo`, `mcp /regex`, `chat helper`, `mcp/calculator/tools`.

    The words of the command are taken as well: `mcp list -n demo`, `mcp tools calculator`. Raises UsageError.
    """
    words, pattern, namespace = [], "", None
    given = iter(text.split())
    for word in given:
        if word.startswith("/"):
            pattern = word[1:]
        elif word in ("-n", "--namespace"):
            namespace = next(given, None)
        elif not word.startswith("-"):
            words.append(word)
    if not words:
        return HOME, pattern
    first, rest = words[0], words[1:]
    if "/" in first or not rest:
        return parse(first).within(namespace), pattern
    view = _canonical(first)
    if view is None:
        raise _unknown(first)
    if view in KINDS:
        return _typed_kind(view, rest, namespace), pattern
    if view in _OF_A_RESOURCE and view not in ("map", "why", "events", "top"):
        kind = next(kind for kind in ("agent", "mcp", "modelapi") if kind in _OF_A_RESOURCE[view])
        kind = "mcp" if view in ("tools", "logs") else kind
        named = rest[0] if "/" in rest[0] else f"{kind}/{rest[0]}"
        return parse("/".join([view, named, *rest[1:]])).within(namespace), pattern
    if view in ("map", "why", "events", "top") and "/" not in rest[0]:
        return Place(view, namespace=rest[0]), pattern
    return parse("/".join([view, *rest])).within(namespace), pattern


def _typed_kind(kind: str, rest: list[str], namespace: str | None) -> Place:
    verb = rest[0]
    if verb == "list":
        return Place("list", kind, namespace)
    if verb in ("get", "describe") and rest[1:]:
        return Place("detail", kind, namespace, rest[1], "yaml" if verb == "get" else "")
    if verb == "invoke" and kind == "mcp" and rest[1:]:
        return Place("invoke" if rest[2:] else "tools", kind, namespace, rest[1], rest[2] if rest[2:] else "")
    if verb in _OF_A_RESOURCE and rest[1:]:
        return _of_resource(kind, rest[1], [verb, *rest[2:]], namespace)
    return Place("list", kind, namespace or verb)
