"""How busy everything is: requests, errors, times and tokens, as each pod tells under `/metrics`.

Pods are asked through the API server, each by itself, since a Service would answer for one of them only. Two readings
give a rate.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from kaos.actions import exposition
from kaos.actions.exposition import Sample
from kaos.actions.health import Ref
from kaos.actions.refusals import explained
from kaos.actions.survey import declared, owner_of
from kaos.api.names import PART_OF, SERVICE_PORT
from kaos.cluster import ApiError, Client
from kaos.cluster.requests import pod_proxy_path
from kaos.errors import KaosError, NotFound
from kaos.kube import quantities
from kaos.kube.resources import PODS, Resource

Object = dict[str, Any]
SCRAPE_S = 5.0
AT_ONCE = 8
PAGE_LIMIT = 4 * 1024 * 1024
CALLER_GONE = 499
OWN = "kaos_"  # what the names of our own numbers begin with
PORT_NAME = "http"
_POD_METRICS = Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics")


@dataclass(frozen=True)
class Family:
    """The names that one kind's numbers go by; without `errors` the statuses of the requests tell of them."""

    requests: str
    seconds: str
    tokens: str = ""
    errors: str = ""


FAMILIES = {
    "MCPServer": Family(
        "kaos_mcp_tool_calls_total", "kaos_mcp_tool_duration_seconds", errors="kaos_mcp_tool_errors_total"
    ),
    "ModelAPI": Family("kaos_model_requests_total", "kaos_model_request_seconds", "kaos_model_tokens_total"),
    "Agent": Family("kaos_agent_requests_total", "kaos_agent_request_seconds", "kaos_agent_tokens_total"),
}


@dataclass(frozen=True)
class Reading:
    """What one pod told at one time; `note` says why it told nothing."""

    at: float  # of a clock that only this process knows
    requests: float = 0.0
    errors: float = 0.0
    tokens: float | None = None
    buckets: dict[float, float] | None = None
    memory: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Usage:
    """One resource, over all its pods since they began; None where nothing is known."""

    ref: Ref
    pods: int
    requests: int | None = None
    per_minute: float | None = None
    errors: int | None = None
    p50_s: float | None = None
    p95_s: float | None = None
    tokens: int | None = None
    memory_bytes: int | None = None
    note: str = ""


