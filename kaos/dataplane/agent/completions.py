"""What a model answers, read without I/O: a chat completion, or the chunks of one. Every oddity is a Failure."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from kaos.dataplane.model.openai import Failure

Object = dict[str, Any]

ANSWER_LIMIT = 1024 * 1024  # characters of text and of arguments; nobody reads more
CALLS_LIMIT = 128
USAGE = ("prompt_tokens", "completion_tokens", "total_tokens")


@dataclass
class Said:
    """What the model has said in one call."""

    text: str = ""
    tool_calls: list[Object] = field(default_factory=list)  # OpenAI's shape, arguments as JSON text
    usage: dict[str, int] = field(default_factory=dict)
    finish: str = "stop"

    def message(self) -> Object:
        """As it goes back to the model in the next call."""
        calls = {"tool_calls": self.tool_calls} if self.tool_calls else {}
        return {"role": "assistant", "content": self.text or None, **calls}


def whole(body: bytes) -> Said:
    """Raises Failure."""
    try:
        answer = _object(json.loads(body))
        if answer.get("error"):
            raise _told(answer["error"])
        choice = _object(answer["choices"][0])
        message = _object(choice["message"])
        text = _text(message.get("content")) or _text(message.get("refusal"))
        calls = _calls([_object(call) for call in message.get("tool_calls") or ()])
        return Said(text[:ANSWER_LIMIT], calls, usage_of(answer), _finish(choice, len(text) > ANSWER_LIMIT))
    except (ValueError, LookupError, TypeError, RecursionError):
        raise _no_completion() from None


class Chunks:
    """A completion as it comes, chunk by chunk."""

    def __init__(self) -> None:
        self.complete = False  # the model has said that it has finished
        self.cut = False  # it goes on for longer than anybody will read
        self._text: list[str] = []
        self._calls: dict[Any, Object] = {}
        self._size = 0
        self._usage: dict[str, int] = {}
        self._finish = "stop"

    def take(self, data: bytes) -> str:
        """Note the data of one event; returns the text in it. Raises Failure."""
        if data.strip() == b"[DONE]":
            self.complete = self.complete or bool(self._text or self._calls)
            return ""
        try:
            chunk = _object(json.loads(data))
            if chunk.get("error"):
                raise _told(chunk["error"])
            self._usage = usage_of(chunk) or self._usage
            choices = chunk.get("choices") or ()
            if not choices:
                return ""
            choice = _object(choices[0])
            delta = _object(choice.get("delta") or {})
            text = _text(delta.get("content")) or _text(delta.get("refusal"))
            for part in delta.get("tool_calls") or ():
                self._add_call(_object(part))
            if choice.get("finish_reason"):
                self.complete, self._finish = True, _finish(choice)
        except (ValueError, LookupError, TypeError, RecursionError):
            raise _no_completion() from None
        self._size += len(text)
        if text:
            self._text.append(text)
        self.cut = self._size > ANSWER_LIMIT
        return text

    def said(self) -> Said:
        """All of it. Raises Failure when the model broke off."""
        text = "".join(self._text)
        if self.cut:
            return Said(text, [], self._usage, "length")
        if not self.complete:
            raise Failure(502, "server_error", "the model ended its answer before it was complete", code="model_cut")
        return Said(text, _calls(list(self._calls.values())), self._usage, self._finish)

    def _add_call(self, part: Object) -> None:
        """A call comes in pieces that belong together by index; some providers give none, and whole calls."""
        index = part.get("index")
        if index is None:
            index = part.get("id") or next(reversed(self._calls), 0)
        if index not in self._calls:
            self._calls[index] = {"id": None, "function": {"name": "", "arguments": ""}}
        call, function = self._calls[index], _object(part.get("function") or {})
        call["id"] = part.get("id") or call["id"]
        for key in ("name", "arguments"):
            piece = function.get(key) or ""
            call["function"][key] += piece if isinstance(piece, str) else json.dumps(piece)
            self._size += len(piece)


def usage_of(answer: Object) -> dict[str, int]:
    """The figures that make sense."""
    found = answer.get("usage")
    if not isinstance(found, dict):
        return {}
    counted = {key: found.get(key) for key in USAGE}
    return {key: value for key, value in counted.items() if type(value) is int and value >= 0}


def _calls(found: list[Object]) -> list[Object]:
    """The calls in the shape in which they go back, each with an id of its own."""
    if len(found) > CALLS_LIMIT:
        raise Failure(
            502, "server_error", f"the model wants more than {CALLS_LIMIT} calls at once", code="model_answer"
        )
    calls, taken = [], set()
    for call in found:
        function = _object(call["function"])
        name, arguments = function["name"], function.get("arguments") or "{}"
        if not isinstance(name, str) or not name:
            raise TypeError
        arguments = arguments if isinstance(arguments, str) else json.dumps(arguments)
        identity = call.get("id")
        if not isinstance(identity, str) or not identity or identity in taken:
            identity = f"call_{uuid.uuid4().hex[:16]}"
        taken.add(identity)
        calls.append({"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}})
    return calls


def _text(content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return "".join(_object(part).get("text") or "" for part in content)


def _finish(choice: Object, cut: bool = False) -> str:
    reason = choice.get("finish_reason")
    return "length" if cut else reason if reason in ("length", "content_filter") else "stop"


def _object(value: Any) -> Object:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _told(error: Any) -> Failure:
    """The provider's own words, in an answer that began well."""
    error = error if isinstance(error, dict) else {"message": error}
    busy = error.get("code") in (429, "429", "rate_limit_exceeded")
    kind = "rate_limit_error" if busy else "server_error"
    return Failure(429 if busy else 502, kind, f"model: {error.get('message') or error}"[:2000], code="model_error")


def _no_completion() -> Failure:
    return Failure(502, "server_error", "the model's answer is no chat completion", code="model_answer")
