"""Traces and metrics to an OpenTelemetry collector, by OTLP over HTTP. Imported only when one is named.

The OTEL_* variables are OpenTelemetry's own and read by its SDK; `kaos-console[telemetry]` brings it. Whatever the
collector does, no answer waits for it: what it does not take is lost, and the log says so once.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import kaos
from kaos.dataplane.telemetry import CLIENT, INTERNAL, SERVER, Span, Telemetry

SCOPE = "kaos"
FAREWELL_S = 2.0
MESSAGE_LIMIT = 1000
GRPC_PORT = 4317
# As the conventions advise, so that figures of different programs can be put together.
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
_TRACE = TraceContextTextMapPropagator()  # alone: a caller's baggage is nothing for providers and tools
_KINDS = {INTERNAL: SpanKind.INTERNAL, SERVER: SpanKind.SERVER, CLIENT: SpanKind.CLIENT}

log = logging.getLogger("kaos.telemetry")


class OpenTelemetry(Telemetry):
    """Tells a collector."""

    def __init__(self, endpoint: str, service: str, duration: str) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # else it tells of every batch that is lost
        collector = _Collector(endpoint)
        resource = Resource({"service.version": kaos.__version__}).merge(Resource.create())
        if resource.attributes["service.name"].startswith("unknown_service"):
            resource = resource.merge(Resource({"service.name": service}))
        # Their own ends at the process's exit would wait for a collector that is not there.
        self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._traces.add_span_processor(BatchSpanProcessor(_Spans(collector)))
        reader = PeriodicExportingMetricReader(_Metrics(collector))
        self._meters = MeterProvider([reader], resource, shutdown_on_exit=False)
        self._tracer = self._traces.get_tracer(SCOPE, kaos.__version__)
        meter = self._meters.get_meter(SCOPE, kaos.__version__)
        self._seconds = meter.create_histogram(
            duration, "s", "Time of operations.", explicit_bucket_boundaries_advisory=SECONDS
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage", "{token}", "Tokens of model calls.", explicit_bucket_boundaries_advisory=TOKENS
        )

    @contextlib.contextmanager
    def serve(self, headers: Mapping[str, str]) -> Iterator[None]:
        token = context.attach(_TRACE.extract({name.lower(): value for name, value in headers.items()}))
        try:
            yield
        finally:
            context.detach(token)

    @contextlib.contextmanager
    def span(self, name: str, attributes: Mapping[str, Any], kind: str = INTERNAL) -> Iterator[Span]:
        # Failures are told by `fail`, in our own words: a traceback may hold what is nobody's business.
        with self._tracer.start_as_current_span(
            name, kind=_KINDS[kind], attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            yield _RealSpan(span)

    def outgoing(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        _TRACE.inject(headers)
        return headers

    def measure(self, seconds: float, attributes: Mapping[str, Any]) -> None:
        self._seconds.record(seconds, attributes)

    def measure_tokens(self, usage: Mapping[str, int], attributes: Mapping[str, Any]) -> None:
        for theirs, ours in (("prompt_tokens", "input"), ("completion_tokens", "output")):
            if theirs in usage:
                self._tokens.record(usage[theirs], {**attributes, "gen_ai.token.type": ours})

    def close(self) -> None:
        flushing = threading.Thread(target=self._flush, daemon=True)
        flushing.start()
        flushing.join(FAREWELL_S)

    def _flush(self) -> None:
        self._traces.shutdown()
        self._meters.shutdown()


class _RealSpan(Span):
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def set(self, attributes: Mapping[str, Any]) -> None:
        self._span.set_attributes(attributes)

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def fail(self, kind: str, message: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR, message[:MESSAGE_LIMIT]))


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
            if _port(self._endpoint) == GRPC_PORT:
                hint = f"port {GRPC_PORT} is OTLP's for gRPC; over HTTP it is 4318"
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


def _port(endpoint: str) -> int | None:
    try:
        return urlsplit(endpoint).port
    except ValueError:
        return None
