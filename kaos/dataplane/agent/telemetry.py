"""Traces of what the agent does; silent unless a collector is named (`otel` then takes this one's place).

Source of the names: OpenTelemetry's semantic conventions for generative AI.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any


class Span:
    """One piece of work."""

    def set(self, **attributes: Any) -> None:
        """Add attributes."""

    def fail(self, kind: str, message: str) -> None:
        """It went wrong."""


class Telemetry:
    """Says nothing."""

    @contextlib.contextmanager
    def serve(self, headers: Mapping[str, str]) -> Iterator[None]:
        """What happens inside belongs to the trace that the caller's headers name."""
        yield

    @contextlib.contextmanager
    def span(self, operation: str, subject: str, attributes: Mapping[str, Any], remote: bool = False) -> Iterator[Span]:
        """A span `operation subject`, for instance `chat gpt-5`; remote: it is a call of another program."""
        yield Span()

    def outgoing(self) -> dict[str, str]:
        """Headers that carry the trace on."""
        return {}

    def measure_tokens(self, kind: str, count: int, model: str) -> None:
        """Tokens, input or output."""

    def measure(self, operation: str, seconds: float, subject: str, error: str | None) -> None:
        """How long an operation took."""

    def close(self) -> None:
        """Send what is left."""


def telemetry_of(enabled: bool, agent: str, namespace: str) -> Telemetry:
    """Raises ValueError when it is asked for and its packages are not there."""
    if not enabled:
        return Telemetry()
    try:
        from kaos.dataplane.agent.otel import OpenTelemetry
    except ImportError as error:
        missing = f"OTEL_EXPORTER_OTLP_ENDPOINT is set, but {error.name} is not installed"
        raise ValueError(f"{missing}; install kaos-console[telemetry]") from None
    return OpenTelemetry(agent, namespace)
