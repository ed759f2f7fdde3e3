"""What becomes of a ModelAPI: which models count as served, whose key is whose, Secrets that are not read."""

from __future__ import annotations

from typing import Any

import pytest

from kaos.api.names import CHECK_CONTAINER, MODEL_CONTAINER, Reason
from kaos.operator.decide import litellm
from kaos.operator.decide.modelapi import decide
from kaos.operator.decide.world import Decision, Handshake, World
from tests.unit.operator import worlds

Object = dict[str, Any]
CHILD = "modelapi-llm"
SECRET = {"fromSecretKeyRef": {"name": "litellm", "key": "config"}}
KEY = {"env": [{"name": "LITELLM_MASTER_KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "litellm"}}}]}


def config(*names: str) -> Object:
    entries = "".join(f"- model_name: {name!r}\n  litellm_params: {{model: openai/x}}\n" for name in names)
    return {"fromString": f"model_list:\n{entries}"}


def proxy(*models: str, config_yaml: Object | None = None, **spec: Any) -> Object:
    meta = {"name": "llm", "namespace": worlds.NAMESPACE, "uid": "uid-of-llm", "generation": 3}
    own = {"configYaml": config_yaml} if config_yaml else {}
    spec = {"type": "proxy", "replicas": 1, "proxyConfig": {"models": list(models), **own}, **spec}
    return {"apiVersion": "kaos.tools/v1alpha1", "kind": "ModelAPI", "metadata": meta, "spec": spec}


def running(obj: Object, pod: Object, **said: Any) -> World:
    """The world in which the deployment is rolled out and this pod has said that."""
    deployment = next(
        child.object for child in decide(obj, worlds.world()).children if child.object["kind"] == "Deployment"
    )
    meta = deployment["metadata"] | {"uid": "d", "resourceVersion": "7", "generation": 1}
    live = {("Deployment", CHILD): deployment | {"metadata": meta, "status": worlds.rolled()}}
    pod["spec"] = deployment["spec"]["template"]["spec"]
    known = (Handshake(worlds.answered(pod).pod, good=True, **said),) if said else ()
    return worlds.world(children=live, pods=(pod,), handshakes=known)


def a_pod(**facts: Any) -> Object:
    return worlds.pod("llm-1", container=MODEL_CONTAINER, **facts)


def init_containers(decision: Decision) -> list[Object]:
    return worlds.pod_spec(decision).get("initContainers", [])


@pytest.mark.parametrize(
    ("declared", "config_yaml", "said", "served"),
    [
        (["a", "b"], None, {"models": ("b", "a")}, ["a", "b"]),
        (["a", "b"], None, {"models": ("a",)}, ["a"]),
        (["a"], None, {"models": ("a", "alias")}, ["a", "alias"]),
        (["a"], None, {"models": ("other",)}, ["other"]),
        (["a", "openai/*"], None, {"models": ("openai/z", "a", "openai/y", "odd")}, ["a", "openai/*"]),
        (["*"], None, {"models": tuple(f"openai/{n}" for n in range(300))}, ["*"]),
        (["a"], config("a", "open/*"), {"models": ("a", "open/y")}, ["a", "open/*"]),
        (["a", "open/x"], SECRET, {"models": ("a", "open/*")}, ["a", "open/x", "open/*"]),
        (["a", "openai/*"], None, {"keyed": True}, ["a", "openai/*"]),
        (["a"], config("a", "b"), {"keyed": True}, ["a", "b"]),
        (["a"], SECRET, {"keyed": True}, ["a"]),
    ],
)
def test_what_counts_as_served(
    declared: list[str], config_yaml: Object | None, said: Object, served: list[str]
) -> None:
    asked = {"models": declared} | ({"configYaml": config_yaml} if config_yaml else {})
    assert litellm.served(asked, Handshake("pod", good=True, **said)) == served


def test_a_proxy_that_lists_nothing_without_a_key_is_ready_with_the_models_of_its_configuration() -> None:
    obj = proxy("a", "openai/*", container=KEY)
    status = decide(obj, running(obj, a_pod(), keyed=True)).status
    assert (status["phase"], status["ready"], status["reason"]) == ("Ready", True, "Ready")
    assert status["models"] == ["a", "openai/*"]
    assert status["modelsSummary"] == "a, openai/*"


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"container": KEY}, "/health/readiness"),
        ({}, "/v1/models"),
        ({"type": "mock", "proxyConfig": None, "container": KEY}, "/v1/models"),
    ],
    ids=["with a key", "without one", "a mock, which has no use for one"],
)
def test_a_proxy_with_a_key_is_asked_where_none_is_needed(spec: Object, path: str) -> None:
    obj = proxy("a", **spec)
    ask = decide(obj, running(obj, a_pod())).ask
    assert (ask.path, ask.protocol, ask.port) == (path, "models", 8000)


