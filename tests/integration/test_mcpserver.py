"""The operator's promises for one MCPServer, on any place."""

from __future__ import annotations

import json

import pytest

from kaos.api.names import MCPSERVERS
from kaos.kube.resources import DEPLOYMENTS, SERVICES
from tests.stories import CALCULATOR, is_ready, mcpserver, message, reason

READY_S = 60
DIES_S = 10


@pytest.fixture
def calculator(kaos, namespace):
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=mcpserver("calculator")).ok()
    return "calculator"


def test_a_ready_server_says_what_it_is_and_lists_its_tools(place, calculator, namespace):
    server = place.object("mcp", calculator, namespace)
    status = server["status"]
    assert status["phase"] == "Ready"
    assert [tool["name"] for tool in status["tools"]] == ["add", "subtract"]
    assert status["tools"][0]["description"] == "Add two numbers."
    assert status["toolCount"] == 2
    assert status["serverInfo"]["name"]
    assert status["protocolVersion"]
    assert status["endpoint"] == f"http://mcpserver-calculator.{namespace}.svc.cluster.local:8000"
    assert status["path"] == "/mcp"
    assert {condition["type"]: condition["status"] for condition in status["conditions"]} == {
        "Accepted": "True",
        "DependenciesReady": "True",
        "Progressing": "False",
        "Ready": "True",
    }


def test_children_carry_the_contracts_names_labels_and_owner(place, calculator, namespace):
    from kubernetes import client

    api = place.kubernetes()
    uid = place.object("mcp", calculator, namespace)["metadata"]["uid"]
    deployment = client.AppsV1Api(api).read_namespaced_deployment("mcpserver-calculator", namespace)
    service = client.CoreV1Api(api).read_namespaced_service("mcpserver-calculator", namespace)
    for child in (deployment, service):
        assert [owner.uid for owner in child.metadata.owner_references] == [uid]
        assert child.metadata.labels["mcpserver"] == "calculator"
        assert child.metadata.labels["app.kubernetes.io/part-of"] == "kaos"
        assert child.metadata.labels["app.kubernetes.io/managed-by"] == "kaos-operator"
    container = deployment.spec.template.spec.containers[0]
    assert container.name == "mcp-server"
    assert container.security_context.read_only_root_filesystem
    assert container.security_context.capabilities.drop == ["ALL"]
    assert deployment.spec.template.spec.automount_service_account_token is False
    assert service.spec.ports[0].port == 8000


@pytest.mark.parametrize("damage", ["scaled", "edited", "deployment deleted", "service deleted"])
def test_drift_is_repaired(place, calculator, namespace, damage):
    from kubernetes import client

    apps, core = client.AppsV1Api(place.kubernetes()), client.CoreV1Api(place.kubernetes())
    name = "mcpserver-calculator"
    before = apps.read_namespaced_deployment(name, namespace)
    match damage:
        case "scaled":
            apps.patch_namespaced_deployment_scale(name, namespace, {"spec": {"replicas": 0}})
        case "edited":
            container = {"name": "mcp-server", "image": "example.org/other:1"}
            apps.patch_namespaced_deployment(
                name, namespace, {"spec": {"template": {"spec": {"containers": [container]}}}}
            )
        case "deployment deleted":
            apps.delete_namespaced_deployment(name, namespace)
        case "service deleted":
            core.delete_namespaced_service(name, namespace)

    def repaired(obj):
        if not obj or obj["metadata"].get("deletionTimestamp"):
            return False
        if damage == "service deleted":
            return True
        container = obj["spec"]["template"]["spec"]["containers"][0]
        return obj["spec"]["replicas"] == 1 and container["image"] == before.spec.template.spec.containers[0].image

    def serving(obj):
        status = obj.get("status", {})
        return (
            status.get("observedGeneration") == obj["metadata"]["generation"] and status.get("availableReplicas") == 1
        )

    place.until(SERVICES if damage == "service deleted" else DEPLOYMENTS, name, namespace, repaired, timeout_s=10)
    place.until(DEPLOYMENTS, name, namespace, serving, READY_S)
    place.until(MCPSERVERS, calculator, namespace, is_ready, READY_S)
    called = place.run("mcp", "invoke", calculator, "-n", namespace, "--tool", "add", "--args", '{"a": 2, "b": 3}')
    assert json.loads(called.ok().stdout) == {"result": 5}


