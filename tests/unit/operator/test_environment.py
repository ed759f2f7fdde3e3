"""An operator in a pod learns how it is set up from its environment."""

from __future__ import annotations

import pytest

from kaos.errors import UsageError
from kaos.operator.decide.world import Gateway, Settings
from kaos.operator.environment import settings


def test_without_any_of_it_everything_is_as_usual():
    assert settings({}) == Settings()
    assert settings({"KAOS_AGENT_IMAGE": "", "KAOS_GATEWAY": "", "KAOS_WATCH_SECRETS": ""}) == Settings()


def test_what_is_given_counts():
    given = settings(
        {
            "KAOS_SYSTEM_NAMESPACE": "tools",
            "KAOS_POD_LOG_LEVEL": "DEBUG",
            "KAOS_AGENT_IMAGE": "example.org/kaos:1",
            "KAOS_MOCK_IMAGE": "example.org/mock:1",
            "KAOS_BRIDGE_IMAGE": "example.org/bridge:1",
            "KAOS_PACKAGE_IMAGE": "example.org/package:1",
            "KAOS_LITELLM_IMAGE": "example.org/litellm:1",
            "KAOS_OLLAMA_IMAGE": "example.org/ollama:1",
            "KAOS_NETWORK_POLICIES": "false",
            "KAOS_STRICT_NETWORK": "true",
            "KAOS_API_SERVERS": "10.0.0.1/32,10.0.0.2/32",
            "KAOS_TELEMETRY": "true",
            "KAOS_TELEMETRY_ENDPOINT": "http://collector:4318",
            "KAOS_WATCH_SECRETS": "true",
            "KAOS_GATEWAY": "infra/front",
            "KAOS_GATEWAY_TIMEOUT_AGENT": "900s",
        }
    )
    assert given == Settings(
        system_namespace="tools",
        log_level="DEBUG",
        network_policies=False,
        strict_network=True,
        api_servers=("10.0.0.1/32", "10.0.0.2/32"),
        telemetry=True,
        telemetry_endpoint="http://collector:4318",
        watch_secrets=True,
        gateway=Gateway("front", "infra", {"MCPServer": "60s", "Agent": "900s", "ModelAPI": "120s"}),
        kaos_image="example.org/kaos:1",
        mock_image="example.org/mock:1",
        bridge_image="example.org/bridge:1",
        package_image="example.org/package:1",
        litellm_image="example.org/litellm:1",
        ollama_image="example.org/ollama:1",
    )


@pytest.mark.parametrize(
    ("name", "value"), [("KAOS_WATCH_SECRETS", "yes"), ("KAOS_NETWORK_POLICIES", "0"), ("KAOS_GATEWAY", "front")]
)
def test_what_has_no_meaning_is_refused_by_name(name, value):
    with pytest.raises(UsageError, match=name):
        settings({name: value})
