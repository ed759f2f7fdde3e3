"""The `kaos modelapi` command as a person uses it."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.stories import agent, modelapi


@pytest.fixture
def mock(kaos, namespace):
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=modelapi()).ok()
    return "mock"


def test_list_shows_the_contracts_columns(kaos, mock, namespace):
    header, row = kaos("modelapi", "list", "-n", namespace).ok().stdout.splitlines()
    assert header.split() == ["NAME", "TYPE", "MODELS", "READY", "REASON", "AGE"]
    assert row.split()[:5] == ["mock", "mock", "mock", "True", "Ready"]


def test_flags_make_the_manifest(kaos, namespace):
    arguments = ["--name", "gpt", "--model", "gpt-4o", "--model", "openai/*", "--api-key", "openai/token", "--dry-run"]
    made = yaml.safe_load(kaos("modelapi", "deploy", *arguments, "-n", namespace).ok().stdout)
    assert made["spec"] == {
        "type": "proxy",
        "proxyConfig": {
            "models": ["gpt-4o", "openai/*"],
            "apiKey": {"valueFrom": {"secretKeyRef": {"name": "openai", "key": "token"}}},
        },
    }


def test_a_key_on_the_command_line_is_refused(kaos, namespace):
    refused = kaos("modelapi", "deploy", "--name", "x", "--model", "a", "--api-key", "sk-canary-3", "-n", namespace)
    assert refused.code == 2
    assert "SECRET/KEY" in refused.stderr
    assert "sk-canary-3" not in refused.stderr


def test_invoke_asks_the_only_model(kaos, mock, namespace):
    assert kaos("modelapi", "invoke", mock, "-n", namespace, "--message", "hello").ok().stdout == "mock: hello\n"
    whole = json.loads(kaos("modelapi", "invoke", mock, "-n", namespace, "-m", "hello", "-o", "json").ok().stdout)
    assert whole["usage"]["total_tokens"] > 0


def test_several_models_must_be_chosen_from(kaos, namespace):
    several = modelapi("several", mockConfig={"models": ["small", "large"]})
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=several).ok()
    refused = kaos("modelapi", "invoke", "several", "-n", namespace, "--message", "hello")
    assert refused.code == 2
    assert "small, large" in refused.stderr
    said = kaos("modelapi", "invoke", "several", "-n", namespace, "--message", "hello", "--model", "large").ok()
    assert said.stdout == "mock: hello\n"


def test_models_lists_what_is_really_served(kaos, mock, namespace):
    assert kaos("modelapi", "models", mock, "-n", namespace, "-o", "name").ok().stdout == "mock\n"


def test_describe_tells_type_models_and_who_uses_it(kaos, mock, namespace):
    kaos("agent", "deploy", "-f", "-", "-n", namespace, stdin=agent("helper")).ok()
    lines = [line.split() for line in kaos("modelapi", "describe", mock, "-n", namespace).ok().stdout.splitlines()]
    assert ["Type:", "mock:", "no", "model,", "deterministic", "answers"] in lines
    assert ["Serves:", "mock"] in lines
    assert ["Agent", "helper", "thinks", "with", "it"] in lines


def test_a_failing_model_is_told_with_its_status(kaos, mock, namespace):
    failed = kaos("modelapi", "invoke", mock, "-n", namespace, "--message", "error 429")
    assert failed.code == 1
    assert "429" in failed.stderr
    assert "Traceback" not in failed.stderr
