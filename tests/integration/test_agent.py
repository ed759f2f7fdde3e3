"""The operator's promises for one Agent, on any place."""

from __future__ import annotations

import json

import pytest

from kaos.api.names import AGENTS, MODELAPIS
from kaos.kube.resources import DEPLOYMENTS
from tests.stories import agent, is_ready, manifests, mcpserver, message, modelapi, reason

READY_S = 60


@pytest.fixture
def helper(kaos, namespace):
    """An agent with a model and a tool server."""
    text = manifests(modelapi(), mcpserver("calculator"), agent("helper", mcpServers=["calculator"]))
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=text).ok()
    return "helper"


def test_a_ready_agent_lists_its_tools_and_what_it_uses(place, helper, namespace):
    status = place.object("agent", helper, namespace)["status"]
    assert status["phase"] == "Ready"
    assert status["model"] == "mock"
    assert [tool["name"] for tool in status["tools"]] == ["add", "subtract"]
    assert status["linkedResources"] == {"modelAPI": "mock", "mcpServers": ["calculator"], "agents": []}


def test_the_environment_is_the_contracts(place, kaos, namespace):
    from kubernetes import client

    config = {"description": "Adds", "instructions": "Add.", "reasoningLoopMaxSteps": 7}
    env = [{"name": "LOG_LEVEL", "value": "DEBUG"}]
    manifest = agent(
        "full-one",
        mcpServers=["my-tools"],
        agentNetwork={"access": ["other-one"]},
        config=config,
        container={"env": env},
        waitForDependencies=False,
    )
    kaos("agent", "deploy", "-f", "-", "-n", namespace, stdin=manifest).ok()
    place.until(DEPLOYMENTS, "agent-full-one", namespace, lambda obj: obj is not None, 30)
    deployment = client.AppsV1Api(place.kubernetes()).read_namespaced_deployment("agent-full-one", namespace)
    variables = {one.name: one.value for one in deployment.spec.template.spec.containers[0].env}
    assert (
        variables.items()
        >= {
            "AGENT_NAME": "full-one",
            "AGENT_NAMESPACE": namespace,
            "AGENT_DESCRIPTION": "Adds",
            "AGENT_INSTRUCTIONS": "Add.",
            "AGENTIC_LOOP_MAX_STEPS": "7",
            "MODEL_API_URL": f"http://modelapi-mock.{namespace}.svc.cluster.local:8000",
            "MODEL_NAME": "mock",
            "MCP_SERVERS": "my-tools",
            "MCP_SERVER_MY_TOOLS_URL": f"http://mcpserver-my-tools.{namespace}.svc.cluster.local:8000/mcp",
            "PEER_AGENTS": "other-one",
            "PEER_AGENT_OTHER_ONE_CARD_URL": (
                f"http://agent-other-one.{namespace}.svc.cluster.local:8000/.well-known/agent-card.json"
            ),
            "MEMORY_ENABLED": "true",
            "MEMORY_CONTEXT_LIMIT": "6",
            "LOG_LEVEL": "DEBUG",
        }.items()
    )


def test_who_does_not_wait_has_its_tools_soon_after_their_server_is_ready(place, kaos, namespace):
    text = manifests(modelapi(), agent("eager", mcpServers=["calculator"], waitForDependencies=False))
    kaos("apply", "-f", "-", "-n", namespace, stdin=text).ok()
    place.until(AGENTS, "eager", namespace, lambda obj: obj.get("status", {}).get("ready"), READY_S)
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=mcpserver("calculator")).ok()
    place.until(AGENTS, "eager", namespace, lambda obj: obj["status"].get("toolCount") == 2, 30)


def test_dependencies_may_come_in_any_order(place, kaos, namespace):
    kaos("agent", "deploy", "-f", "-", "-n", namespace, stdin=agent("early", mcpServers=["calculator"])).ok()
    waiting = place.until(AGENTS, "early", namespace, lambda obj: reason(obj) == "WaitingForModelAPI", 30)
    assert "mock" in message(waiting)
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, stdin=modelapi()).ok()
    waiting = place.until(AGENTS, "early", namespace, lambda obj: reason(obj) == "WaitingForMCPServer", READY_S)
    assert "calculator" in message(waiting)
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, stdin=mcpserver("calculator")).ok()
    place.until(AGENTS, "early", namespace, is_ready, READY_S)


