"""What a person does with MCP servers alone: write their manifest, see their tools, call one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kaos.actions import arguments as tool_arguments
from kaos.actions.conversation import Cancellation, Conversation, Talk
from kaos.actions.kinds import MCPSERVER
from kaos.api.names import API_VERSION, CUSTOM, PACKAGE
from kaos.cluster import Client
from kaos.errors import KaosError, UsageError
from kaos.kube.names import nearest
from kaos.mcp.questions import Ask
from kaos.mcp.session import Log, Progress
from kaos.mcp.wire import RpcError

Object = dict[str, Any]
Pairs = tuple[tuple[str, str], ...]
References = tuple[tuple[str, str, str], ...]  # variable, Secret, key


@dataclass(frozen=True)
class ServerFlags:
    """An MCPServer in the words of the command line."""

    runtime: str | None = None
    package: str | None = None
    image: str | None = None
    params: str | None = None
    env: Pairs = ()
    secrets: References = ()
    service_account: str | None = None
    transport: str | None = None
    port: int | None = None
    path: str | None = None


def manifest(name: str, flags: ServerFlags) -> Object:
    """The MCPServer that the flags describe. Raises UsageError."""
    if flags.package and flags.runtime not in (None, PACKAGE):
        raise UsageError("--package brings its own runtime.", "Leave out --runtime, or --package.")
    runtime = PACKAGE if flags.package else flags.runtime or CUSTOM
    if runtime == PACKAGE and not flags.package:
        raise UsageError(
            "Runtime package needs a package.", "Add --package pypi:NAME==VERSION or --package npm:NAME@VERSION"
        )
    if runtime == CUSTOM and not flags.image:
        raise UsageError(
            "An MCPServer needs an image, or a runtime that has one.",
            "Add --image IMAGE, or --runtime NAME; see: kaos system runtimes",
        )
    variables = env_variables(flags.env, flags.secrets)
    container = {key: value for key, value in (("image", flags.image), ("env", variables)) if value}
    spec = {
        "runtime": runtime,
        "package": flags.package,
        "params": flags.params,
        "transport": flags.transport,
        "port": flags.port,
        "path": flags.path,
        "serviceAccountName": flags.service_account,
        "container": container or None,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": MCPSERVER.title,
        "metadata": {"name": name},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


def env_variables(env: Pairs, secrets: References) -> list[Object]:
    """Variables of a container, by value and by key of a Secret."""
    variables: list[Object] = [{"name": key, "value": value} for key, value in env]
    variables += [
        {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
        for variable, secret, key in secrets
    ]
    return variables


@dataclass(frozen=True)
class Answer:
    """What a tool answered: the protocol's CallToolResult, and its parts as people want them."""

    result: Object

    @property
    def is_error(self) -> bool:
        return bool(self.result.get("isError"))

    @property
    def structured(self) -> Any:
        """The structured content, or None."""
        return self.result.get("structuredContent")

    @property
    def text(self) -> str:
        """The content as text."""
        return "\n".join(block_text(block) for block in self.result.get("content") or () if isinstance(block, dict))


def block_text(block: Object) -> str:
    """A ContentBlock as text; what is no text is named."""
    kind = block.get("type")
    if kind == "text":
        return str(block.get("text", ""))
    if kind == "resource_link":
        return str(block.get("uri", ""))
    if kind == "resource":
        inside = block.get("resource") or {}
        return str(inside.get("text") or inside.get("uri") or "")
    size = len(str(block.get("data") or "")) * 3 // 4
    return f"[{kind} {block.get('mimeType', '')}, {size} bytes]"


def tools(client: Client, name: str, namespace: str, timeout_s: float) -> list[Object]:
    """The tools as the server itself lists them."""
    with Conversation(client, name, namespace, timeout_s) as talk:
        return tools_of(talk)


def tools_of(talk: Talk) -> list[Object]:
    """The same in a conversation that has begun."""
    return talk.run("listing its tools", talk.session.list_tools)


def invoke(
    client: Client,
    name: str,
    namespace: str,
    tool: str,
    given: Object | Iterable[str],
    timeout_s: float,
    on_progress: Progress | None = None,
    on_log: Log | None = None,
    cancellation: Cancellation | None = None,
    on_ask: Ask | None = None,
) -> Answer:
    """Call a tool with arguments, or with words that the tool's schema makes arguments of. `on_ask` answers what the
    server asks back; without it the server is told that nobody can be asked. Raises Cancelled.

    Words need the schema first. A ready object is sent at once; the schema only explains why it was refused.
    """
    with Conversation(client, name, namespace, timeout_s, cancellation, on_log, on_ask) as talk:
        return call(talk, tool, given, on_progress)


def call(talk: Talk, tool: str, given: Object | Iterable[str], on_progress: Progress | None = None) -> Answer:
    """The same in a conversation that has begun."""
    if isinstance(given, dict):
        return _called(talk, tool, given, on_progress, checked=False)
    found = named("tool", tools_of(talk), tool, talk.short)
    arguments = tool_arguments.typed(given, found.get("inputSchema") or {})
    tool_arguments.check(arguments, found)
    return _called(talk, tool, arguments, on_progress, checked=True)


def _called(talk: Talk, tool: str, arguments: Object, on_progress: Progress | None, checked: bool) -> Answer:
    try:
        result = talk.run(f"running tool {tool}", lambda: talk.session.call_tool(tool, arguments, on_progress))
    except RpcError:
        if not checked:
            _explain(talk, tool, arguments)
        raise
    if result.get("isError") and not checked:
        _explain(talk, tool, arguments)
    return Answer({"isError": False} | result)


def _explain(talk: Talk, tool: str, arguments: Object) -> None:
    """Raises UsageError when a call failed for the sake of the tool's name or arguments."""
    try:
        found = talk.session.list_tools()
    except KaosError:
        return  # the failure of the call itself is told
    tool_arguments.check(arguments, named("tool", found, tool, talk.short))


def named(what: str, found: list[Object], wanted: str, server: str) -> Object:
    """The tool or prompt of that name. Raises UsageError that suggests the nearest."""
    for one in found:
        if one.get("name") == wanted:
            return one
    names = [str(one.get("name")) for one in found]
    like = nearest(wanted, names)
    hint = f"Did you mean {like}?" if like else f"It has: {', '.join(names[:20]) or 'none'}"
    raise UsageError(f"{server} has no {what} {wanted}.", hint)
