"""What a server asks back while it works on a request: values of a form, a visit to a page, the words of a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from kaos.mcp.wire import McpError

Object = dict[str, Any]

# What a client says of itself that can put questions to somebody.
CAPABILITIES: Object = {"elicitation": {"form": {}, "url": {}}, "sampling": {}}
DECLINED = -1  # the specification's example of a code
_ELICITATION, _SAMPLING = "elicitation/create", "sampling/createMessage"


class Decision(Enum):
    """What somebody makes of a question. To cancel is to leave it open: neither yes nor no."""

    ACCEPT = "accept"
    DECLINE = "decline"
    CANCEL = "cancel"


@dataclass(frozen=True)
class Reply:
    """The answer to a question. Content: the values of the form, or the text in place of a model's."""

    decision: Decision
    content: Object | str | None = None


class Declined(McpError):
    """The server wanted words of a model, and got none. There is no other way to say so."""

    def __init__(self, question: Question) -> None:
        super().__init__(f"its question was declined: {question.message}", "")


@dataclass(frozen=True)
class Question:
    """One question of a server. All of it is the server's own words."""

    method: str
    params: Object

    @property
    def wants_text(self) -> bool:
        """Whether it asks for what a model would say (sampling)."""
        return self.method == _SAMPLING

    @property
    def message(self) -> str:
        """What it asks. Of a model: who said what so far, below its instructions."""
        if not self.wants_text:
            return str(self.params.get("message") or "It asks without a word.")
        told = [str(self.params["systemPrompt"])] if self.params.get("systemPrompt") else []
        messages = self.params.get("messages")
        for one in messages if isinstance(messages, list) else ():
            if isinstance(one, dict):
                told.append(f"{one.get('role')}: {_text(one.get('content'))}")
        return "\n".join(told) or "It asks without a word."

    @property
    def url(self) -> str | None:
        """The page where it is to be answered, if not here."""
        return str(self.params.get("url") or "") if self.params.get("mode") == "url" else None

    @property
    def schema(self) -> Object:
        """Of the values it asks for."""
        found = self.params.get("requestedSchema")
        return found if isinstance(found, dict) and not self.wants_text and self.url is None else {"type": "object"}

    def result(self, reply: Reply) -> Object:
        """The reply as the protocol has it. Raises Declined."""
        if not self.wants_text:
            takes_values = reply.decision is Decision.ACCEPT and self.url is None
            return {"action": reply.decision.value} | ({"content": reply.content or {}} if takes_values else {})
        if reply.decision is not Decision.ACCEPT:
            raise Declined(self)
        content = {"type": "text", "text": str(reply.content or "")}
        return {"role": "assistant", "content": content, "model": "person", "stopReason": "endTurn"}


Ask = Callable[[Question], Reply]


def question_of(message: Any) -> Question | None:
    """The question that a request of the server's is; None for every other request."""
    if not isinstance(message, dict) or message.get("method") not in (_ELICITATION, _SAMPLING):
        return None
    params = message.get("params")
    return Question(message["method"], params if isinstance(params, dict) else {})


def _text(content: Any) -> str:
    parts = content if isinstance(content, list) else [content]
    return " ".join(str(one.get("text", f"[{one.get('type')}]")) for one in parts if isinstance(one, dict))
