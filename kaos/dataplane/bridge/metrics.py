"""Counts and times for Prometheus, under `GET /metrics`.

Only tools that the server itself has listed become labels; a caller could fill the memory with others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
OTHER = "_OTHER"
MAX_TOOLS = 500


class Metrics:
    """One registry for one bridge."""

    def __init__(self) -> None:
        prometheus_client.disable_created_metrics()
        self._registry = CollectorRegistry()
        self._tools: set[str] = set()
        self._calls = self._counter("calls", "Calls of tools.", "tool")
        self._errors = self._counter("call_errors", "Calls of tools that failed.", "tool")
        self._seconds = Histogram(
            "kaos_bridge_call_seconds", "Time of tool calls.", ["tool"], buckets=SECONDS, registry=self._registry
        )
        self._noise = self._counter("noise_lines", "Lines of the server that are no message.")
        self._dropped = self._counter("dropped_messages", "Notifications that slow readers have missed.")
        self._starts = self._counter("process_starts", "Processes of the server that were started.")
        self._ends = self._counter("process_crashes", "Processes of the server that ended by themselves.")
        self.started, self.crashed = self._starts.inc, self._ends.inc

    def watch(self, name: str, about: str, value: Callable[[], float]) -> None:
        Gauge(f"kaos_bridge_{name}", about, registry=self._registry).set_function(value)

    def learn(self, result: Any) -> None:
        """The names in an answer to tools/list."""
        tools = result.get("tools") if isinstance(result, dict) else None
        for tool in tools if isinstance(tools, list) else []:
            name = tool.get("name") if isinstance(tool, dict) else None
            if isinstance(name, str) and len(self._tools) < MAX_TOOLS:
                self._tools.add(name)

    def called(self, tool: Any, failed: bool, seconds: float) -> None:
        name = tool if isinstance(tool, str) and tool in self._tools else OTHER
        self._calls.labels(name).inc()
        self._seconds.labels(name).observe(seconds)
        if failed:
            self._errors.labels(name).inc()

    def noise(self) -> None:
        self._noise.inc()

    def dropped(self, number: int) -> None:
        self._dropped.inc(number)

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"kaos_bridge_{name}", about, labels, registry=self._registry)