class Top:
    """Reads again and again; from the second time on there are rates."""

    def __init__(self, client: Client, namespace: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._namespace = namespace
        self._clock = clock
        self._before: dict[str, Reading] = {}

    def read(self) -> list[Usage]:
        """All resources, the busiest first. Raises NotFound without KAOS, Forbidden without the right to list."""
        found = declared(self._client, self._namespace)
        if not found.installed:
            raise NotFound(f"KAOS is not installed on the cluster of context {found.context}.",
                           "Install it: kaos system install")  # fmt: skip
        with explained(self._client, PODS):
            pods = self._client.list(PODS, self._namespace, labels=f"{PART_OF}=kaos").items
        pods = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
        memory = self._memory()
        with ThreadPoolExecutor(AT_ONCE) as threads:
            readings = dict(zip((_uid(pod) for pod in pods), threads.map(self._scrape, pods), strict=True))
        usages = []
        for ref in sorted(found.resources):
            own = [pod for pod in pods if owner_of(pod) == ref]
            usages.append(self._usage(ref, [(_uid(pod), readings[_uid(pod)]) for pod in own], [
                memory[key] for pod in own if (key := (pod["metadata"]["namespace"], pod["metadata"]["name"])) in memory
            ]))  # fmt: skip
        self._before = readings
        return sorted(usages, key=lambda one: (-(one.per_minute or 0), -(one.requests or 0), one.ref))

    def _usage(self, ref: Ref, told: list[tuple[str, Reading]], memory: list[int]) -> Usage:
        good = [one for _, one in told if not one.note]
        own = [one.memory for one in good if one.memory is not None]
        known = sum(memory) if memory else int(sum(own)) if own else None
        if not good:
            note = next((one.note for _, one in told), "no pods")
            return Usage(ref, len(told), memory_bytes=known, note=note)
        counts: dict[float, float] = {}
        for one in good:
            for bound, count in (one.buckets or {}).items():
                counts[bound] = counts.get(bound, 0.0) + count
        rates = [rate(self._before[uid], one) for uid, one in told if uid in self._before and not one.note]
        rates = [one for one in rates if one is not None]
        tokens = [one.tokens for one in good if one.tokens is not None]
        silent = len(told) - len(good)
        return Usage(
            ref,
            len(told),
            int(sum(one.requests for one in good)),
            sum(rates) if rates else None,
            int(sum(one.errors for one in good)),
            exposition.quantile(0.50, counts),
            exposition.quantile(0.95, counts),
            int(sum(tokens)) if tokens else None,
            known,
            f"{silent} of {len(told)} pods: {next(one.note for _, one in told if one.note)}" if silent else "",
        )

    def _scrape(self, pod: Object) -> Reading:
        meta, kind = pod["metadata"], owner_of(pod)
        now = self._clock()
        if kind is None or not _is_ready(pod):
            return Reading(now, note="not ready")
        path = pod_proxy_path(meta["namespace"], meta["name"], port_of(pod, kind.handler.container), "/metrics")
        try:
            response = Client(self._client.connection).request("GET", path, timeout_s=SCRAPE_S)
            try:
                page = response.read()[:PAGE_LIMIT].decode(errors="replace")
            finally:
                response.close()
        except ApiError as refused:
            return Reading(now, note="no right to ask its pods" if refused.code == 403 else "gives no metrics")
        except KaosError:
            return Reading(now, note="does not answer in time")
        return reading(now, kind.kind, exposition.parse(page))

    def _memory(self) -> dict[tuple[str, str], int]:
        """Bytes by pod, where the cluster has a metrics server."""
        try:
            items = self._client.list(_POD_METRICS, self._namespace).items
        except KaosError:
            return {}
        return {(one["metadata"]["namespace"], one["metadata"]["name"]): _bytes(one) for one in items}


def reading(at: float, kind: str, samples: list[Sample]) -> Reading:
    """What a page of metrics tells of a resource of that kind."""
    family = FAMILIES[kind]
    if samples and not any(one.name.startswith(OWN) for one in samples):
        return Reading(at, note="gives other metrics than KAOS's")
    asked = [one for one in samples if one.name == family.requests]
    failed = exposition.total(samples, family.errors) if family.errors else sum(
        one.value for one in asked if _is_error(one.labels.get("status", "")))  # fmt: skip
    resident = [one.value for one in samples if one.name == "process_resident_memory_bytes"]
    return Reading(
        at,
        sum(one.value for one in asked),
        failed,
        exposition.total(samples, family.tokens) if family.tokens else None,
        exposition.buckets(samples, family.seconds),
        resident[0] if resident else None,
    )


def rate(before: Reading, now: Reading) -> float | None:
    """Requests a minute between two readings; a counter that fell has begun again."""
    seconds = now.at - before.at
    if seconds <= 0 or before.note or now.note:
        return None
    more = now.requests - before.requests
    return (more if more >= 0 else now.requests) * 60 / seconds


def port_of(pod: Object, container: str) -> int:
    """Where the pod serves: the port that its Service leads to, else the first of its main container."""
    containers = sorted(pod["spec"].get("containers") or (), key=lambda one: one["name"] != container)
    ports = [port for one in containers for port in one.get("ports") or ()]
    named = [port for port in ports if port.get("name") == PORT_NAME]
    return next((port["containerPort"] for port in named + ports), SERVICE_PORT)


def _is_error(status: str) -> bool:
    return status.isdecimal() and int(status) >= 400 and int(status) != CALLER_GONE


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _bytes(metrics: Object) -> int:
    used = (one.get("usage") or {} for one in metrics.get("containers") or ())
    return sum(int(quantities.parse(one["memory"])) for one in used if "memory" in one)


def _uid(pod: Object) -> str:
    return pod["metadata"]["uid"]
