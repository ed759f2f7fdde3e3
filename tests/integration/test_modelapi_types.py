"""Proxies and hosted models: what each type of ModelAPI is configured with, and what it says when it cannot be."""

from __future__ import annotations

import pytest

from kaos.api.names import MODELAPIS
from kaos.dataplane.model.litellm import REQUIREMENT
from tests.conftest import RELAY, ROOT
from tests.stories import agent, is_ready, message, modelapi, reason

CONFIG = """\
model_list:
- model_name: small
  litellm_params: {model: openai/small, mock_response: small says hello}
- model_name: open/*
  litellm_params: {model: openai/*, mock_response: anything goes}
"""


def proxy(name: str, models: list[str], config: str = CONFIG, **more) -> str:
    spec = {"models": models, "configYaml": {"fromString": config}, **more}
    return modelapi(name, type="proxy", proxyConfig=spec, container=RELAY)


def test_a_proxy_serves_its_configuration(place, kaos, namespace):
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=proxy("proxy", ["small", "open/x"])).ok()
    status = place.object("modelapi", "proxy", namespace)["status"]
    assert status["type"] == "proxy"
    assert set(status["models"]) == {"small", "open/*"}
    ask = ["modelapi", "invoke", "proxy", "-n", namespace, "--message", "hi", "--model"]
    assert kaos(*ask, "small").ok().stdout == "small says hello\n"
    assert kaos(*ask, "open/anything").ok().stdout == "anything goes\n"
    unknown = kaos(*ask, "large")
    assert unknown.code == 1
    assert "large" in unknown.stderr


def test_a_configuration_from_a_secret_is_mounted(place, kaos, namespace):
    kaos("secret", "create", "litellm", "-n", namespace, "--from-stdin", "config", stdin=CONFIG).ok()
    source = {"fromSecretKeyRef": {"name": "litellm", "key": "config"}}
    manifest = modelapi("proxy", type="proxy", proxyConfig={"models": ["small"], "configYaml": source}, container=RELAY)
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=manifest).ok()
    said = kaos("modelapi", "invoke", "proxy", "-n", namespace, "--message", "hi", "--model", "small").ok()
    assert said.stdout == "small says hello\n"


def test_a_configuration_in_a_secret_is_checked_where_it_is_read_and_heals_by_itself(place, kaos, namespace):
    kaos("secret", "create", "litellm", "-n", namespace, "--from-stdin", "config", stdin=CONFIG).ok()
    source = {"fromSecretKeyRef": {"name": "litellm", "key": "config"}}
    spec = {"models": ["small", "absent"], "configYaml": source}
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace,
         stdin=modelapi("proxy", type="proxy", proxyConfig=spec, container=RELAY)).ok()  # fmt: skip
    failed = place.until(MODELAPIS, "proxy", namespace, lambda obj: reason(obj) == "ModelNotServed", 60)
    assert "config of Secret litellm does not serve absent" in message(failed)
    assert "it serves: small, open/*" in message(failed)
    assert failed["status"]["phase"] == "Failed"
    kaos("secret", "delete", "litellm", "-n", namespace, "--yes").ok()
    mended = CONFIG.replace("open/*", "absent")
    kaos("secret", "create", "litellm", "-n", namespace, "--from-stdin", "config", stdin=mended).ok()
    ready = place.until(MODELAPIS, "proxy", namespace, is_ready, 180)
    assert ready["status"]["models"] == ["small", "absent"]


def test_a_secret_that_holds_no_configuration_is_told_without_its_words(place, kaos, namespace):
    kaos("secret", "create", "litellm", "-n", namespace, "--from-stdin", "config", stdin="sk-canary: [").ok()
    source = {"fromSecretKeyRef": {"name": "litellm", "key": "config"}}
    manifest = modelapi("proxy", type="proxy", proxyConfig={"models": ["a"], "configYaml": source}, container=RELAY)
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, stdin=manifest).ok()
    failed = place.until(MODELAPIS, "proxy", namespace, lambda obj: reason(obj) == "InvalidParams", 60)
    assert "config of Secret litellm is not YAML, line 1" in message(failed)
    assert "sk-canary" not in str(failed)


def test_a_changed_configuration_is_served_after_the_rollout(place, kaos, namespace):
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=proxy("proxy", ["small"])).ok()
    changed = CONFIG.replace("small says hello", "small says goodbye")
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=proxy("proxy", ["small"], changed)).ok()
    said = kaos("modelapi", "invoke", "proxy", "-n", namespace, "--message", "hi", "--model", "small").ok()
    assert said.stdout == "small says goodbye\n"


@pytest.mark.parametrize(
    ("manifest", "why", "words"),
    [
        (proxy("wrong", ["small", "absent"]), "ModelNotServed", ["absent", "small"]),
        (proxy("wrong", ["small"], "model_list: [unclosed"), "InvalidParams", ["not YAML"]),
        (proxy("wrong", ["small"], "models: []"), "InvalidParams", ["model_list"]),
    ],
    ids=["model not in it", "not YAML", "no list"],
)
def test_a_configuration_that_cannot_serve_the_models_says_why(place, kaos, namespace, manifest, why, words):
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, stdin=manifest).ok()
    failed = place.until(MODELAPIS, "wrong", namespace, lambda obj: reason(obj) == why, 30)
    for word in words:
        assert word in message(failed)


