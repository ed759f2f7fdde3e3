"""Logs of resources: those of all their pods, in the order of their times. `following` goes on where this ends."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kaos.actions import resources
from kaos.actions.health import parse_ref
from kaos.actions.kinds import Kind
from kaos.actions.refusals import explain, explained
from kaos.actions.waiting import cure, state
from kaos.cluster import ApiError, Client, requests
from kaos.cluster.client import READ_TIMEOUT_S, OnSent
from kaos.cluster.transport import Response
from kaos.errors import KaosError, NotFound, NotReady
from kaos.kube import sanitize
from kaos.kube.resources import PODS

Object = dict[str, Any]
_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")


class LogLine(NamedTuple):
    """One line and the pod it comes from. A notice is about the pod, not from it."""

    pod: str
    text: str
    time: str = ""  # as whoever runs the pod wrote it: RFC 3339
    notice: bool = False
    source: str = ""  # the label of the source


@dataclass(frozen=True)
class Selection:
    """Which part of the logs."""

    container: str | None = None  # of the pods; None: the one that does the work
    pod: str | None = None  # only this one
    previous: bool = False
    tail: int | None = None
    since_s: int | None = None
    since_time: str | None = None


@dataclass(frozen=True)
class PodsOf:
    """A source of logs: the pods of one resource, or others that a selector names."""

    label: str  # mcp/calculator
    namespace: str
    selector: str
    container: str | None = None
    kind: Kind | None = None
    name: str = ""

    @classmethod
    def resource(cls, kind: Kind, name: str, namespace: str) -> PodsOf:
        return cls(f"{kind.command}/{name}", namespace, kind.selector(name), kind.container, kind, name)

    def check(self, client: Client) -> Object | None:
        """The resource. Raises NotFound when it is not there (any more)."""
        return resources.get(client, self.kind, self.name, self.namespace) if self.kind else None

    def container_of(self, pod: Object, wanted: Selection) -> str:
        return wanted.container or self.container or pod["spec"]["containers"][0]["name"]


@dataclass(frozen=True)
class LogFile:
    """A source of logs that is a file on this machine: what a daemon writes."""

    label: str
    path: str
    loggers: tuple[str, ...]  # whose lines are wanted


Source = PodsOf | LogFile


def sources_of(words: Iterable[str], namespace: str) -> list[PodsOf]:
    """What `KIND/NAME` names, each once. Raises UsageError."""
    refs = [parse_ref(word, namespace) for word in dict.fromkeys(words)]
    return list(dict.fromkeys(PodsOf.resource(ref.handler, ref.name, namespace) for ref in refs))


def pods(client: Client, source: PodsOf, wanted: Selection) -> list[Object]:
    """The pods of a source, oldest first. Raises NotFound when the resource, or the one pod wanted, is not there."""
    with explained(client, PODS, "", source.namespace):
        found = client.list(PODS, source.namespace, labels=source.selector).items
    if not found:
        source.check(client)
    elif wanted.pod:
        names = [pod["metadata"]["name"] for pod in found]
        if wanted.pod not in names:
            raise NotFound(f"{source.label} has no pod {wanted.pod}.", f"It has: {', '.join(names)}")
        found = [pod for pod in found if pod["metadata"]["name"] == wanted.pod]
    return sorted(found, key=lambda pod: pod["metadata"].get("creationTimestamp", ""))


def past(client: Client, sources: Sequence[Source], wanted: Selection) -> tuple[int, Iterator[LogLine]]:
    """From how many places they come, and the lines so far. Raises NotReady when there is no pod or none has begun."""
    from kaos.actions.operatorlogs import file_lines

    streams: list[Iterator[LogLine]] = []
    refusals: list[KaosError] = []
    for source in sources:
        if isinstance(source, LogFile):
            if wanted.previous:
                raise NotFound("The local daemon keeps one log: there is no earlier one.", "Leave out --previous.")
            streams.append(file_lines(source, wanted))
            continue
        found = pods(client, source, wanted)
        if not found:
            refusals.append(_without_pods(client, source))
        for pod in found:
            try:
                streams.append(read(client, source, pod, wanted))
            except ApiError as refused:
                refusals.append(explain_log(client, refused, source, pod, wanted))
    if not streams:
        raise refusals[0]
    notices = iter([LogLine("", refusal.cause, notice=True) for refusal in refusals])
    return len(streams), _then(notices, heapq.merge(*streams, key=lambda line: line.time))


def _without_pods(client: Client, source: PodsOf) -> NotReady:
    obj = source.check(client)
    if obj is None or source.kind is None:
        return NotReady(f"The {source.label} has no pods in namespace {source.namespace}.", "See: kaos system status")
    what = f"{source.kind.title} {source.namespace}/{source.name}"
    return NotReady(f"{what} has no pods{state(obj)}.", cure(obj, source.kind))


def _then(first: Iterator[LogLine], second: Iterator[LogLine]) -> Iterator[LogLine]:
    yield from first
    yield from second


def read(client: Client, source: PodsOf, pod: Object, wanted: Selection) -> Iterator[LogLine]:
    """Lines of one pod; fails at once when there is no log."""
    name = pod["metadata"]["name"]
    response = open_log(client, source, pod, wanted)

    def lines() -> Iterator[LogLine]:
        try:
            for line in response.lines():
                yield line_of(line, name, source.label)
        finally:
            response.close()

    return lines()


def open_log(
    client: Client,
    source: PodsOf,
    pod: Object,
    wanted: Selection,
    follow: bool = False,
    on_sent: OnSent | None = None,
) -> Response:
    """The log of a pod with the time of each line. Raises ApiError."""
    query = {
        "container": source.container_of(pod, wanted), "follow": follow, "previous": wanted.previous,
        "tailLines": wanted.tail, "sinceSeconds": wanted.since_s, "sinceTime": wanted.since_time, "timestamps": True,
    }  # fmt: skip
    path = requests.path_of(PODS, source.namespace, pod["metadata"]["name"], "log")
    timeout_s = None if follow else READ_TIMEOUT_S
    return client.request("GET", requests.with_query(path, **query), timeout_s=timeout_s, on_sent=on_sent)


def line_of(raw: bytes, pod: str, label: str) -> LogLine:
    """A line as the API server sends it, with its time before it."""
    time, _, text = raw.decode(errors="replace").partition(" ")
    return LogLine(pod, text, time, False, label)


def explain_log(client: Client, refused: ApiError, source: PodsOf, pod: Object, wanted: Selection) -> KaosError:
    """Why there is no log to read."""
    name = pod["metadata"]["name"]
    if "previous terminated container" in refused.message:
        return NotFound(f"Pod {name} has not restarted: there is no earlier log.", "Leave out --previous.")
    if "is waiting to start" in refused.message:
        return NotReady(f"Pod {name} has not begun: {refused.message.rpartition(': ')[2]}.", "")
    if "is not valid for pod" in refused.message or "container not found" in refused.message:
        containers = ", ".join(one["name"] for one in pod["spec"].get("containers") or ())
        cause = f"Pod {name} has no container {source.container_of(pod, wanted)}."
        return NotFound(cause, f"It has: {containers}")
    return explain(refused, client, PODS, name)


def shown(text: str) -> str:
    """A line as a terminal may show it: without colours of its own, and with nothing that steers."""
    return sanitize.text(_COLOURS.sub("", text) if "\x1b" in text else text)
