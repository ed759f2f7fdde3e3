"""Traces and metrics of what a pod does, for a collector; silent unless one is named (then `otel` takes its place).

Source of the names: OpenTelemetry's semantic conventions for generative AI and for MCP.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
# Who waits for a piece of work: nobody elsewhere, a caller (we serve), we (another program works).
INTERNAL, SERVER, CLIENT = "internal", "server", "client"
# Metrics of times: of who serves a model, and of who calls one.
SERVED, CALLED = "gen_ai.server.request.duration", "gen_ai.client.operation.duration"


class Span:
    """One piece of work."""

    def set(self, attributes: Mapping[str, Any]) -> None:
        """Add attributes."""

    def rename(self, name: str) -> None:
        """Its name, when that was not known at the beginning."""

    def fail(self, kind: str, message: str) -> None:
        """It went wrong."""


class Telemetry:
    """Says nothing."""

    @contextlib.contextmanager
    def serve(self, headers: Mapping[str, str]) -> Iterator[None]:
        """What happens inside belongs to the trace that the caller's headers name."""
        yield

    @contextlib.contextmanager
    def span(self, name: str, attributes: Mapping[str, Any], kind: str = INTERNAL) -> Iterator[Span]:
        """A span, for instance `chat gpt-5`."""
        yield Span()

    def outgoing(self) -> dict[str, str]:
        """Headers that carry the trace on."""
        return {}

    def measure(self, seconds: float, attributes: Mapping[str, Any]) -> None:
        """How long an operation took."""

    def measure_tokens(self, usage: Mapping[str, int], attributes: Mapping[str, Any]) -> None:
        """What a call of a model cost; `usage` as in OpenAI's answers."""

    def close(self) -> None:
        """Send what is left."""


def of_usage(usage: Mapping[str, int]) -> dict[str, int]:
    """Attributes of a span; `usage` as in OpenAI's answers."""
    told = {"prompt_tokens": "gen_ai.usage.input_tokens", "completion_tokens": "gen_ai.usage.output_tokens"}
    return {ours: usage[theirs] for theirs, ours in told.items() if theirs in usage}


def telemetry_of(environ: Mapping[str, str], service: str, duration: str) -> Telemetry:
    """As the environment says; `service` is the name where it gives none, `duration` the metric for operations' times.

    Raises ValueError for what is no address, and when the packages are not there.
    """
    endpoint = environ.get(ENDPOINT, "")
    if not endpoint or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return Telemetry()
    if not endpoint.startswith(("http://", "https://")):
        raise ValueError(f"{ENDPOINT} must be an http:// or https:// address, not {endpoint!r}")
    try:
        from kaos.dataplane.otel import OpenTelemetry
    except ImportError as error:
        missing = f"{ENDPOINT} is set, but {error.name} is not installed"
        raise ValueError(f"{missing}; install kaos-console[telemetry]") from None
    return OpenTelemetry(endpoint, service, duration)
