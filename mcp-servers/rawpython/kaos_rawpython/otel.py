"""Traces and metrics to an OpenTelemetry collector, by OTLP over HTTP. Imported only when one is named.

FastMCP makes the spans, in the words of the conventions for MCP; they continue the trace that a call's `_meta` names.
Here is what brings them to the collector. Whatever that does, no call waits for it: what it does not take is lost, and
the log says so once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from kaos_rawpython.telemetry import Telemetry

FAREWELL_S = 2.0
GRPC_PORT = ":4317"
# As the conventions for MCP advise.
SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)

log = logging.getLogger("kaos_rawpython")


class OpenTelemetry(Telemetry):
    """Tells a collector."""

    def __init__(self, endpoint: str, version: str) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # else it tells of every batch that is lost
        collector = _Collector(endpoint)
        resource = Resource({"service.version": version}).merge(Resource.create())
        if resource.attributes["service.name"].startswith("unknown_service"):
            resource = resource.merge(Resource({"service.name": "rawpython"}))
        # Their own ends at the process's exit would wait for a collector that is not there.
        self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._traces.add_span_processor(BatchSpanProcessor(_Spans(collector)))
        trace.set_tracer_provider(self._traces)  # for FastMCP's spans, and those that the program makes itself
        reader = PeriodicExportingMetricReader(_Metrics(collector))
        self._meters = MeterProvider([reader], resource, shutdown_on_exit=False)
        self._seconds = self._meters.get_meter("kaos_rawpython", version).create_histogram(
            "mcp.server.operation.duration", "s", "Time of tool calls.", explicit_bucket_boundaries_advisory=SECONDS
        )

    def called(self, tool: str, seconds: float, error: str) -> None:
        told = {"mcp.method.name": "tools/call", "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
        self._seconds.record(seconds, told | ({"error.type": error} if error else {}))

    def close(self) -> None:
        flushing = threading.Thread(target=self._flush, daemon=True)
        flushing.start()
        flushing.join(FAREWELL_S)

    def _flush(self) -> None:
        self._traces.shutdown()
        self._meters.shutdown()


class _Collector:
    """Whether it takes what it is sent; the log hears of changes only."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._takes = True
        self._lock = threading.Lock()

    def heard(self, takes: bool) -> None:
        with self._lock:
            changed, self._takes = takes != self._takes, takes
        if changed and takes:
            log.warning("the collector at %s takes traces and metrics again", self._endpoint)
        elif changed:
            hint = "is it up, and does it take OTLP over HTTP at this address?"
            if self._endpoint.rstrip("/").endswith(GRPC_PORT):
                hint = "port 4317 is OTLP's for gRPC; over HTTP it is 4318"
            log.warning("the collector at %s takes no traces and metrics; they are lost: %s", self._endpoint, hint)


class _Spans(OTLPSpanExporter):
    def __init__(self, collector: _Collector) -> None:
        super().__init__()
        self._collector = collector

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        self._collector.heard(result is SpanExportResult.SUCCESS)
        return result


class _Metrics(OTLPMetricExporter):
    def __init__(self, collector: _Collector) -> None:
        super().__init__()
        self._collector = collector

    def export(self, metrics_data: MetricsData, *args: Any, **kwargs: Any) -> MetricExportResult:
        result = super().export(metrics_data, *args, **kwargs)
        self._collector.heard(result is MetricExportResult.SUCCESS)
        return result