def test_a_configuration_in_a_secret_is_looked_at_before_the_proxy_starts() -> None:
    (check,) = init_containers(decide(proxy("a", "b/*", config_yaml=SECRET), worlds.world()))
    assert check["name"] == CHECK_CONTAINER
    assert check["command"] == ["python", "-m", "kaos.dataplane.model", "check"]
    assert check["args"] == [
        "--config", "/etc/kaos/config.yaml", "--name", "config of Secret litellm", "--model=a", "--model=b/*",
    ]  # fmt: skip
    assert check["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert check["securityContext"]["readOnlyRootFilesystem"]


def test_a_configuration_that_was_read_already_needs_no_such_step() -> None:
    assert init_containers(decide(proxy("a"), worlds.world())) == []
    assert init_containers(decide(proxy("a", config_yaml=config("a")), worlds.world())) == []


@pytest.mark.parametrize(
    ("code", "name", "reason"),
    [
        (69, CHECK_CONTAINER, Reason.MODEL_NOT_SERVED),
        (78, CHECK_CONTAINER, Reason.INVALID_PARAMS),
        (1, CHECK_CONTAINER, Reason.CRASH_LOOPING),
        (69, "of-the-user", Reason.CRASH_LOOPING),
    ],
)
@pytest.mark.parametrize("state", ["terminated", "waiting"])
def test_what_that_step_says_is_the_status(code: int, name: str, reason: Reason, state: str) -> None:
    words = "config of Secret litellm does not serve b, which models lists; it serves: a; correct it there"
    ended = {"terminated": {"exitCode": code, "reason": "Error", "message": words}}
    backing_off = {"waiting": {"reason": "CrashLoopBackOff"}}
    pod = a_pod(ready=False, state={"waiting": {"reason": "PodInitializing"}})
    told = {"name": name, "ready": False, "restartCount": 1, "lastState": ended if state == "waiting" else {}}
    pod["status"]["initContainerStatuses"] = [told | {"state": backing_off if state == "waiting" else ended}]
    obj = proxy("b", config_yaml=SECRET)
    status = decide(obj, running(obj, pod)).status
    assert status["reason"] == reason
    assert words in status["message"]
    assert status["phase"] == "Failed"


def test_the_key_of_the_owner_is_given_to_agents_from_the_same_source() -> None:
    from kaos.operator.decide import agent

    meta = {"name": "helper", "namespace": worlds.NAMESPACE, "uid": "u", "generation": 1}
    obj = {"apiVersion": "kaos.tools/v1alpha1", "kind": "Agent", "metadata": meta}
    obj["spec"] = {"modelAPI": "llm", "model": "a", "replicas": 1, "waitForDependencies": False}
    decision = agent.decide(obj, worlds.world(modelapis={"llm": proxy("a", container=KEY)}))
    env = {one["name"]: one for one in children_env(decision)}
    assert env["MODEL_API_KEY"]["valueFrom"] == KEY["env"][0]["valueFrom"]
    assert "LITELLM_MASTER_KEY" not in env


def children_env(decision: Decision) -> list[Object]:
    return worlds.pod_spec(decision)["containers"][0]["env"]
