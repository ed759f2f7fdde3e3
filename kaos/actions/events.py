"""Events: what the cluster tells about KAOS's resources and their pods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaos.actions.kinds import KINDS
from kaos.kube.resources import EVENTS

if TYPE_CHECKING:
    from kaos.cluster import Client

Object = dict[str, Any]


@dataclass(frozen=True)
class EventLine:
    """One event as a person reads it."""

    last: str  # a time
    type: str  # Normal or Warning
    reason: str
    object: str  # MCPServer/calculator
    namespace: str
    message: str
    count: int


def listed(client: Client, namespace: str | None) -> list[EventLine]:
    """What concerns KAOS, oldest first. Without a namespace: everywhere."""
    from kaos.actions.refusals import explained

    with explained(client, EVENTS):
        events = client.list(EVENTS, namespace).items
    return of_kaos(events)


def of_kaos(events: Iterable[Object]) -> list[EventLine]:
    """Those about KAOS's resources and what belongs to them, oldest first."""
    prefixes = tuple(f"{kind.title.lower()}-" for kind in KINDS)
    titles = {kind.title for kind in KINDS}
    mine = [
        event
        for event in events
        if event["involvedObject"].get("kind") in titles
        or str(event["involvedObject"].get("name", "")).startswith(prefixes)
    ]
    return lines(mine)


def about(client: Client, namespace: str, uids: Iterable[str]) -> list[EventLine]:
    """What concerns these objects, oldest first."""
    wanted = set(uids)
    from kaos.actions.refusals import explained

    with explained(client, EVENTS):
        events = client.list(EVENTS, namespace).items
    return lines(event for event in events if event["involvedObject"].get("uid") in wanted)


def lines(events: Iterable[Object]) -> list[EventLine]:
    return sorted((_line(event) for event in events), key=lambda line: line.last)


def _line(event: Object) -> EventLine:
    about, series = event["involvedObject"], event.get("series") or {}
    last = (
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event.get("firstTimestamp")
        or event["metadata"].get("creationTimestamp")
        or ""
    )
    return EventLine(
        last,
        event.get("type") or "Normal",
        event.get("reason") or "",
        f"{about.get('kind', '')}/{about.get('name', '')}",
        event["metadata"]["namespace"],
        (event.get("message") or "").strip(),
        series.get("count") or event.get("count") or 1,
    )
