"""What tells a collector of tool calls; silent unless one is named (then `otel` takes its place)."""

from __future__ import annotations

from collections.abc import Mapping

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


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
        from kaos_rawpython.otel import OpenTelemetry
    except ImportError as error:
        why = f"{ENDPOINT} is set, but {error.name} is not installed"
        raise ValueError(f"{why}; install opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http") from None
    return OpenTelemetry(endpoint, version)
