"""Waiting, for a person who looks on: a line that turns and says why. Without a terminal each trouble is told once."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from kaos.actions import waiting
from kaos.actions.kinds import Kind
from kaos.api.names import Reason
from kaos.cli.output import colourful, say
from kaos.cluster import Client
from kaos.kube import sanitize

Object = dict[str, Any]


def until_ready(client: Client, kind: Kind, name: str, namespace: str, timeout_s: float) -> None:
    """Wait and say that it is ready. Raises KaosError when it is not."""
    with _spinner(f"Waiting for {kind.title} {namespace}/{name}") as tell:
        obj = waiting.until_ready(
            client, kind, name, namespace, timeout_s,
            lambda obj: tell(waiting.state(obj) if waiting.is_answered(obj) else ""),
        )  # fmt: skip
    status = obj.get("status") or {}
    if not status.get("ready"):
        say(f"✓ {kind.title} {str(status.get('phase')).lower()}")
        return
    count = status.get("toolCount")
    tools = f" ({count} tool{'' if count == 1 else 's'})" if count is not None else ""
    say(f"✓ {kind.title} ready{tools}")


@contextlib.contextmanager
def _spinner(what: str) -> Iterator[Callable[[str], None]]:
    if not colourful(sys.stderr):
        yield _Lines()
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    with console.status(Text(what)) as status:
        room = console.width - len("⠋ ")

        def tell(state: str) -> None:
            text = Text(what + sanitize.line(state))
            text.truncate(room, overflow="ellipsis")
            status.update(text)

        yield tell


class _Lines:
    """What is told where no line can turn: each reason that a person should know of, when it comes up."""

    def __init__(self) -> None:
        self._told = {"", *map(str, (Reason.ROLLOUT_IN_PROGRESS, Reason.READY, Reason.SUSPENDED))}

    def __call__(self, state: str) -> None:
        reason = state.removeprefix(": ").partition(",")[0]
        if reason not in self._told:
            self._told.add(reason)
            say(f"  not ready{state}")
