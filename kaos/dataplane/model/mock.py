"""The mock model: what it answers, by rules that anybody can foresee.

1. Scripted responses, if there are any: one for each model call of a conversation, from its beginning.
2. `error STATUS` as the user's words: that HTTP status. `stall`: no answer.
3. `call TOOL {...}` as the user's words: that call.
4. Tools are offered and the user's words name one, or ask for a sum: a call with the words' numbers and texts.
5. Tools have answered: their answers in a sentence.
6. Otherwise the user's words again.

Everything it says begins with `mock:`, so that nobody takes it for a model.
"""

from __future__ import annotations

import json
import re
from typing import Any

from kaos.dataplane.model.openai import Failure, Reply, count, text_of

Object = dict[str, Any]

EXHAUSTED = "[no more mock responses]"
STALL = "stall"
_CALL = re.compile(r"\s*call\s+([\w.-]+)\s*(\{.*\})?\s*", re.DOTALL)
_ERROR = re.compile(r"\s*error\s+(\d{3})\s*")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])")
_QUOTED = re.compile(r"[\"'“]([^\"'”]+)[\"'”]")
_SUMS = {
    "add": re.compile(r"\d\s*(?:\+|plus)\s*-?\d|\b(?:add|sum)\b", re.IGNORECASE),
    "subtract": re.compile(r"\d\s*(?:-|minus)\s*\d|\b(?:subtract|difference)\b", re.IGNORECASE),
    "multiply": re.compile(r"\d\s*(?:\*|x|times)\s*-?\d|\b(?:multiply|product)\b", re.IGNORECASE),
    "divide": re.compile(r"\d\s*(?:/|divided by)\s*-?\d|\bdivide\b", re.IGNORECASE),
}
_FAILURES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
}


def reply(messages: list[Object], tools: list[Object], script: tuple[str, ...]) -> Reply:
    """What the mock says to this conversation. Raises Failure when asked to fail."""
    if script:
        return scripted(script, sum(1 for message in messages if message.get("role") == "assistant"))
    last = messages[-1] if messages else {}
    if last.get("role") == "tool":
        return Reply(f"mock: {_told(messages)}")
    words = text_of(last.get("content"))
    if found := _ERROR.fullmatch(words):
        status = int(found[1])
        headers = {"retry-after": "1"} if status == 429 else {}
        raise Failure(status, _FAILURES.get(status, "server_error"), "mock: asked to fail", headers)
    if found := _CALL.fullmatch(words):
        return _explicit(found[1], found[2])
    if call := _foreseen(words, tools):
        return Reply(tool_calls=(call,))
    return Reply(f"mock: {words}" if words else "mock: nothing was said")


def scripted(script: tuple[str, ...], turn: int) -> Reply:
    """The response of that turn. One that is JSON with `tool_calls` is a tool call."""
    if turn >= len(script):
        return Reply(EXHAUSTED)
    try:
        said = json.loads(script[turn])
        calls = said["tool_calls"] if isinstance(said, dict) else None
    except (ValueError, KeyError):
        calls = None
    if not isinstance(calls, list):
        return Reply(script[turn])
    wanted = tuple(
        (str(one["name"]), one.get("arguments") or {}) for one in calls if isinstance(one, dict) and "name" in one
    )
    return Reply(text_of(said.get("content")), wanted)


def prompt_tokens(messages: list[Object]) -> int:
    return sum(count(text_of(message.get("content"))) + 4 for message in messages)


def _explicit(name: str, arguments: str | None) -> Reply:
    try:
        return Reply(tool_calls=((name, json.loads(arguments or "{}")),))
    except ValueError:
        raise Failure(400, "invalid_request_error", f"mock: the arguments of call {name} are not JSON") from None


def _foreseen(words: str, tools: list[Object]) -> tuple[str, Object] | None:
    """The call that these words ask for, with arguments in the order in which they stand there."""
    for tool in tools:
        function = tool.get("function") or {}
        name = str(function.get("name", ""))
        own = re.split(r"__|\.", name)[-1]  # without a server's prefix
        named = re.search(rf"(?<![\w-]){re.escape(own)}(?![\w-])", words, re.IGNORECASE)
        if named or (own in _SUMS and _SUMS[own].search(words)):
            return name, _arguments(function.get("parameters") or {}, words)
    return None


def _arguments(schema: Object, words: str) -> Object:
    numbers = [json.loads(text) for text in _NUMBER.findall(words)]
    texts = _QUOTED.findall(words)
    found: Object = {}
    for name, field in (schema.get("properties") or {}).items():
        kind = field.get("type")
        if kind in ("integer", "number") and numbers:
            found[name] = numbers.pop(0)
        elif kind == "string" and (texts or name in (schema.get("required") or ())):
            found[name] = texts.pop(0) if texts else words
    return found


def _told(messages: list[Object]) -> str:
    """What the tools of the last turn have answered."""
    answers = []
    for message in reversed(messages):
        if message.get("role") != "tool":
            break
        answers.append(text_of(message.get("content")))
    told = " and ".join(reversed(answers))
    return f"the tool answered {told}" if len(answers) == 1 else f"the tools answered {told}"
