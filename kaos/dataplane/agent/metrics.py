"""Counts and times for Prometheus, under `GET /metrics`."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

Object = dict[str, Any]


class Metrics:
    """One registry for one agent."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        more = {"registry": self._registry}
        self.seconds = Histogram("kaos_agent_request_seconds", "Time of whole answers.", **more)
        self.failures = Counter("kaos_agent_failures", "Answers that failed.", **more)
        self._model_calls = Counter("kaos_agent_model_calls", "Calls of the model.", **more)
        self._tokens = Counter("kaos_agent_tokens", "Tokens, as the model counts them.", ["kind"], **more)
        self._calls = Counter("kaos_agent_tool_calls", "Calls of tools.", ["tool"], **more)
        self._errors = Counter("kaos_agent_tool_errors", "Calls of tools that failed.", ["tool"], **more)
        self._tool_seconds = Histogram("kaos_agent_tool_seconds", "Time of tool calls.", ["tool"], **more)
        self._delegations = Counter("kaos_agent_delegations", "Messages given to peers.", ["peer", "outcome"], **more)

    def answered(self, seconds: float) -> None:
        self.seconds.observe(seconds)

    def called_model(self, usage: Object) -> None:
        self._model_calls.inc()
        for kind in ("prompt", "completion"):
            self._tokens.labels(kind).inc(int(usage.get(f"{kind}_tokens") or 0))

    def acted(self, kind: str, name: str, failed: bool, seconds: float) -> None:
        if kind == "delegation":
            self._delegations.labels(name, "failed" if failed else "done").inc()
            return
        self._calls.labels(name).inc()
        self._tool_seconds.labels(name).observe(seconds)
        if failed:
            self._errors.labels(name).inc()

    def text(self) -> bytes:
        return generate_latest(self._registry)
