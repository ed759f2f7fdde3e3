"""The proxy's configuration, from what `proxyConfig` asks for."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from kaos.api.names import Reason
from kaos.operator.decide import litellm
from kaos.operator.decide.workload import Blocked

BASE = "http://models.example:8080/v1"
KEY = {"valueFrom": {"secretKeyRef": {"name": "provider", "key": "token"}}}


def entries(**proxy: Any) -> list[dict[str, Any]]:
    text = litellm.config(proxy)
    assert text is not None
    return yaml.safe_load(text)["model_list"]


def leads_to(name: str, **proxy: Any) -> str:
    (entry,) = entries(models=[name], **proxy)
    assert entry["model_name"] == name, "agents ask by the name that models lists"
    return entry["litellm_params"]["model"]


@pytest.mark.parametrize(
    ("name", "proxy", "there"),
    [
        ("gpt-4", {}, "gpt-4"),
        ("openai/gpt-4", {}, "openai/gpt-4"),
        ("*", {}, "*"),
        ("openai/*", {}, "openai/*"),
        ("gpt-4", {"provider": "openai"}, "openai/gpt-4"),
        ("openai/gpt-4", {"provider": "openai"}, "openai/gpt-4"),
        ("*", {"provider": "anthropic"}, "anthropic/*"),
        ("anthropic/*", {"provider": "anthropic"}, "anthropic/*"),
        ("anthropic/claude", {"provider": "openrouter"}, "openrouter/anthropic/claude"),
        ("llama3", {"apiBase": BASE}, "openai/llama3"),
        ("*", {"apiBase": BASE}, "openai/*"),
        ("openai/*", {"apiBase": BASE}, "openai/*"),
        ("meta-llama/Llama-3", {"apiBase": BASE}, "openai/meta-llama/Llama-3"),
        ("meta-llama/*", {"apiBase": BASE}, "openai/meta-llama/*"),
        ("ollama/llama3", {"apiBase": BASE}, "ollama/llama3"),
        ("openai", {"apiBase": BASE}, "openai/openai"),
        ("llama3", {"apiBase": BASE, "provider": "ollama"}, "ollama/llama3"),
    ],
)
def test_a_name_gets_its_provider(name: str, proxy: dict[str, Any], there: str) -> None:
    assert leads_to(name, **proxy) == there


def test_address_and_key_are_named_and_never_written() -> None:
    params = [one["litellm_params"] for one in entries(models=["a", "b"], apiBase=BASE, apiKey={"value": "sk-canary"})]
    assert [one["api_base"] for one in params] == ["os.environ/PROXY_API_BASE"] * 2
    assert [one["api_key"] for one in params] == ["os.environ/PROXY_API_KEY"] * 2
    assert "api_key" not in entries(models=["a"], apiBase=BASE)[0]["litellm_params"]
    assert "api_base" not in entries(models=["a"], apiKey=KEY)[0]["litellm_params"]


def test_the_text_is_what_a_person_would_write() -> None:
    assert litellm.config({"models": ["gpt-4", "*"], "provider": "openai", "apiKey": KEY}) == (
        "model_list:\n"
        "- model_name: gpt-4\n"
        "  litellm_params:\n"
        "    model: openai/gpt-4\n"
        "    api_key: os.environ/PROXY_API_KEY\n"
        "- model_name: '*'\n"
        "  litellm_params:\n"
        "    model: openai/*\n"
        "    api_key: os.environ/PROXY_API_KEY\n"
        "litellm_settings:\n"
        "  drop_params: true\n"
        "  callbacks:\n"
        "  - prometheus\n"
    )


def test_with_telemetry_it_tells_the_collector_but_no_word_of_a_chat() -> None:
    settings = yaml.safe_load(litellm.config({"models": ["gpt-4"]}, traced=True))["litellm_settings"]
    assert settings["callbacks"] == ["prometheus", "otel"]
    assert settings["turn_off_message_logging"] is True


OWN = """\
# mine
model_list:
- model_name: small
  litellm_params: {model: openai/small, mock_response: hello}
- model_name: open/*
  litellm_params: {model: openai/*}
router_settings: {num_retries: 1}
"""


@pytest.mark.parametrize("models", [["small"], ["open/x"], ["open/*"], ["small", "open/x"]])
def test_a_configuration_of_ones_own_is_used_to_the_letter(models: list[str]) -> None:
    assert litellm.config({"models": models, "configYaml": {"fromString": OWN}}) == OWN


def test_one_in_a_secret_is_not_read_here() -> None:
    source = {"fromSecretKeyRef": {"name": "litellm", "key": "config"}}
    assert litellm.config({"models": ["a"], "configYaml": source}) is None


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        (OWN, Reason.MODEL_NOT_SERVED, ["does not serve absent", "small, open/*"]),
        ("model_list: [unclosed\n\n\n", Reason.INVALID_PARAMS, ["not YAML, line 1"]),
        ("a: *nobody", Reason.INVALID_PARAMS, ["not YAML, line 1"]),
        ("[" * 60_000, Reason.INVALID_PARAMS, ["nested more than"]),
        ("a: 2026-99-99", Reason.INVALID_PARAMS, ["cannot be read"]),
        ("", Reason.INVALID_PARAMS, ["no model_list"]),
        ("just words", Reason.INVALID_PARAMS, ["no model_list"]),
        ("model_list: []", Reason.INVALID_PARAMS, ["no model_list"]),
        ("model_list: [absent]", Reason.INVALID_PARAMS, ["model_list[0]"]),
        ("model_list: [{model_name: absent}]", Reason.INVALID_PARAMS, ["model_list[0]", "litellm_params.model"]),
        ("model_list: [{model_name: [a], litellm_params: {model: a}}]", Reason.INVALID_PARAMS, ["model_list[0]"]),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_one_that_cannot_serve_the_models_is_refused_with_the_reason(
    text: str, reason: Reason, words: list[str]
) -> None:
    with pytest.raises(Blocked) as blocked:
        litellm.config({"models": ["absent"], "configYaml": {"fromString": text}})
    assert blocked.value.problem.reason == reason
    for word in words:
        assert word in blocked.value.problem.message


def test_no_word_of_a_configuration_but_names_is_repeated() -> None:
    text = "model_list:\n- model_name: a\n  litellm_params: {model: openai/a, api_key: sk-canary}\n"
    with pytest.raises(Blocked) as blocked:
        litellm.config({"models": ["b"], "configYaml": {"fromString": text}})
    assert "sk-canary" not in blocked.value.problem.message
