"""How an operator in a cluster is set up: the chart's values, as its Deployment hands them over."""

from __future__ import annotations

import os
from collections.abc import Mapping

from kaos.errors import UsageError
from kaos.operator.decide.world import GATEWAY_TIMEOUTS, Gateway, Settings

_TEXTS = {
    "KAOS_SYSTEM_NAMESPACE": "system_namespace",
    "KAOS_POD_LOG_LEVEL": "log_level",
    "KAOS_AGENT_IMAGE": "kaos_image",
    "KAOS_MOCK_IMAGE": "mock_image",
    "KAOS_BRIDGE_IMAGE": "bridge_image",
    "KAOS_PACKAGE_IMAGE": "package_image",
    "KAOS_LITELLM_IMAGE": "litellm_image",
    "KAOS_OLLAMA_IMAGE": "ollama_image",
    "KAOS_TELEMETRY_ENDPOINT": "telemetry_endpoint",
}
_FLAGS = {
    "KAOS_NETWORK_POLICIES": "network_policies",
    "KAOS_STRICT_NETWORK": "strict_network",
    "KAOS_WATCH_SECRETS": "watch_secrets",
    "KAOS_TELEMETRY": "telemetry",
}


def settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """What the environment says; what it does not is as in Settings. Raises UsageError."""
    values: dict[str, object] = {field: environ[name] for name, field in _TEXTS.items() if environ.get(name)}
    for name, field in _FLAGS.items():
        if environ.get(name):
            values[field] = _flag(name, environ[name])
    if environ.get("KAOS_API_SERVERS"):
        values["api_servers"] = tuple(environ["KAOS_API_SERVERS"].split(","))
    return Settings(**values, gateway=_gateway(environ))


def _flag(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise UsageError(f"{name} is neither true nor false.", "Correct it, or unset it.")
    return value == "true"


def _gateway(environ: Mapping[str, str]) -> Gateway | None:
    place, _, name = environ.get("KAOS_GATEWAY", "").rpartition("/")
    if not name:
        return None
    if not place:
        raise UsageError("KAOS_GATEWAY does not have the form NAMESPACE/NAME.", "Correct it, or unset it.")
    given = {kind: environ.get(f"KAOS_GATEWAY_TIMEOUT_{kind.upper()}") for kind in GATEWAY_TIMEOUTS}
    return Gateway(name, place, GATEWAY_TIMEOUTS | {kind: timeout for kind, timeout in given.items() if timeout})
