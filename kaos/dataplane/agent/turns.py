"""What goes through the agent: a question, the steps on the way, and the end of the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """A question to the agent."""

    session_id: str
    messages: list[Object]  # of the caller, OpenAI's shape
    path: tuple[str, ...] = ()  # the agents that it came through
    options: Object = field(default_factory=dict)  # of the model: temperature and the like
    tools: bool = True


@dataclass(frozen=True)
class Step:
    """A call of a tool or peer: before (`result` None) and after."""

    kind: str  # tool_call or delegation
    name: str
    arguments: Object
    identity: str
    result: str | None = None
    failed: bool = False
    seconds: float = 0.0

    def described(self) -> Object:
        """As callers see it."""
        return {key: value for key, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Finished:
    """The end of the answer."""

    text: str
    reason: str  # OpenAI's finish_reason: stop, length, content_filter
    usage: Object
    steps: tuple[Step, ...] = ()


class Gone(Exception):
    """The caller does not listen any longer."""


# Told of each piece of text and each step as it comes. Raises Gone.
Emit = Callable[[str | Step], Awaitable[None]]


class ToolFailed(Exception):
    """A call of a tool or peer did not go well; the model is told the text."""
