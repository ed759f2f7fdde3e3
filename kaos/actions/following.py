"""Logs as they are written: of all pods of some resources, those to come included, through restarts of pods and
of the API server. Threads read; whoever shows the lines takes them. When nobody takes any, the readers wait, and with
them the servers: nothing is lost and nothing piles up.
"""

from __future__ import annotations

import contextlib
import heapq
import queue
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kaos.actions import operatorlogs
from kaos.actions.podlogs import (
    LogFile,
    LogLine,
    PodsOf,
    Selection,
    Source,
    explain_log,
    line_of,
    open_log,
    pods,
    read,
)  # fmt: skip
from kaos.cluster import ApiError, Client
from kaos.errors import KaosError, NoConnection, NotFound, NotReady
from kaos.kube.resources import PODS

Object = dict[str, Any]
_WATCH_S = 60  # one that nobody waits for any more ends then
_RECONNECT_S = 1.0
_BATCHES = 64  # that wait to be taken
_BATCH = 500  # lines of those that were there before


@dataclass
class _Life:
    """One life of a container, and how far it has been read."""

    source: PodsOf
    pod: Object
    container: str  # its id
    last: str = ""  # time of the last line
    at_last: int = 0  # how many lines of that time

    @property
    def name(self) -> str:
        return self.pod["metadata"]["name"]

    @property
    def key(self) -> tuple[str, str]:
        return self.pod["metadata"]["uid"], self.container

    def note(self, time: str) -> None:
        self.at_last = self.at_last + 1 if time == self.last else 1
        self.last = time


