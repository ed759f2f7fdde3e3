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
            "KAOS_LITELLM_IMAGE": "example.org/litellm:1",
            "KAOS_OLLAMA_IMAGE": "example.org/ollama:1",
            "KAOS_NETWORK_POLICIES": "false",
            "KAOS_WATCH_SECRETS": "true",
            "KAOS_GATEWAY": "infra/front",
            "KAOS_GATEWAY_TIMEOUT_AGENT": "900s",
        }
    )
    assert given == Settings(
        system_namespace="tools",
        log_level="DEBUG",
        network_policies=False,
        watch_secrets=True,
        gateway=Gateway("front", "infra", {"MCPServer": "60s", "Agent": "900s", "ModelAPI": "120s"}),
        kaos_image="example.org/kaos:1",
        litellm_image="example.org/litellm:1",
        ollama_image="example.org/ollama:1",
    )


@pytest.mark.parametrize(
    ("name", "value"), [("KAOS_WATCH_SECRETS", "yes"), ("KAOS_NETWORK_POLICIES", "0"), ("KAOS_GATEWAY", "front")]
)
def test_what_has_no_meaning_is_refused_by_name(name, value):
    with pytest.raises(UsageError, match=name):
        settings({name: value})