def test_a_master_key_is_sent_by_the_command_and_needed_by_others(place, kaos, namespace):
    from kaos.cluster import Client, resolve

    kaos("secret", "create", "keys", "-n", namespace, "--from-stdin", "litellm", stdin="sk-canary-1").ok()
    reference = {"secretKeyRef": {"name": "keys", "key": "litellm"}}
    container = RELAY | {"env": [{"name": "LITELLM_MASTER_KEY", "valueFrom": reference}]}
    spec = {"models": ["small"], "configYaml": {"fromString": CONFIG}}
    manifest = modelapi("locked", type="proxy", proxyConfig=spec, container=container)
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=manifest).ok()
    said = kaos("modelapi", "invoke", "locked", "-n", namespace, "--message", "hi", "--model", "small").ok()
    assert said.stdout == "small says hello\n"
    wrong = kaos(
        "modelapi", "invoke", "locked", "-n", namespace, "-m", "hi", "--model", "small", KAOS_MODEL_API_KEY="x"
    )
    assert wrong.code == 1
    assert (
        wrong.stderr
        == f"Error: ModelAPI {namespace}/locked: its key is missing or wrong (HTTP 401).\nSet KAOS_MODEL_API_KEY\n"
    )
    path = f"/api/v1/namespaces/{namespace}/services/modelapi-locked:8000/proxy/v1/chat/completions"
    stranger = Client(resolve(kubeconfig=str(place.kubeconfig)))
    assert stranger.request("POST", path, check=False).status == 401


@pytest.fixture(scope="session")
def litellm(place) -> dict:
    """How LiteLLM itself is run: an environment of its own on the local cluster, an image for the test elsewhere."""
    if place.name == "local":
        return {}
    image = f"kaos-test/litellm:{REQUIREMENT.rpartition('=')[2]}"
    place.load_image(image, ROOT / "tests/images/litellm", build_args={"REQUIREMENT": REQUIREMENT})
    return {"image": image}


def with_litellm(kaos, namespace: str, name: str, spec: dict, container: dict) -> None:
    """Deploy it and wait, on the local cluster for LiteLLM's installation too."""
    manifest = modelapi(name, type="proxy", proxyConfig=spec, container=container)
    command = ["modelapi", "deploy", "-f", "-", "-n", namespace, "--wait", "600"]
    kaos(*command, stdin=manifest, timeout_s=700).ok()
    log = kaos("modelapi", "logs", name, "-n", namespace).ok().stdout
    assert "LiteLLM: Proxy initialized with Config" in log, "LiteLLM itself serves, nothing in its place"


@pytest.mark.full
@pytest.mark.timeout(900)
def test_litellm_itself_serves_other_providers(place, kaos, namespace, litellm):
    # The relay too would serve an entry with a mock_response; `tpm` is for LiteLLM alone.
    config = CONFIG.replace("{model: openai/small,", "{model: anthropic/claude, tpm: 100000,")
    spec = {"models": ["small"], "configYaml": {"fromString": config}}
    with_litellm(kaos, namespace, "proxy", spec, litellm)
    status = place.object("modelapi", "proxy", namespace)["status"]
    assert status["models"] == ["small", "open/*"], "a wildcard is told as it is, not as the hundreds it stands for"
    said = kaos("modelapi", "invoke", "proxy", "-n", namespace, "--message", "hi", "--model", "small").ok()
    assert said.stdout == "small says hello\n"
    for name, model, answer in (("helper", "small", "small says hello"), ("any", "open/new", "anything goes")):
        manifest = agent(name, modelAPI="proxy", model=model)
        kaos("agent", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=manifest).ok()
        assert kaos("agent", "invoke", name, "-n", namespace, "--message", "hi").ok().stdout == f"{answer}\n"


@pytest.mark.full
@pytest.mark.timeout(900)
def test_litellm_behind_a_master_key_becomes_ready_and_serves_those_who_have_it(place, kaos, namespace, litellm):
    kaos("secret", "create", "keys", "-n", namespace, "--from-stdin", "litellm", stdin="sk-canary-2").ok()
    reference = {"secretKeyRef": {"name": "keys", "key": "litellm"}}
    container = litellm | {"env": [{"name": "LITELLM_MASTER_KEY", "valueFrom": reference}]}
    config = CONFIG.replace("{model: openai/small,", "{model: anthropic/claude, tpm: 100000,")
    spec = {"models": ["small"], "configYaml": {"fromString": config}}
    with_litellm(kaos, namespace, "locked", spec, container)
    status = place.object("modelapi", "locked", namespace)["status"]
    assert status["models"] == ["small", "open/*"]
    ask = ["modelapi", "invoke", "locked", "-n", namespace, "--message", "hi", "--model", "small"]
    assert kaos(*ask).ok().stdout == "small says hello\n"
    listed = kaos("modelapi", "models", "locked", "-n", namespace, "-o", "name").ok().stdout.splitlines()
    assert "small" in listed
    wrong = kaos(*ask, KAOS_MODEL_API_KEY="sk-wrong")
    assert (wrong.code, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith(f"Error: ModelAPI {namespace}/locked: its key is missing or wrong (HTTP 4")
    assert "sk-" not in wrong.stderr
    helper = agent("helper", modelAPI="locked", model="small")
    kaos("agent", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=helper).ok()
    assert kaos("agent", "invoke", "helper", "-n", namespace, "--message", "hi").ok().stdout == "small says hello\n"
    log = kaos("modelapi", "logs", "locked", "-n", namespace).ok().stdout
    assert "No api key passed in" not in log, "the operator does not knock without a key"
    assert "sk-canary-2" not in log + str(place.object("agent", "helper", namespace))
