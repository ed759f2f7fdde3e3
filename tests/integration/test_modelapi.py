"""The operator's promises for one ModelAPI, on any place."""

from __future__ import annotations

import json

import pytest

from kaos.api.names import MODELAPIS
from kaos.kube.resources import DEPLOYMENTS
from tests.conftest import RELAY
from tests.stories import is_ready, message, modelapi, reason

READY_S = 60


@pytest.fixture
def mock(kaos, namespace):
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=modelapi()).ok()
    return "mock"


def test_a_ready_model_api_lists_what_it_serves(place, mock, namespace):
    status = place.object("modelapi", mock, namespace)["status"]
    assert status["phase"] == "Ready"
    assert status["type"] == "mock"
    assert status["models"] == ["mock"]
    assert status["modelsSummary"] == "mock"
    assert status["endpoint"] == f"http://modelapi-mock.{namespace}.svc.cluster.local:8000"


def test_children_carry_the_contracts_names_and_labels(place, mock, namespace):
    from kubernetes import client

    deployment = client.AppsV1Api(place.kubernetes()).read_namespaced_deployment("modelapi-mock", namespace)
    assert deployment.metadata.labels["modelapi"] == "mock"
    container = deployment.spec.template.spec.containers[0]
    assert container.name == "model-api"
    assert container.security_context.read_only_root_filesystem


def test_a_changed_configuration_rolls_the_pods(place, kaos, mock, namespace):
    changed = modelapi(mockConfig={"models": ["other"]})
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=changed).ok()
    rolled = place.until(MODELAPIS, mock, namespace, lambda obj: obj["status"].get("models") == ["other"], READY_S)
    assert is_ready(rolled)


def test_scripted_responses_are_given_in_turn(place, kaos, namespace):
    scripted = modelapi("scripted", mockConfig={"responses": ["the first answer"]})
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=scripted).ok()
    said = kaos("modelapi", "invoke", "scripted", "-n", namespace, "--message", "anything").ok()
    assert said.stdout == "the first answer\n"


def test_the_alias_mode_means_the_same(place, kaos, namespace):
    manifest = modelapi("old-name").replace("type: mock", "mode: Mock")
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=manifest).ok()
    assert place.object("modelapi", "old-name", namespace)["status"]["type"] == "mock"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"type": "proxy"}, ["proxyConfig"]),
        ({"type": "hosted"}, ["hostedConfig"]),
        ({"type": "proxy", "proxyConfig": {"models": []}}, ["models"]),
        ({"mode": "Mock"}, ["type or mode"]),
        ({"type": "proxy", "proxyConfig": {"models": ["a"], "apiKey": {}}}, ["value"]),
        ({"mockConfig": {"latency": "soon"}}, ["latency"]),
    ],
    ids=["proxy without config", "hosted without config", "no models", "type and mode", "empty key", "latency"],
)
def test_what_cannot_be_is_refused_with_the_reason(kaos, namespace, spec, words):
    refused = kaos("modelapi", "deploy", "-f", "-", "-n", namespace, stdin=modelapi("wrong", **spec))
    assert refused.code == 2, refused
    for word in words:
        assert word in refused.stderr


def test_a_memory_limit_that_is_none_is_told_in_kubernetes_words(place, kaos, namespace):
    manifest = modelapi("greedy", container={"resources": {"limits": {"memory": "lots"}}})
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, stdin=manifest).ok()
    failed = place.until(MODELAPIS, "greedy", namespace, lambda obj: reason(obj) == "InvalidPodSpec", 30)
    assert failed["status"]["phase"] == "Failed"
    assert "quantities must match" in message(failed)


def test_a_memory_limit_below_what_is_usual_is_enough_to_ask_for(place, kaos, namespace):
    modest = modelapi("modest", container={"resources": {"limits": {"memory": "100Mi"}}})
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=modest).ok()


def test_an_environment_field_of_the_old_contract_names_its_replacement(kaos, namespace):
    manifest = modelapi("old", type="proxy", proxyConfig={"models": ["a"], "env": []})
    refused = kaos("modelapi", "deploy", "-f", "-", "-n", namespace, stdin=manifest)
    assert refused.code == 2
    assert "spec.container.env" in refused.stderr


def test_a_missing_key_is_named_and_cured_by_creating_it(place, kaos, namespace):
    key = {"valueFrom": {"secretKeyRef": {"name": "provider", "key": "token"}}}
    config = "model_list:\n- model_name: a\n  litellm_params: {model: openai/a, mock_response: hi}\n"
    proxy = {"models": ["a"], "apiKey": key, "configYaml": {"fromString": config}}
    manifest = modelapi("keyed", type="proxy", proxyConfig=proxy, container=RELAY)
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, stdin=manifest).ok()
    waiting = place.until(MODELAPIS, "keyed", namespace, lambda obj: reason(obj) == "SecretNotFound", 60)
    assert "provider" in message(waiting)
    kaos("secret", "create", "provider", "-n", namespace, "--from-stdin", "token", stdin="s3cr3t-canary").ok()
    ready = place.until(MODELAPIS, "keyed", namespace, is_ready, 90)
    assert "s3cr3t-canary" not in json.dumps(ready)


def test_a_suspended_model_api_has_no_pods(place, kaos, mock, namespace):
    kaos("modelapi", "suspend", mock, "-n", namespace).ok()
    place.until(
        DEPLOYMENTS, "modelapi-mock", namespace, lambda obj: not obj.get("status", {}).get("replicas"), timeout_s=60
    )
    kaos("modelapi", "resume", mock, "-n", namespace).ok()
    place.until(MODELAPIS, mock, namespace, is_ready, READY_S)
