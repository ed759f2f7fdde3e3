"""The operator's own log, wherever it runs: as Deployment of the cluster, or in the daemon of the local one."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

from kaos.actions import local
from kaos.actions.operators import operators
from kaos.actions.podlogs import LogFile, LogLine, PodsOf, Selection, Source
from kaos.actions.refusals import explained
from kaos.api.names import OPERATOR_LEASE, SYSTEM_NAMESPACE
from kaos.cluster import Client
from kaos.errors import NotFound
from kaos.kube.resources import DEPLOYMENTS

LABEL = "operator"
_LOGGERS = ("kaos.operator", "kopf")
_POLL_S = 0.2  # a plain file announces nothing
# `2026-11-24 10:04:34,159 INFO    kaos.operator: leading`, in the time of this machine.
_HEAD = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) \w+ +(\S+): ")


def operator_source(client: Client) -> Source:
    """Where the operator's log is. Raises NotFound when it is not to be had from here, and says who leads."""
    with explained(client, DEPLOYMENTS, OPERATOR_LEASE, SYSTEM_NAMESPACE):
        deployment = client.find(DEPLOYMENTS, OPERATOR_LEASE, SYSTEM_NAMESPACE)
    if deployment is not None:
        labels = deployment["spec"]["selector"].get("matchLabels") or {}
        selector = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
        return PodsOf(LABEL, SYSTEM_NAMESPACE, selector)
    daemon = local.status()
    if daemon.running and daemon.server == client.connection.server:
        return LogFile(LABEL, str(local.log_file(daemon.directory)), _LOGGERS)
    leads = next((one.holder for one in operators(client) or () if one.fresh), None)
    where = f"context {client.connection.context}"
    if leads:
        raise NotFound(f"The operator of {where} runs outside the cluster, as {leads}.", "Its log is where it runs.")
    raise NotFound(f"No operator runs in {where}.", "Start one: kaos operator run")


def file_lines(source: LogFile, wanted: Selection) -> Iterator[LogLine]:
    """The lines so far. Raises NotFound."""
    with _opened(source) as stream:
        yield from _chosen(_of_loggers(stream, source), wanted)


def followed_lines(source: LogFile, wanted: Selection, ended: threading.Event) -> Iterator[list[LogLine]]:
    """The lines so far and those to come, until `ended` is set; an empty batch says that there is nothing new now."""
    with _opened(source) as stream:
        batch: list[LogLine] = []
        began = False
        for line in _of_loggers(_waiting(stream), source):
            if line is not None:
                batch.append(line)
                continue
            yield batch if began else list(_chosen(batch, wanted))
            batch, began = [], True
            if ended.wait(_POLL_S):
                return


def _opened(source: LogFile) -> TextIO:
    try:
        return Path(source.path).open(errors="replace")
    except FileNotFoundError:
        raise NotFound(f"There is no log {source.path}.", "See: kaos local status") from None


def _waiting(stream: TextIO) -> Iterator[str | None]:
    """Whole lines; None whenever there is no other one yet."""
    rest = ""
    while True:
        rest += stream.readline()
        if rest.endswith("\n"):
            yield rest
            rest = ""
        else:
            yield None


def _of_loggers(raw: Iterable[str | None], source: LogFile) -> Iterator[LogLine | None]:
    """Lines of the wanted loggers, with those that belong to them (tracebacks)."""
    time, mine = "", False
    for text in raw:
        if text is None:
            yield None
            continue
        if head := _HEAD.match(text):
            time, mine = _utc(head[1]), head[2].startswith(source.loggers)
        if mine:
            yield LogLine("operator", text.rstrip("\n"), time, False, source.label)


def _utc(text: str) -> str:
    """A time of this machine as pods' logs have it."""
    moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S,%f").astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def _chosen(lines: Iterable[LogLine], wanted: Selection) -> Iterable[LogLine]:
    if wanted.since_s is not None:
        since = (datetime.now(UTC) - timedelta(seconds=wanted.since_s)).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
        lines = (line for line in lines if line.time >= since)
    return deque(lines, wanted.tail) if wanted.tail is not None else lines
