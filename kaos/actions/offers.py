"""What a server offers besides tools: resources to read, and prompts with gaps to fill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kaos.actions.conversation import Conversation
from kaos.actions.mcp import block_text, named
from kaos.cluster import Client
from kaos.errors import KaosError, UsageError
from kaos.mcp.wire import METHOD_NOT_FOUND, RpcError

Object = dict[str, Any]


@dataclass(frozen=True)
class Resources:
    """What a server has to read: `resources` as they are, and `templates` whose gaps the reader fills."""

    resources: list[Object]
    templates: list[Object]


def list_resources(client: Client, name: str, namespace: str, timeout_s: float) -> Resources:
    """The resources as the server itself lists them."""
    with Conversation(client, name, namespace, timeout_s) as talk:
        found = talk.run("listing its resources", lambda: _if_offered(talk.session.list_resources))
        templates = talk.run("listing its resources", lambda: _if_offered(talk.session.list_resource_templates))
        return Resources(found, templates)


def read(client: Client, name: str, namespace: str, uri: str, timeout_s: float) -> list[Object]:
    """The contents of one resource: each has `uri`, and `text` or (in base64) `blob`."""
    with Conversation(client, name, namespace, timeout_s) as talk:
        return talk.run(f"reading {uri}", lambda: talk.session.read_resource(uri))


def list_prompts(client: Client, name: str, namespace: str, timeout_s: float) -> list[Object]:
    """The prompts as the server itself lists them."""
    with Conversation(client, name, namespace, timeout_s) as talk:
        return talk.run("listing its prompts", lambda: _if_offered(talk.session.list_prompts))


def get_prompt(
    client: Client, name: str, namespace: str, wanted: str, arguments: dict[str, str], timeout_s: float
) -> Object:
    """The prompt with its arguments filled in, as the protocol's GetPromptResult. Raises UsageError."""
    with Conversation(client, name, namespace, timeout_s) as talk:
        try:
            return talk.run(f"filling prompt {wanted}", lambda: talk.session.get_prompt(wanted, arguments))
        except RpcError:
            _explain_prompt(talk, wanted, arguments)
            raise


def _if_offered(lists: Callable[[], list[Object]]) -> list[Object]:
    """A server that does not know the method has none."""
    try:
        return lists()
    except RpcError as error:
        if error.code == METHOD_NOT_FOUND:
            return []
        raise


def _explain_prompt(talk: Conversation, wanted: str, arguments: dict[str, str]) -> None:
    """Raises UsageError when the server refused for the sake of the prompt's name or arguments."""
    try:
        found = talk.session.list_prompts()
    except KaosError:
        return  # the failure itself is told
    prompt = named("prompt", found, wanted, talk.short)
    known = {argument.name: argument.required for argument in arguments_of(prompt)}
    takes = signature(prompt)
    for name in arguments:
        if name not in known:
            raise UsageError(f"Prompt {wanted} takes no argument {name}.", f"It takes: {takes}")
    for name, required in known.items():
        if required and name not in arguments:
            raise UsageError(f"Prompt {wanted} needs the argument {name}.", f"It takes: {takes}")


@dataclass(frozen=True)
class PromptArgument:
    """A gap of a prompt; what fills it is text."""

    name: str
    description: str
    required: bool


def arguments_of(prompt: Object) -> list[PromptArgument]:
    return [
        PromptArgument(one["name"], str(one.get("description") or ""), one.get("required") is True)
        for one in prompt.get("arguments") or ()
        if isinstance(one, dict) and isinstance(one.get("name"), str)
    ]


def signature(prompt: Object) -> str:
    """The arguments in short: `customer, tone?`; a question mark for what may be left out."""
    arguments = arguments_of(prompt)
    return ", ".join(f"{one.name}{'' if one.required else '?'}" for one in arguments) or "nothing"


def conversation_text(filled: Object) -> str:
    """The messages of a GetPromptResult; roles are named where there is more than one message."""
    messages = filled.get("messages") or []
    if len(messages) == 1:
        return block_text(messages[0]["content"])
    return "\n\n".join(f"{message.get('role', '')}: {block_text(message['content'])}" for message in messages)
