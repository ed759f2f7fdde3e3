"""The mock model: what it answers, by rules that anybody can foresee. The first that applies counts.

1. Scripted responses, if there are any: one for each model call of a conversation, from its beginning.
2. Tools have answered: what they said.
3. `error STATUS` as the user's words: that HTTP status, from 400 to 599. `stall`: an answer that does not come.
4. `call TOOL {...}` as the user's words: that call; several, each on a line of its own: parallel calls.
5. Tools are offered, and the words ask for one by the plain rules of `wishes`: a call.
6. Otherwise the words again.

What it says by rule begins with `mock:`, so that nobody takes it for a model.
"""

from __future__ import annotations

import json
import re
from typing import Any

from kaos.dataplane.model import wishes
from kaos.dataplane.model.openai import Failure, Reply, count, invalid, text_of

Object = dict[str, Any]

EXHAUSTED = "[no more mock responses]"
STALL = "stall"
_CALL = re.compile(r"\s*call\s+([\w.-]+)[ \t]*")
_ERROR = re.compile(r"error\s+([45]\d\d)")
_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def reply(
    messages: list[Object], functions: list[Object], script: tuple[str, ...], insist: bool = False
) -> Reply | None:
    """What the mock says to this conversation: a call in any case if the caller insists; None is nothing, for ever.

    Raises Failure when it is asked to.
    """
    if script:
        return scripted(script, sum(1 for message in messages if message.get("role") == "assistant"))
    if messages[-1].get("role") == "tool":
        return Reply(f"mock: {_told(messages)}")
    words = words_of(messages)
    if words == STALL:
        return None
    if found := _ERROR.fullmatch(words):
        raise failure(int(found[1]))
    if calls := _explicit(words, functions):
        return Reply(tool_calls=calls)
    wish = wishes.any_call(words, functions) if insist and functions else wishes.wished(words, functions)
    if wish:
        return Reply(tool_calls=((wish[0], json.dumps(wish[1])),))
    return Reply(f"mock: {words}" if words else "mock: nothing was said")


def words_of(messages: list[Object]) -> str:
    """What the user said last."""
    said = next((one for one in reversed(messages) if one.get("role") == "user"), {})
    return text_of(said.get("content")).strip()


def scripted(script: tuple[str, ...], turn: int) -> Reply:
    """The response of that turn. One that is JSON with `tool_calls` is a tool call."""
    if turn >= len(script):
        return Reply(EXHAUSTED)
    try:
        said = json.loads(script[turn])
        calls = said["tool_calls"]
        wanted = tuple((str(one["name"]), _as_text(one.get("arguments"))) for one in calls)
    except (ValueError, LookupError, TypeError, AttributeError):
        return Reply(script[turn])
    return Reply(text_of(said.get("content")), wanted)


def failure(status: int) -> Failure:
    """The failure that was asked for."""
    headers = {"retry-after": "1"} if status == 429 else {}
    kind = _KINDS.get(status, "invalid_request_error" if status < 500 else "server_error")
    return Failure(status, kind, f"mock: asked to fail with {status}", headers)


def prompt_tokens(messages: list[Object]) -> int:
    """Four for each message, and its text."""
    return sum(count(text_of(message.get("content"))) + 4 for message in messages)


def _as_text(arguments: Any) -> str:
    """Arguments as a model gives them; a text stays as it is, even where it is no JSON."""
    return arguments if isinstance(arguments, str) else json.dumps(arguments or {})


def _explicit(words: str, functions: list[Object]) -> tuple[tuple[str, str], ...]:
    """The calls that the words spell out; none when they are anything else. Raises Failure for broken arguments."""
    calls, at = [], 0
    while at < len(words):
        found = _CALL.match(words, at)
        if not found:
            return ()
        name, at, arguments = found[1], found.end(), {}
        if given := words.startswith("{", at):
            try:
                arguments, at = json.JSONDecoder().raw_decode(words, at)
            except (ValueError, RecursionError):
                raise invalid(f"mock: the arguments of call {name} are not JSON") from None
        known = wishes.offered(name, functions)
        if not (given or known):  # "call mum" is no call
            return ()
        calls.append((known or name, json.dumps(arguments)))
    return tuple(calls)


def _told(messages: list[Object]) -> str:
    """What the tools of the last turn have answered."""
    answers: list[str] = []
    for message in reversed(messages):
        if message.get("role") != "tool":
            break
        answers.insert(0, text_of(message.get("content")))
    return f"the tool{'s' * (len(answers) > 1)} answered {' and '.join(answers)}"