def test_a_lost_tool_server_degrades_and_the_rest_goes_on(place, kaos, helper, namespace):
    kaos("mcp", "delete", "calculator", "-n", namespace, "--yes").ok()
    degraded = place.until(AGENTS, helper, namespace, lambda obj: obj["status"].get("phase") == "Degraded", 30)
    assert degraded["status"]["ready"] is True
    assert "calculator" in message(degraded)
    said = kaos("agent", "invoke", helper, "-n", namespace, "--message", "hello").ok()
    assert said.stdout == "mock: hello\n"
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, stdin=mcpserver("calculator")).ok()
    place.until(AGENTS, helper, namespace, lambda obj: obj["status"].get("phase") == "Ready", READY_S)


def test_without_its_model_an_agent_is_not_ready_and_comes_back(place, kaos, helper, namespace):
    kaos("modelapi", "suspend", "mock", "-n", namespace).ok()
    place.until(AGENTS, helper, namespace, lambda obj: reason(obj) == "WaitingForModelAPI", 30)
    kaos("modelapi", "resume", "mock", "-n", namespace).ok()
    place.until(AGENTS, helper, namespace, is_ready, READY_S)


def test_a_model_that_is_not_served_is_told_with_those_that_are(place, kaos, namespace):
    text = manifests(modelapi(mockConfig={"models": ["small", "large"]}), agent("picky", model="huge"))
    kaos("apply", "-f", "-", "-n", namespace, stdin=text).ok()
    failed = place.until(AGENTS, "picky", namespace, lambda obj: reason(obj) == "ModelNotServed", READY_S)
    for word in ("huge", "small", "large"):
        assert word in message(failed)


def test_tool_filters_leave_only_what_they_allow(place, kaos, namespace):
    filters = [{"mcpServer": "calculator", "allow": ["*"], "deny": ["sub*"]}]
    text = manifests(
        modelapi(), mcpserver("calculator"), agent("narrow", mcpServers=["calculator"], toolFilters=filters)
    )
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=text).ok()
    assert kaos("agent", "tools", "narrow", "-n", namespace, "-o", "name").ok().stdout == "add\n"


def test_a_sidecar_runs_beside_the_agent(place, kaos, namespace):
    from kubernetes import client

    sleep = ["python", "-c", "import time; time.sleep(3600)"]
    from tests.conftest import KAOS_IMAGE

    sidecar = {"containers": [{"name": "sidecar", "image": KAOS_IMAGE, "command": sleep}]}
    text = manifests(modelapi(), agent("accompanied", podSpec=sidecar))
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=text).ok()
    (pod,) = (
        client.CoreV1Api(place.kubernetes()).list_namespaced_pod(namespace, label_selector="agent=accompanied").items
    )
    assert {status.name: status.ready for status in pod.status.container_statuses} == {"agent": True, "sidecar": True}
    contexts = {container.name: container.security_context for container in pod.spec.containers}
    assert contexts["sidecar"].capabilities.drop == ["ALL"]


def test_a_tool_filter_for_a_server_it_does_not_use_is_refused(kaos, namespace):
    manifest = agent("wrong", toolFilters=[{"mcpServer": "other", "allow": ["*"]}])
    refused = kaos("agent", "deploy", "-f", "-", "-n", namespace, stdin=manifest)
    assert refused.code == 2
    assert "mcpServers" in refused.stderr


def test_deleting_an_agent_deletes_its_children(place, kaos, helper, namespace):
    kaos("agent", "delete", helper, "-n", namespace, "--yes").ok()
    place.until(DEPLOYMENTS, "agent-helper", namespace, lambda obj: obj is None, 30)


def test_the_model_key_comes_from_the_model_apis_owner(place, kaos, namespace):
    from kubernetes import client

    from tests.conftest import RELAY

    kaos("secret", "create", "keys", "-n", namespace, "--from-stdin", "litellm", stdin="sk-canary-2").ok()
    reference = {"secretKeyRef": {"name": "keys", "key": "litellm"}}
    config = "model_list:\n- model_name: small\n  litellm_params: {model: openai/small, mock_response: hello}\n"
    locked = modelapi(
        "locked",
        type="proxy",
        proxyConfig={"models": ["small"], "configYaml": {"fromString": config}},
        container=RELAY | {"env": [{"name": "LITELLM_MASTER_KEY", "valueFrom": reference}]},
    )
    text = manifests(locked, agent("insider", modelAPI="locked", model="small"))
    kaos("apply", "-f", "-", "-n", namespace, "--wait", stdin=text).ok()
    assert kaos("agent", "invoke", "insider", "-n", namespace, "--message", "hi").ok().stdout == "hello\n"
    deployment = client.AppsV1Api(place.kubernetes()).read_namespaced_deployment("agent-insider", namespace)
    assert "sk-canary-2" not in json.dumps(deployment.to_dict(), default=str)
    place.until(MODELAPIS, "locked", namespace, is_ready, 10)
