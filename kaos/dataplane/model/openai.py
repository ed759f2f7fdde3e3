"""The shapes of OpenAI's chat completions: answers, stream chunks, errors. Source: the OpenAI API reference."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
CREATED = 1_700_000_000  # the mock is deterministic, its clock too


@dataclass(frozen=True)
class Reply:
    """What a model says: text, or tools that it wants called."""

    text: str = ""
    tool_calls: tuple[tuple[str, Object], ...] = ()  # name, arguments


@dataclass(frozen=True)
class Failure(Exception):
    """A refusal in OpenAI's shape."""

    status: int
    kind: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> Object:
        return {"error": {"message": self.message, "type": self.kind, "param": None, "code": None}}


def completion(model: str, reply: Reply, prompt_tokens: int, identity: str) -> Object:
    """A `chat.completion` object."""
    message: Object = {"role": "assistant", "content": reply.text or None}
    if reply.tool_calls:
        message["tool_calls"] = _calls(reply, identity)
    return {
        "id": identity,
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": _finish(reply)}],
        "usage": usage(prompt_tokens, reply),
    }


def chunks(model: str, reply: Reply, prompt_tokens: int, identity: str, with_usage: bool) -> Iterator[Object]:
    """The same as `chat.completion.chunk` objects, a word each."""

    def chunk(delta: Object, finish: str | None = None) -> Object:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        head = {"id": identity, "object": "chat.completion.chunk", "created": CREATED, "model": model}
        return head | {"choices": [choice]} | ({"usage": None} if with_usage else {})

    yield chunk({"role": "assistant", "content": ""})
    for word in words(reply.text):
        yield chunk({"content": word})
    for number, call in enumerate(_calls(reply, identity)):
        yield chunk({"tool_calls": [{"index": number, **call}]})
    yield chunk({}, _finish(reply))
    if with_usage:
        yield chunk({}) | {"choices": [], "usage": usage(prompt_tokens, reply)}


def words(text: str) -> list[str]:
    """The text in pieces that add up to it."""
    pieces = text.split(" ")
    return [piece + " " for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def usage(prompt_tokens: int, reply: Reply) -> Object:
    said = count(reply.text) + sum(count(json.dumps(arguments)) + 4 for _, arguments in reply.tool_calls)
    return {"prompt_tokens": prompt_tokens, "completion_tokens": said, "total_tokens": prompt_tokens + said}


def count(text: str) -> int:
    """Tokens, by a rule of thumb that never changes: one for every four characters."""
    return -(-len(text) // 4)


def new_identity() -> str:
    return f"chatcmpl-{uuid.uuid4().hex[:24]}"


def text_of(content: Any) -> str:
    """The text of a message's content, which may be a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def _calls(reply: Reply, identity: str) -> list[Object]:
    return [
        {
            "id": f"call_{identity[-8:]}_{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for number, (name, arguments) in enumerate(reply.tool_calls)
    ]


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.tool_calls else "stop"
