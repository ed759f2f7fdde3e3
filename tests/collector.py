"""A stand-in for an OpenTelemetry collector: takes OTLP over HTTP, and gives back what it was sent."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS = {1: "internal", 2: "server", 3: "client"}


@dataclass(frozen=True)
class Span:
    """A span as it came; `service` is the name of who sent it, `resource` what else it says of itself."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    failed: bool


class Collector(ThreadingHTTPServer):
    """Listens on loopback; `url` is what goes into OTEL_EXPORTER_OTLP_ENDPOINT."""

    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), _Handler)
        self.url = f"http://{host}:{self.server_port}"
        self.taken: dict[str, list[bytes]] = {}  # bodies by path
        self._news = threading.Condition()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self, path: str, body: bytes) -> None:
        with self._news:
            self.taken.setdefault(path, []).append(body)
            self._news.notify_all()

    def until(self, holds: Callable[[], Any], timeout_s: float = 30) -> Any:
        """What `holds` gives once that is something; it is asked whenever something has come."""
        with self._news:
            assert self._news.wait_for(holds, timeout_s), f"never came; there are {self.summary()}"
            return holds()

    def span(self, service: str, name: str, **attributes: Any) -> Span:
        """The newest such span, as soon as it is there."""

        def found() -> Span | None:
            fitting = [one for one in self.spans() if (one.service, one.name) == (service, name)]
            return next((one for one in reversed(fitting) if attributes.items() <= one.attributes.items()), None)

        return self.until(found)

    def spans(self) -> list[Span]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.taken.get("/v1/traces", [])]
        return [
            Span(
                _attributes(resource.resource.attributes).get("service.name", ""),
                span.name,
                KINDS.get(span.kind, ""),
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                _attributes(span.attributes),
                _attributes(resource.resource.attributes),
                span.status.code == 2,
            )
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def metrics(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Service, name and attributes of each point."""
        for body in self.taken.get("/v1/metrics", []):
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                service = _attributes(resource.resource.attributes).get("service.name", "")
                for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                    data = getattr(metric, metric.WhichOneof("data"))
                    for point in data.data_points:
                        yield service, metric.name, _attributes(point.attributes)

    def names_of_metrics(self, service: str) -> set[str]:
        return {name for sender, name, _ in self.metrics() if sender == service}

    def summary(self) -> list[tuple[str, str]]:
        return [(one.service, one.name) for one in self.spans()]

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.take(self.path, body)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind) if kind else None
