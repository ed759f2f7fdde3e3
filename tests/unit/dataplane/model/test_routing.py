"""How the relay reads LiteLLM's configuration, and what it leaves to LiteLLM."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kaos.api import models
from kaos.dataplane.model import routing
from tests.unit.dataplane.model.conftest import Running, environment

BASE = "http://127.0.0.1:9/v1"


def document(*params: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model_list": [{"model_name": "m", "litellm_params": one} for one in params], **more}


@pytest.mark.parametrize(
    "params",
    [
        {"model": "openai/gpt-4o"},
        {"model": "gpt-4o"},
        {"model": "gpt-3.5-turbo"},
        {"model": "o3-mini"},
        {"model": "text-embedding-3-small"},
        {"model": "openai/*"},
        {"model": "*"},
        {"model": "ollama/llama3", "api_base": "http://ollama:11434"},
        {"model": "groq/llama", "api_key": "os.environ/GROQ_API_KEY"},
        {"model": "openrouter/anthropic/claude"},
        {"model": "hosted_vllm/x", "api_base": BASE},
        {"model": "llama3", "api_base": BASE},
        {"model": "anthropic/claude", "mock_response": "hi"},
        {"model": "openai/x", "timeout": 5, "organization": "o", "extra_headers": {"a": "b"}},
    ],
    ids=lambda params: params["model"],
)
def test_the_relay_does_this(params: dict[str, Any]) -> None:
    told = {"callbacks": ["prometheus", "otel"], "turn_off_message_logging": True}
    assert routing.unsupported(document(params)) == []
    assert routing.unsupported(document(params, litellm_settings=told)) == []


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (document({"model": "anthropic/claude"}), "anthropic/claude"),
        (document({"model": "anthropic/*"}), "anthropic/*"),
        (document({"model": "anthropic/claude", "api_base": BASE}), "anthropic/claude"),
        (document({"model": "claude-sonnet"}), "claude-sonnet"),
        (document({"model": "bedrock/x"}), "bedrock/x"),
        (document({"model": "azure/x", "api_base": BASE}), "azure/x"),
        (document({"model": "vertex_ai/gemini"}), "vertex_ai/gemini"),
        (document({"model": "openai/x", "temperature": 0.1}), "litellm_params.temperature"),
        (document({"model": "openai/x"}, router_settings={"num_retries": 2}), "router_settings"),
        (document({"model": "openai/x"}, litellm_settings={"callbacks": ["langfuse"]}), "litellm_settings.callbacks"),
        (document({"model": "openai/x"}, general_settings={"database_url": "x"}), "general_settings.database_url"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_this_needs_litellm(config: dict[str, Any], words: str) -> None:
    (line,) = routing.unsupported(config)
    assert words in line
    with pytest.raises(ValueError, match="LiteLLM can"):
        routing.Routes(config, {})


@pytest.mark.parametrize(
    ("served", "wanted", "best"),
    [
        (["a", "*"], "a", "a"),
        (["*", "a"], "b", "*"),
        (["*", "a/*"], "a/b", "a/*"),
        (["a/*", "a/b/*", "*"], "a/b/c", "a/b/*"),
        (["a/*"], "a/", None),
        (["a/*"], "ab", None),
        (["gpt-*"], "gpt-4", "gpt-*"),
        (["*-mini"], "o3-mini", "*-mini"),
        (["ab*ba"], "aba", None),
        (["a"], "A", None),
        ([], "a", None),
    ],
)
def test_the_name_that_fits_best(served: list[str], wanted: str, best: str | None) -> None:
    assert models.best(served, wanted) == best


def test_variables_come_from_the_environment_and_defaults_from_the_providers_own() -> None:
    config = document({"model": "groq/x"}, {"model": "openai/x", "api_base": "os.environ/B", "api_key": "os.environ/K"})
    routes = routing.Routes(config, {"GROQ_API_KEY": "g", "B": BASE, "K": "k"})
    first, second = (routes.target(routes.entry("m"), "m") for _ in range(2))
    assert (first.base, first.headers) == ("https://api.groq.com/openai/v1", {"authorization": "Bearer g"})
    assert (second.base, second.headers) == (BASE, {"authorization": "Bearer k"})


def test_keys_are_not_shown() -> None:
    config = document({"model": "openai/x", "api_key": "sk-canary", "extra_headers": {"x-key": "sk-canary"}})
    routes = routing.Routes(config, {})
    entry = routes.entry("m")
    assert "sk-canary" not in repr(entry) + repr(routes.target(entry, "m"))


ENTRY = "- model_name: m\n  litellm_params: "


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model_list: [unclosed", "config.yaml is not YAML, line 1"),
        ("[" * 60_000, "nested more than"),
        ("a: 2026-99-99", "cannot be read: month must be in"),
        ("", "no model_list"),
        ("model_list: {}", "no model_list"),
        ("model_list: []", "no model_list"),
        ("model_list: [m]", "model_list[0] needs a model_name and a litellm_params.model"),
        ("model_list:\n- model_name: m\n", "model_list[0] needs"),
        (f"model_list:\n{ENTRY}{{}}\n", "model_list[0] needs"),
        (f"model_list:\n{ENTRY}{{model: 7}}\n", "model_list[0] needs"),
        (f"model_list:\n{ENTRY}{{model: openai/x, api_key: os.environ/ABSENT}}\n", "ABSENT is not set"),
        (f"model_list:\n{ENTRY}{{model: openai/x, api_base: 'ftp://x'}}\n", "api_base must be http"),
        (f"model_list:\n{ENTRY}{{model: openai/x, api_base: 'http://u:sk-canary@x/v1'}}\n", "credentials"),
        (f"model_list:\n{ENTRY}{{model: openai/x, timeout: soon}}\n", "timeout must be a number of seconds"),
        (f"model_list:\n{ENTRY}{{model: openai/x, extra_headers: [a]}}\n", "extra_headers of m must be a mapping"),
        (f"model_list:\n{ENTRY}{{model: openai/x}}\ngeneral_settings: [a]\n", "general_settings must be a mapping"),
        (f"model_list:\n{ENTRY}{{model: anthropic/x}}\n", "LiteLLM can: model m: anthropic/x"),
        (None, "No such file"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_told_on_one_line(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "config.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError) as refused:
        routing.Routes(routing.load(str(path)), {})
    told = str(refused.value)
    assert words in told
    assert "\n" not in told
    assert "sk-canary" not in told


def test_it_ends_the_process_as_a_fault_of_the_configuration(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kaos.dataplane.model", "relay", "--config", str(tmp_path / "absent.yaml")]
    ended = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=30)
    assert ended.returncode == 78
    assert ended.stderr == f"{tmp_path}/absent.yaml cannot be read: No such file or directory\n"


def test_proxy_is_the_relay_where_that_will_do_and_else_litellm(start, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(document({"model": "openai/x", "mock_response": "by the relay"})))
    running: Running = start("proxy", "--config", str(path))
    answer = running.ask({"model": "m", "messages": []})
    assert answer.json()["choices"][0]["message"]["content"] == "by the relay"
    path.write_text(yaml.safe_dump(document({"model": "anthropic/x"})))
    command = [sys.executable, "-m", "kaos.dataplane.model", "proxy", "--config", str(path)]
    ended = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=30)
    assert ended.returncode == 78
    assert ended.stdout == "model m: anthropic/x is not reached by OpenAI's protocol; so this is LiteLLM\n"
    assert "LiteLLM runs by its own image" in ended.stderr