def test_deleting_the_server_deletes_its_children(place, kaos, calculator, namespace):
    kaos("mcp", "delete", calculator, "-n", namespace, "--yes").ok()
    for resource in (DEPLOYMENTS, SERVICES):
        place.until(resource, "mcpserver-calculator", namespace, lambda obj: obj is None, timeout_s=30)


def test_a_changed_tool_is_rolled_out_without_a_lost_call(place, kaos, calculator, namespace):
    changed = CALCULATOR.replace("return a + b", "return (a + b) * 100")
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, stdin=mcpserver("calculator", changed)).ok()
    answers = []
    while not answers or (answers[-1] != 500 and len(answers) < 400):
        called = kaos("mcp", "invoke", calculator, "-n", namespace, "add", "a=2", "b=3").ok()
        answers.append(json.loads(called.stdout)["result"])
    assert set(answers) <= {5, 500}
    assert answers[-1] == 500


def test_a_suspended_server_has_no_pods_and_is_no_failure(place, kaos, calculator, namespace):
    kaos("mcp", "suspend", calculator, "-n", namespace).ok()
    place.until(MCPSERVERS, calculator, namespace, lambda obj: obj["status"].get("phase") == "Suspended", 30)
    place.until(
        DEPLOYMENTS,
        "mcpserver-calculator",
        namespace,
        lambda obj: not obj.get("status", {}).get("replicas"),
        timeout_s=60,
    )
    kaos("mcp", "resume", calculator, "-n", namespace).ok()
    place.until(MCPSERVERS, calculator, namespace, is_ready, READY_S)


def test_ready_falls_within_ten_seconds_when_the_server_dies(place, kaos, namespace):
    deadly = "import os\ndef die() -> None:\n    os._exit(3)\n"
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=mcpserver("mortal", deadly)).ok()
    kaos("mcp", "invoke", "mortal", "-n", namespace, "--tool", "die", "--args", "{}")
    place.until(MCPSERVERS, "mortal", namespace, lambda obj: not obj["status"]["ready"], DIES_S)
    place.until(MCPSERVERS, "mortal", namespace, is_ready, READY_S)


def test_a_failing_server_does_not_hinder_another(place, kaos, namespace):
    crashing = mcpserver("crashing", "import os\nos._exit(1)\n")
    unknown = mcpserver("unknown", runtime="nonsense")
    kaos("apply", "-n", namespace, "-f", "-", stdin=f"{crashing}---\n{unknown}").ok()
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", "60", stdin=mcpserver("good")).ok()


def test_a_missing_secret_is_named_and_cured_by_creating_it(place, kaos, namespace):
    code = "import os\ndef token() -> str:\n    return os.environ['TOKEN']\n"
    env = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "credentials", "key": "token"}}}]
    kaos("mcp", "deploy", "-n", namespace, "-f", "-", stdin=mcpserver("needy", code, container={"env": env})).ok()
    waiting = place.until(MCPSERVERS, "needy", namespace, lambda obj: reason(obj) == "SecretNotFound", 30)
    assert "credentials" in message(waiting)
    kaos("secret", "create", "credentials", "-n", namespace, "--from-stdin", "other", stdin="x").ok()
    waiting = place.until(MCPSERVERS, "needy", namespace, lambda obj: reason(obj) == "SecretKeyNotFound", 60)
    assert "token" in message(waiting)
    kaos("secret", "delete", "credentials", "-n", namespace, "--yes").ok()
    kaos("secret", "create", "credentials", "-n", namespace, "--from-stdin", "token", stdin="s3cr3t-canary").ok()
    ready = place.until(MCPSERVERS, "needy", namespace, is_ready, 90)
    assert "s3cr3t-canary" not in json.dumps(ready)
    assert json.loads(kaos("mcp", "invoke", "needy", "-n", namespace, "token").ok().stdout) == {
        "result": "s3cr3t-canary"
    }


