"""Waiting, for a person who looks on: a line that turns and says why. Without a terminal nothing is shown."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from kaos.actions import waiting
from kaos.actions.kinds import Kind
from kaos.cli.output import colourful, say
from kaos.cluster import Client
from kaos.kube import sanitize

Object = dict[str, Any]


def until_ready(client: Client, kind: Kind, name: str, namespace: str, timeout_s: float) -> None:
    """Wait and say that it is ready. Raises KaosError when it is not."""
    with _spinner(f"Waiting for {kind.title} {namespace}/{name}") as tell:
        obj = waiting.until_ready(client, kind, name, namespace, timeout_s, lambda obj: tell(waiting.state(obj)))
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
        yield lambda state: None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text(what)) as status:
        yield lambda state: status.update(Text(what + sanitize.line(state)))
