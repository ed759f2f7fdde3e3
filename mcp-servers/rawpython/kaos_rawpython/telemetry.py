"""Traces and metrics to the OpenTelemetry collector that OTEL_EXPORTER_OTLP_ENDPOINT names, by OTLP over HTTP.

FastMCP makes the spans, in the words of the conventions for MCP; they continue the trace that a call's `_meta` names.
Here is what brings them to the collector. Whatever that does, no call waits for it: what it does not take is lost, and
the log says so once. The SDK is imported only when there is a collector.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
FAREWELL_S = 2.0
GRPC_PORT = ":4317"
# As the conventions for MCP advise.
SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)

log = logging.getLogger("kaos_rawpython")


class Telemetry:
    """Says nothing."""

    def called(self, tool: str, seconds: float, error: str) -> None:
        """A tool call has ended; `error` is its kind, or empty."""

    def close(self) -> None:
        """Send what is left."""


def telemetry_of(environ: Mapping[str, str], version: str) -> Telemetry:
    """As the environment says. Raises ValueError for what is no address, and when the packages are not there."""
    endpoint = environ.get(ENDPOINT, "")
    if not endpoint or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return Telemetry()
    if not endpoint.startswith(("http://", "https://")):
        raise ValueError(f"{ENDPOINT} must be an http:// or https:// address, not {endpoint!r}")
    try:
        return _to_collector(endpoint, version)
    except ImportError as error:
        why = f"{ENDPOINT} is set, but {error.name} is not installed"
        raise ValueError(f"{why}; install opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http") from None


def _to_collector(endpoint: str, version: str) -> Telemetry:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # else it tells of every batch that is lost
    collector = Collector(endpoint)

    class Spans(OTLPSpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            result = super().export(spans)
            collector.heard(result is SpanExportResult.SUCCESS)
            return result

    class Metrics(OTLPMetricExporter):
        def export(self, *args: object, **kwargs: object) -> MetricExportResult:
            result = super().export(*args, **kwargs)
            collector.heard(result is MetricExportResult.SUCCESS)
            return result

    resource = Resource({"service.version": version}).merge(Resource.create())
    if resource.attributes["service.name"].startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": "rawpython"}))
    # Their own ends at the process's exit would wait for a collector that is not there.
    traces = TracerProvider(resource=resource, shutdown_on_exit=False)
    traces.add_span_processor(BatchSpanProcessor(Spans()))
    trace.set_tracer_provider(traces)  # FastMCP's spans, and those that the program makes itself
    meters = MeterProvider([PeriodicExportingMetricReader(Metrics())], resource, shutdown_on_exit=False)
    seconds = meters.get_meter("kaos_rawpython", version).create_histogram(
        "mcp.server.operation.duration", "s", "Time of tool calls.", explicit_bucket_boundaries_advisory=SECONDS
    )

    class ToCollector(Telemetry):
        def called(self, tool: str, seconds_taken: float, error: str) -> None:
            told = {"mcp.method.name": "tools/call", "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
            seconds.record(seconds_taken, told | ({"error.type": error} if error else {}))

        def close(self) -> None:
            def flush() -> None:
                traces.shutdown()
                meters.shutdown()

            flushing = threading.Thread(target=flush, daemon=True)
            flushing.start()
            flushing.join(FAREWELL_S)

    return ToCollector()


class Collector:
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
