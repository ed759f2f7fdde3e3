"""Printing logs: a prefix where several pods speak, notices beside them."""

from __future__ import annotations

import sys
from typing import Any

from kaos.actions.kinds import Kind
from kaos.actions.podlogs import Following, LogLine, Selection, past
from kaos.cli.output import say
from kaos.cluster import Client
from kaos.kube import sanitize


def print_logs(client: Client, kind: Kind, name: str, wanted: dict[str, Any]) -> None:
    """What the pods have said so far."""
    pods, lines = past(client, kind, name, client.namespace, Selection(**wanted))
    for line in lines:
        _print(line, pods > 1)


def follow_logs(client: Client, kind: Kind, name: str, wanted: dict[str, Any]) -> None:
    """What the pods say, until interrupted."""
    following = Following(client, kind, name, client.namespace, Selection(**wanted))
    for line in following.lines():
        _print(line, following.many)
        sys.stdout.flush()


def _print(line: LogLine, prefixed: bool) -> None:
    if line.notice:
        say(line.text)
        return
    prefix = f"[{line.pod}] " if prefixed else ""
    sys.stdout.write(f"{prefix}{sanitize.line(line.text)}\n")
