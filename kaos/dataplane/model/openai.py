"""The shapes of OpenAI's completions: answers, stream chunks, errors. Source: the OpenAI API reference."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
CREATED = 1_700_000_000  # the mock is deterministic, its clock too
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Reply:
    """What a model says: text, or tools that it wants called."""

    text: str = ""
    tool_calls: tuple[tuple[str, str], ...] = ()  # name, arguments as JSON text


@dataclass(eq=False)
class Failure(Exception):
    """A refusal in OpenAI's shape."""

    status: int
    kind: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)
    code: str | None = None

    def __str__(self) -> str:
        return self.message

    def body(self) -> Object:
        return {"error": {"message": self.message, "type": self.kind, "param": None, "code": self.code}}


def invalid(message: str) -> Failure:
    return Failure(400, "invalid_request_error", message)


def completion(model: str, reply: Reply, prompt_tokens: int, identity: str) -> Object:
    """A `chat.completion` object."""
    message: Object = {"role": "assistant", "content": reply.text or None}
    if reply.tool_calls:
        message["tool_calls"] = _calls(reply, identity)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(reply)}
    return _head("chat.completion", model, identity) | {"choices": [choice], "usage": usage(prompt_tokens, reply)}


def chunks(model: str, reply: Reply, prompt_tokens: int, identity: str, with_usage: bool) -> Iterator[Object]:
    """The same as `chat.completion.chunk` objects, a word each; a call's arguments come in pieces too."""
    head = _head("chat.completion.chunk", model, identity) | ({"usage": None} if with_usage else {})

    def chunk(delta: Object, finish: str | None = None) -> Object:
        return head | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    for word in words(reply.text):
        yield chunk({"content": word})
    for number, call in enumerate(_calls(reply, identity)):
        function = call["function"]
        beginning = call | {"function": {"name": function["name"], "arguments": ""}}
        yield chunk({"tool_calls": [{"index": number, **beginning}]})
        for word in words(function["arguments"]):
            yield chunk({"tool_calls": [{"index": number, "function": {"arguments": word}}]})
    yield chunk({}, _finish(reply))
    if with_usage:
        yield head | {"choices": [], "usage": usage(prompt_tokens, reply)}


def text_completion(model: str, reply: Reply, prompt_tokens: int, identity: str) -> Object:
    """A `text_completion` object, of the older /v1/completions."""
    choice = {"index": 0, "text": reply.text, "logprobs": None, "finish_reason": "stop"}
    return _head("text_completion", model, identity) | {"choices": [choice], "usage": usage(prompt_tokens, reply)}


def text_chunks(model: str, reply: Reply, prompt_tokens: int, identity: str, with_usage: bool) -> Iterator[Object]:
    """The same as a stream of them."""
    head = _head("text_completion", model, identity) | ({"usage": None} if with_usage else {})
    for word in words(reply.text):
        yield head | {"choices": [{"index": 0, "text": word, "logprobs": None, "finish_reason": None}]}
    yield head | {"choices": [{"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}]}
    if with_usage:
        yield head | {"choices": [], "usage": usage(prompt_tokens, reply)}


# Path -> the answer as a whole and in pieces.
SHAPES: dict[str, tuple[Callable[..., Object], Callable[..., Iterator[Object]]]] = {
    "/chat/completions": (completion, chunks),
    "/completions": (text_completion, text_chunks),
}


def model_list(names: tuple[str, ...], owner: str) -> Object:
    """What GET /v1/models answers."""
    return {"object": "list", "data": [model_object(name, owner) for name in names]}


def model_object(name: str, owner: str) -> Object:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": owner}


def not_served(model: str, served: tuple[str, ...]) -> Failure:
    return no_such_model(f"there is no model {model} here; served: {', '.join(served)}")


def no_such_model(message: str) -> Failure:
    return Failure(404, "invalid_request_error", message, code="model_not_found")


def event(data: Object) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def words(text: str) -> list[str]:
    """The text in pieces that add up to it."""
    pieces = text.split(" ")
    return [piece + " " for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def usage(prompt_tokens: int, reply: Reply) -> Object:
    said = count(reply.text) + sum(count(name) + count(arguments) for name, arguments in reply.tool_calls)
    return {"prompt_tokens": prompt_tokens, "completion_tokens": said, "total_tokens": prompt_tokens + said}


def count(text: str) -> int:
    """Tokens, by a rule of thumb that never changes: one for every four characters."""
    return -(-len(text) // 4)


def new_identity() -> str:
    return f"chatcmpl-{uuid.uuid4().hex[:24]}"


def identity_of(request: bytes) -> str:
    """An id that is always the same for the same request."""
    return f"chatcmpl-{hashlib.sha256(request).hexdigest()[:24]}"


def text_of(content: Any) -> str:
    """The text of a message's content, which may be a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = (part.get("text") for part in content if isinstance(part, dict))
        return " ".join(text for text in texts if isinstance(text, str))
    return ""


def _head(kind: str, model: str, identity: str) -> Object:
    return {"id": identity, "object": kind, "created": CREATED, "model": model}


def _calls(reply: Reply, identity: str) -> list[Object]:
    return [
        {
            "id": f"call_{identity[-16:]}_{number}",
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }
        for number, (name, arguments) in enumerate(reply.tool_calls)
    ]


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.tool_calls else "stop"
