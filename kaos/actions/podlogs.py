"""Logs of a resource: those of all its pods, in the order of their times; following picks up pods as they come."""

from __future__ import annotations

import heapq
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from kaos.actions import resources
from kaos.actions.kinds import Kind
from kaos.actions.refusals import explain, explained
from kaos.actions.waiting import cure, state
from kaos.cluster import ApiError, Client
from kaos.errors import KaosError, NotFound, NotReady
from kaos.kube.resources import PODS

Object = dict[str, Any]
_WATCH_S = 300
_RECONNECT_S = 1.0


@dataclass(frozen=True)
class LogLine:
    """One line and the pod it comes from. A notice is about the pod, not from it."""

    pod: str
    text: str
    notice: bool = False


@dataclass(frozen=True)
class Selection:
    """Which part of the logs."""

    container: str
    previous: bool = False
    tail: int | None = None
    since_s: int | None = None
    timestamps: bool = False


def pods(client: Client, kind: Kind, name: str, namespace: str) -> list[Object]:
    """The pods of a resource, oldest first. Raises NotFound when the resource is not there."""
    with explained(client, PODS, "", namespace):
        found = client.list(PODS, namespace, labels=kind.selector(name)).items
    if not found:
        resources.get(client, kind, name, namespace)
    return sorted(found, key=lambda pod: pod["metadata"].get("creationTimestamp", ""))


def past(client: Client, kind: Kind, name: str, namespace: str, wanted: Selection) -> tuple[int, Iterator[LogLine]]:
    """How many pods there are, and their lines so far. Raises NotReady when there is no pod or none has begun."""
    found = pods(client, kind, name, namespace)
    if not found:
        obj = resources.get(client, kind, name, namespace)
        raise NotReady(f"{kind.title} {namespace}/{name} has no pods{state(obj)}.", cure(obj, kind))
    streams, refusals = [], []
    for pod in found:
        try:
            streams.append(_read(client, pod, namespace, wanted))
        except ApiError as refused:
            refusals.append(_explained(client, refused, pod, wanted))
    if not streams:
        raise refusals[0]
    notices = iter([LogLine("", refusal.cause, notice=True) for refusal in refusals])
    return len(found), _then(notices, _merged(streams, wanted))


def _then(first: Iterator[LogLine], second: Iterator[LogLine]) -> Iterator[LogLine]:
    yield from first
    yield from second


def _read(client: Client, pod: Object, namespace: str, wanted: Selection) -> Iterator[tuple[str, str, str]]:
    """Lines of one pod as (time, pod, text); fails at once when there is no log."""
    name = pod["metadata"]["name"]
    response = client.logs(
        name, namespace, container=wanted.container, previous=wanted.previous,
        tail=wanted.tail, since_s=wanted.since_s, timestamps=True,
    )  # fmt: skip

    def lines() -> Iterator[tuple[str, str, str]]:
        try:
            for line in response.lines():
                time, _, text = line.decode(errors="replace").partition(" ")
                yield time, name, text
        finally:
            response.close()

    return lines()


def _merged(streams: list[Iterator[tuple[str, str, str]]], wanted: Selection) -> Iterator[LogLine]:
    for time, pod, text in heapq.merge(*streams, key=lambda line: line[0]):
        yield LogLine(pod, f"{time} {text}" if wanted.timestamps else text)


def _explained(client: Client, refused: ApiError, pod: Object, wanted: Selection) -> KaosError:
    name = pod["metadata"]["name"]
    if "previous terminated container" in refused.message:
        return NotFound(f"Pod {name} has not restarted: there is no earlier log.", "Leave out --previous.")
    if "is waiting to start" in refused.message:
        return NotReady(f"Pod {name} has not begun: {refused.message.rpartition(': ')[2]}.", "")
    if "is not valid for pod" in refused.message or "container not found" in refused.message:
        containers = ", ".join(one["name"] for one in pod["spec"].get("containers") or ())
        return NotFound(f"Pod {name} has no container {wanted.container}.", f"It has: {containers}")
    return explain(refused, client, PODS, name)


class Following:
    """Lines of all pods as they are written, those of pods to come included. Ends only with the caller."""

    def __init__(self, client: Client, kind: Kind, name: str, namespace: str, wanted: Selection) -> None:
        self._client = client
        self._kind = kind
        self._name = name
        self._namespace = namespace
        self._wanted = wanted
        self._lines: queue.SimpleQueue[LogLine | KaosError] = queue.SimpleQueue()
        self._known: set[tuple[str, str]] = set()  # what is read: uid of the pod, id of the container
        self._names: set[str] = set()

    @property
    def many(self) -> bool:
        """Whether lines of more than one pod have been read."""
        return len(self._names) > 1

    def lines(self) -> Iterator[LogLine]:
        """Raises NotFound when the resource is not there, or once it is deleted."""
        first = pods(self._client, self._kind, self._name, self._namespace)
        if not first:
            self._lines.put(LogLine("", "No pod yet; waiting for one.", notice=True))
        for pod in first:
            self._begin(pod, self._wanted)
        threading.Thread(target=self._watch, daemon=True).start()
        while True:
            line = self._lines.get()
            if isinstance(line, KaosError):
                raise line
            yield line

    def _watch(self) -> None:
        """Begin to read every pod that starts to run, and every container that is started again."""
        client = Client(self._client.connection)
        whole = replace(self._wanted, tail=None, since_s=None)
        pause = threading.Event()
        while True:
            try:
                listed = client.list(PODS, self._namespace, labels=self._kind.selector(self._name))
                if not listed.items:
                    resources.get(client, self._kind, self._name, self._namespace)
                for pod in listed.items:
                    self._begin(pod, whole)
                version = listed.resource_version
                for event in client.watch(
                    PODS, self._namespace, None, self._kind.selector(self._name), version, _WATCH_S
                ):
                    if event.type in ("ADDED", "MODIFIED"):
                        self._begin(event.object, whole)
                    elif event.type == "DELETED":
                        resources.get(client, self._kind, self._name, self._namespace)
            except NotFound as gone:
                self._lines.put(gone)
                return
            except NotReady:
                continue  # the watch was silent for its whole time
            except KaosError:
                pause.wait(_RECONNECT_S)  # the API server restarts, perhaps

    def _begin(self, pod: Object, wanted: Selection) -> None:
        statuses = (pod.get("status") or {}).get("containerStatuses") or ()
        container = next((one for one in statuses if one["name"] == wanted.container), None)
        runs = container and ("running" in container["state"] or "terminated" in container["state"])
        if not runs:
            return
        life = (pod["metadata"]["uid"], container.get("containerID", ""))
        if life in self._known:
            return
        self._known.add(life)
        self._names.add(pod["metadata"]["name"])
        threading.Thread(target=self._read, args=(pod["metadata"]["name"], wanted), daemon=True).start()

    def _read(self, pod: str, wanted: Selection) -> None:
        client = Client(self._client.connection)
        try:
            response = client.logs(
                pod, self._namespace, container=wanted.container, follow=True, tail=wanted.tail,
                since_s=wanted.since_s, timestamps=wanted.timestamps,
            )  # fmt: skip
            for line in response.lines():
                self._lines.put(LogLine(pod, line.decode(errors="replace")))
        except KaosError as error:
            if isinstance(error, ApiError) and error.code == 403:  # it would be refused for ever
                self._lines.put(explain(error, client, PODS, pod))
            else:
                self._lines.put(LogLine(pod, error.cause, notice=True))