class Following:
    """Ends only with `close`, or with the error that `take` and `batches` raise: no right, or all resources gone."""

    def __init__(
        self,
        client: Client,
        sources: Sequence[Source],
        wanted: Selection,
        on_news: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_news` is called by the readers whenever there is something to take."""
        self._connection = client.connection
        self._sources = sources
        self._wanted = wanted
        self._on_news = on_news
        self._batches: queue.Queue[list[LogLine] | KaosError] = queue.Queue(_BATCHES)
        self._known: set[tuple[str, str]] = set()
        self._names: set[str] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._lost = False
        self._failure: KaosError | None = None
        self._gone = 0  # sources whose resource does not exist any more
        self._sockets: set[socket.socket] = set()

    @property
    def many(self) -> bool:
        """Whether lines of more than one pod have been read."""
        return len(self._names) > 1

    @property
    def lost(self) -> bool:
        """Whether the API server does not answer at present."""
        return self._lost

    def begin(self) -> None:
        """Start to read. Raises NotFound when a resource is not there."""
        client = Client(self._connection)
        first: list[_Life] = []
        empty: list[str] = []
        for source in self._sources:
            if isinstance(source, LogFile):
                self._names.add(source.label)
                self._start(self._read_file, source)
                continue
            found = pods(client, source, self._wanted)
            if not found:
                empty.append(source.label)
            first += filter(None, (self._new_life(source, pod) for pod in found))
        self._start(self._read_first, first, empty)

    def batches(self) -> Iterator[list[LogLine]]:
        """Lines as they come, for ever. Raises what `begin` raises, and NotFound once every resource is deleted."""
        self.begin()
        while True:
            batch = self._batches.get()
            if not batch and self._failure:
                raise self._failure
            yield batch

    def take(self, at_most: int) -> list[LogLine]:
        """What has come, about so many lines; does not wait. Raises the error that ended it."""
        taken: list[LogLine] = []
        with contextlib.suppress(queue.Empty):
            while len(taken) < at_most:
                taken += self._batches.get_nowait()
        if self._failure:
            if not taken:
                raise self._failure
            self._on_news()  # the error is still to be taken
        return taken

    def close(self) -> None:
        """End all readers, wherever they wait."""
        self._ended.set()
        with self._lock:
            for one in self._sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    # What readers put.

    def _put(self, batch: list[LogLine]) -> None:
        """Wait until there is room for it."""
        while not self._ended.is_set():
            with contextlib.suppress(queue.Full):
                self._batches.put(batch, timeout=_RECONNECT_S)
                self._on_news()
                return

    def _tell(self, text: str, pod: str = "") -> None:
        self._put([LogLine(pod, text, notice=True)])

    def _fail(self, error: KaosError) -> None:
        self._failure = error
        self._put([])

    def _answers(self, error: KaosError | None) -> None:
        """Whether the API server answered just now; told when that changes."""
        with self._lock:
            changed, self._lost = self._lost != (error is not None), error is not None
        if changed and error is not None:
            self._tell(f"{error.cause} Trying again until it answers.")
        elif changed:
            self._tell("The API server answers again.")

    # Readers, each on a thread of its own.

    def _start(self, reader: Callable[..., None], *given: Any) -> None:
        threading.Thread(target=reader, args=given, daemon=True, name="logs").start()

    def _read_file(self, source: LogFile) -> None:
        for batch in operatorlogs.followed_lines(source, self._wanted, self._ended):
            if batch:
                self._put(batch)

    def _read_first(self, lives: list[_Life], empty: list[str]) -> None:
        """What several pods have said so far in the order of time; then each goes on by itself."""
        for label in empty:
            self._tell(f"{label} has no pod yet; waiting for one.")
        if len(lives) > 1:
            client = Client(self._connection)
            streams = []
            for life in lives:
                with contextlib.suppress(KaosError):  # its reader will tell
                    streams.append(self._noted(life, read(client, life.source, life.pod, self._wanted)))
            batch: list[LogLine] = []
            with contextlib.suppress(KaosError):
                for line in heapq.merge(*streams, key=lambda line: line.time):
                    batch.append(line)
                    if len(batch) == _BATCH:
                        self._put(batch)
                        batch = []
            self._put(batch)
        for life in lives:
            self._start(self._read, life, self._wanted)
        for source in self._sources:
            if isinstance(source, PodsOf):
                self._start(self._watch, source)

    def _noted(self, life: _Life, lines: Iterator[LogLine]) -> Iterator[LogLine]:
        for line in lines:
            life.note(line.time)
            yield line

    def _watch(self, source: PodsOf) -> None:
        """Begin to read every pod that starts to run, and every container that is started again."""
        client = Client(self._connection)
        whole = replace(self._wanted, tail=None, since_s=None)

        def begin(pod: Object) -> None:
            if life := self._new_life(source, pod):
                self._start(self._read, life, whole)

        while not self._ended.is_set():
            try:
                listed = client.list(PODS, source.namespace, labels=source.selector)
                self._answers(None)
                if not listed.items:
                    source.check(client)
                for pod in listed.items:
                    begin(pod)
                version = listed.resource_version
                for event in client.watch(PODS, source.namespace, None, source.selector, version, _WATCH_S):
                    if self._ended.is_set():
                        return
                    if event.type in ("ADDED", "MODIFIED"):
                        begin(event.object)
                    elif event.type == "DELETED":
                        source.check(client)
            except NotFound as gone:
                self._forget(gone)
                return
            except NotReady:
                continue  # the watch was silent for its whole time
            except KaosError as error:
                if isinstance(error, NoConnection):
                    self._answers(error)
                self._ended.wait(_RECONNECT_S)

    def _forget(self, gone: NotFound) -> None:
        with self._lock:
            self._gone += 1
        if self._gone == len(self._sources):
            self._fail(gone)
        else:
            self._tell(gone.cause)

    def _new_life(self, source: PodsOf, pod: Object) -> _Life | None:
        """The life of a pod's container, unless it is read already or has not begun."""
        if self._wanted.pod not in (None, pod["metadata"]["name"]):
            return None
        container = _running(source, pod, self._wanted)
        if container is None:
            return None
        life = _Life(source, pod, container)
        with self._lock:
            if life.key in self._known:
                return None
            self._known.add(life.key)
            self._names.add(life.name)
        return life

    def _read(self, life: _Life, wanted: Selection) -> None:
        """Read one life of a container to its end, however often the connection is cut."""
        client = Client(self._connection)
        while not self._ended.is_set():
            cut = False
            try:
                self._read_on(client, life, replace(wanted, tail=None, since_s=None) if life.last else wanted)
            except ApiError as refused:
                told = explain_log(client, refused, life.source, life.pod, self._wanted)
                if refused.code == 403:  # it would be refused for ever
                    self._fail(told)
                else:
                    self._tell(told.cause, life.name)
                return
            except (KaosError, OSError):
                cut = True
            over = self._over(client, life, cut)
            if over is not None:
                self._tell(over, life.name)
                return
            self._ended.wait(_RECONNECT_S)

    def _read_on(self, client: Client, life: _Life, wanted: Selection) -> None:
        """From where it has been read to; ends when the server ends it."""
        wanted = replace(wanted, since_time=life.last or None)
        opened: list[socket.socket] = []
        response = open_log(client, life.source, life.pod, wanted, True, lambda one: self._opened(one, opened))
        try:
            before, skipped = life.last, life.at_last
            for raw in _whole_lines(response.chunks()):
                batch = [line_of(line, life.name, life.source.label) for line in raw]
                if before:  # the server begins with the second, so some are known already
                    batch, skipped = _after(batch, before, skipped)
                    if batch and batch[-1].time > before:
                        before = ""
                for line in batch:
                    life.note(line.time)
                if batch:
                    self._put(batch)
                if self._ended.is_set():
                    return
        finally:
            with self._lock:
                self._sockets.difference_update(opened)
            response.close()

    def _opened(self, one: socket.socket, opened: list[socket.socket]) -> None:
        opened.append(one)
        with self._lock:
            self._sockets.add(one)
            if self._ended.is_set():  # `close` came before
                one.shutdown(socket.SHUT_RDWR)

    def _over(self, client: Client, life: _Life, cut: bool) -> str | None:
        """How this life ended; None while there is more of it to read. Asks until the API server answers."""
        while not self._ended.is_set():
            try:
                pod = client.find(PODS, life.name, life.source.namespace)
            except ApiError as refused:
                return f"Pod {life.name}: {refused.cause}"
            except KaosError as error:
                self._answers(error)
                self._ended.wait(_RECONNECT_S)
                continue
            self._answers(None)
            if pod is None:
                return f"Pod {life.name} is gone."
            status = _status(life.source, pod, self._wanted)
            if status.get("containerID", "") == life.container and (cut or "running" in status["state"]):
                return None
            states = (status["state"], status.get("lastState") or {})
            ends = [one["terminated"] for one in states if "terminated" in one]
            mine = next((one for one in ends if one.get("containerID", life.container) == life.container), {})
            code = f" with code {mine['exitCode']}" if "exitCode" in mine else ""
            return f"Pod {life.name} ended{code}."
        return None


def _status(source: PodsOf, pod: Object, wanted: Selection) -> Object:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    name = source.container_of(pod, wanted)
    return next((one for one in statuses if one["name"] == name), {"state": {}})


def _running(source: PodsOf, pod: Object, wanted: Selection) -> str | None:
    """The id of the container's present life, running or over; None before the first. Waiting to start again, it is
    the life before that can be read: why it crashed."""
    status = _status(source, pod, wanted)
    states = {**status["state"], **(status.get("lastState") or {})}
    began = "running" in states or "terminated" in states
    return status.get("containerID", "") if began else None


def _whole_lines(chunks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The lines that each chunk completes."""
    pieces: list[bytes] = []  # of the line that has not ended yet
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        pieces.append(first)
        if others:
            yield [b"".join(pieces), *others[:-1]]
            pieces = [others[-1]]
    if last := b"".join(pieces):
        yield [last]


def _after(batch: list[LogLine], time: str, count: int) -> tuple[list[LogLine], int]:
    """Without the lines before `time` and the first `count` of that time; and how many of these are still to skip."""
    kept = []
    for line in batch:
        if line.time < time:
            continue
        if line.time == time and count:
            count -= 1
            continue
        kept.append(line)
    return kept, count
