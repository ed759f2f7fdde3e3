"""Counts and times for Prometheus, under `GET /metrics`, and for the collector when there is one.

Only names that the agent knows become labels; other ones would let a model or a caller fill the memory.
"""

from __future__ import annotations

from collections.abc import Callable

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from kaos.dataplane.telemetry import Telemetry

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """One registry for one agent."""

    def __init__(self, agent: str, model: str, telemetry: Telemetry) -> None:
        prometheus_client.disable_created_metrics()
        self._registry = CollectorRegistry()
        self._agent = agent
        self._model = model
        self._telemetry = telemetry
        self._requests = self._counter("requests", "Questions answered or refused, by HTTP status.", "status")
        self._running = Gauge("kaos_agent_requests_running", "Questions under way.", registry=self._registry)
        self._seconds = self._times("request", "Time of whole answers.")
        self._model_calls = self._counter(
            "model_calls", "Calls of the model, by HTTP status of their outcome.", "status"
        )
        self._model_seconds = self._times("model_call", "Time of the model's answers.")
        self._first_token = self._times("first_token", "Time until the model's first text or call.")
        self._tokens = self._counter("tokens", "Tokens, as the model counts them.", "kind")
        self._calls = self._counter("tool_calls", "Calls of tools.", "server", "tool")
        self._errors = self._counter("tool_errors", "Calls of tools that failed.", "server", "tool")
        self._tool_seconds = self._times("tool_call", "Time of tool calls.", "server", "tool")
        self._delegations = self._counter("delegations", "Messages given to peers.", "peer", "outcome")
        self._delegation_seconds = self._times("delegation", "Time of the peers' answers.", "peer")
        self._ready = Gauge(
            "kaos_agent_tool_server_ready", "Whether it lists its tools.", ["server"], registry=self._registry
        )

    def watch_server(self, server: str, is_ready: Callable[[], bool]) -> None:
        self._ready.labels(server).set_function(is_ready)

    def began(self) -> None:
        self._running.inc()

    def answered(self, status: int, seconds: float) -> None:
        self._running.dec()
        self._requests.labels(str(status)).inc()
        self._seconds.observe(seconds)
        self._measure(seconds, "invoke_agent", "gen_ai.agent.name", self._agent, _error(status))

    def called_model(self, status: int, seconds: float, first_s: float | None, usage: dict[str, int]) -> None:
        self._model_calls.labels(str(status)).inc()
        self._model_seconds.observe(seconds)
        if first_s is not None:
            self._first_token.observe(first_s)
        for kind in ("prompt", "completion"):
            self._tokens.labels(kind).inc(usage.get(f"{kind}_tokens", 0))
        self._measure(seconds, "chat", "gen_ai.request.model", self._model, _error(status))
        told = {"gen_ai.operation.name": "chat", "gen_ai.request.model": self._model}
        self._telemetry.measure_tokens(usage, told)

    def called_tool(self, server: str, tool: str, failed: bool, seconds: float) -> None:
        self._calls.labels(server, tool).inc()
        self._tool_seconds.labels(server, tool).observe(seconds)
        if failed:
            self._errors.labels(server, tool).inc()
        self._measure(seconds, "execute_tool", "gen_ai.tool.name", tool, "tool_error" if failed else "")

    def delegated(self, peer: str, failed: bool, seconds: float) -> None:
        self._delegations.labels(peer, "failed" if failed else "done").inc()
        self._delegation_seconds.labels(peer).observe(seconds)
        self._measure(seconds, "invoke_agent", "gen_ai.agent.name", peer, "delegation_error" if failed else "")

    def _measure(self, seconds: float, operation: str, kind: str, subject: str, error: str) -> None:
        failed = {"error.type": error} if error else {}
        self._telemetry.measure(seconds, {"gen_ai.operation.name": operation, kind: subject, **failed})

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"kaos_agent_{name}", about, labels, registry=self._registry)

    def _times(self, name: str, about: str, *labels: str) -> Histogram:
        return Histogram(f"kaos_agent_{name}_seconds", about, labels, buckets=SECONDS, registry=self._registry)


def _error(status: int) -> str:
    return "" if status == 200 else str(status)