def test_a_changed_configmap_reference_rolls_the_pods(place, kaos, namespace):
    code = "import os\ndef greeting() -> str:\n    return os.environ['GREETING']\n"
    env = [{"name": "GREETING", "valueFrom": {"configMapKeyRef": {"name": "words", "key": "greeting"}}}]
    manifest = mcpserver("greeter", code, container={"env": env})
    kaos("mcp", "deploy", "-n", namespace, "-f", "-", stdin=manifest).ok()
    place.until(MCPSERVERS, "greeter", namespace, lambda obj: reason(obj) == "ConfigMapNotFound", 30)
    words = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: words}\ndata: {greeting: %s}\n"
    kaos("apply", "-n", namespace, "-f", "-", stdin=words % "hello").ok()
    place.until(MCPSERVERS, "greeter", namespace, is_ready, READY_S)
    kaos("apply", "-n", namespace, "-f", "-", stdin=words % "goodbye").ok()
    answers = []
    while answers[-1:] != ["goodbye"] and len(answers) < 200:
        answers.append(json.loads(kaos("mcp", "invoke", "greeter", "-n", namespace, "greeting").ok().stdout)["result"])
    assert answers[-1] == "goodbye"


def test_a_foreign_deployment_of_the_same_name_is_left_alone(place, kaos, namespace):
    from kubernetes import client

    apps = client.AppsV1Api(place.kubernetes())
    labels = {"app": "mine"}
    foreign = {
        "metadata": {"name": "mcpserver-calculator"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "a", "image": "example.org/a:1"}]},
            },
        },
    }
    created = apps.create_namespaced_deployment(namespace, foreign)
    kaos("mcp", "deploy", "-f", "-", "-n", namespace, stdin=mcpserver("calculator")).ok()
    conflicted = place.until(MCPSERVERS, "calculator", namespace, lambda obj: reason(obj) == "Conflict", 30)
    assert "mcpserver-calculator" in message(conflicted)
    after = apps.read_namespaced_deployment("mcpserver-calculator", namespace)
    assert after.metadata.resource_version == created.metadata.resource_version or after.spec == created.spec


def test_a_server_in_a_deleted_namespace_goes_with_it(place, kaos, calculator, namespace):
    from kubernetes import client

    from kaos.kube.resources import NAMESPACES

    core = client.CoreV1Api(place.kubernetes())
    core.delete_namespace(namespace)
    place.until(NAMESPACES, namespace, None, lambda obj: obj is None, 60)
    gone = kaos("mcp", "get", calculator, "-n", namespace)
    assert gone.code == 3
    assert "Traceback" not in gone.stderr


def test_events_tell_a_person_what_happened(place, kaos, calculator, namespace):
    from kubernetes import client

    events = client.CoreV1Api(place.kubernetes()).list_namespaced_event(
        namespace, field_selector="involvedObject.kind=MCPServer,involvedObject.name=calculator"
    )
    assert "Ready" in [event.reason for event in events.items]


def test_params_that_outgrow_the_limit_are_refused_by_the_api_server(kaos, namespace):
    big = "code: |\n  X = '" + "x" * 100_000 + "'\n"
    refused = kaos("mcp", "deploy", "-f", "-", "-n", namespace, stdin=mcpserver("big", big))
    assert refused.code == 2
    assert "params" in refused.stderr
    assert "96 KiB" in refused.stderr


def test_the_pods_environment_holds_no_api_token(place, calculator, namespace):
    from kubernetes import client

    pods = client.CoreV1Api(place.kubernetes()).list_namespaced_pod(namespace, label_selector="mcpserver=calculator")
    mounts = [mount.mount_path for pod in pods.items for c in pod.spec.containers for mount in c.volume_mounts or []]
    assert not [path for path in mounts if "serviceaccount" in path]
