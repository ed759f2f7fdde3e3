"""Calls, errors and latency of each tool, as Prometheus reads them, and for the collector when there is one.

A call counts when it begins and its duration when it ends: the difference is what runs, or hangs, right now.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest

from kaos_rawpython.telemetry import Telemetry

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics(Middleware):
    """Counts calls of the known tools; other names would let callers fill the memory with labels."""

    def __init__(self, tools: Iterable[str], telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._tools = dict.fromkeys(tools)
        self._registry = CollectorRegistry()
        disable_created_metrics()  # a second series beside each, for the time it began
        on = {"labelnames": ["tool"], "registry": self._registry}
        self._calls = Counter("kaos_mcp_tool_calls_total", "Tool calls begun.", **on)
        self._errors = Counter("kaos_mcp_tool_errors_total", "Tool calls that ended in an error.", **on)
        self._seconds = Histogram("kaos_mcp_tool_duration_seconds", "Time until the answer.", buckets=BUCKETS_S, **on)
        for tool in self._tools:
            for metric in (self._calls, self._errors, self._seconds):
                metric.labels(tool)

    def text(self) -> bytes:
        return generate_latest(self._registry)

    async def on_call_tool(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        tool = context.message.name
        if tool not in self._tools:
            return await call_next(context)
        self._calls.labels(tool).inc()
        began = time.perf_counter()
        failed = True
        try:
            result = await call_next(context)
            failed = result.is_error
            return result
        except asyncio.CancelledError:  # the caller's wish
            failed = False
            raise
        finally:
            seconds = time.perf_counter() - began
            self._seconds.labels(tool).observe(seconds)
            self._telemetry.called(tool, seconds, "tool_error" if failed else "")
            if failed:
                self._errors.labels(tool).inc()
