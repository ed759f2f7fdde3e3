"""The pod that generated values, the runtime's entry, `container` and `podSpec` add up to; and what is refused."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from kaos.api.names import Reason
from kaos.operator.decide import podspec
from kaos.operator.decide.mcpserver import decide
from kaos.operator.decide.world import Decision, Settings
from tests.seeds import seeds
from tests.unit.operator.worlds import env, main_container, pod_spec, registry_of, server, world

Object = dict[str, Any]


def decided(**spec: Any) -> Decision:
    return decide(server(**spec), world())


def custom(**container: Any) -> Decision:
    return decided(runtime="custom", container={"image": "x:1", **container})


def names(decision: Decision) -> list[str]:
    return [one["name"] for one in main_container(decision)["env"]]


# Environment.


def test_generated_variables() -> None:
    assert env(decided()) == {"PORT": "8000", "LOG_LEVEL": "INFO", "HOME": "/tmp"}  # noqa: S108


def test_params_are_handed_over_in_the_entrys_variable_and_as_they_are() -> None:
    assert env(decided(params="x = '$(PORT)'\n"))["MCP_TOOLS_STRING"] == "x = '$(PORT)'\n"
    assert env(decided(runtime="custom", params="p", container={"image": "x:1"}))["MCP_PARAMS"] == "p"
    assert "MCP_TOOLS_STRING" not in env(decided())


def test_port_is_the_specs_or_the_entrys_and_everywhere_the_same() -> None:
    decision = decided(port=9090)
    assert env(decision)["PORT"] == "9090"
    assert main_container(decision)["ports"] == [{"name": "http", "containerPort": 9090, "protocol": "TCP"}]


def test_the_persons_variables_come_last_and_win_over_the_entrys_and_these_over_generated_ones() -> None:
    given = [
        {"name": "GITHUB_TOKEN", "value": "t"},
        {"name": "PORT", "value": "1"},
        {"name": "GITHUB_ORG", "value": "o"},
        {"name": "READ_ONLY", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": True}}},
    ]
    decision = decided(runtime="github", container={"env": given})
    assert names(decision) == ["HOME", "LOG_LEVEL", "GITHUB_TOKEN", "PORT", "GITHUB_ORG", "READ_ONLY"]
    assert env(decision)["LOG_LEVEL"] == "debug"
    assert env(decision)["PORT"] == "1"
    replaced = main_container(decision)["env"][-1]
    assert replaced == given[-1], "the whole variable, not a mixture of value and valueFrom"


def test_variables_of_pod_spec_win_over_those_of_container() -> None:
    decision = decided(
        container={"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]},
        podSpec={"containers": [{"name": "mcp-server", "env": [{"name": "A", "value": "2"}]}]},
    )
    assert names(decision)[-2:] == ["B", "A"]
    assert env(decision)["A"] == "2"


@pytest.mark.parametrize(
    "spec",
    [
        {"container": {"env": [{"name": "PORT", "value": "1"}, {"name": "HOME", "value": "/x"}]}},
        {"podSpec": {"containers": [{"name": "mcp-server", "env": [{"name": "PORT", "value": "1"}]}]}},
        {"runtime": "github", "container": {"env": [{"name": n, "value": ""} for n in ("GITHUB_TOKEN", "GITHUB_ORG")]}},
        {"telemetry": {"enabled": True}, "container": {"env": [{"name": "OTEL_SERVICE_NAME", "value": "x"}]}},
    ],
)
def test_no_name_stands_twice(spec: Object) -> None:
    found = names(decided(**spec))
    assert len(found) == len(set(found))


def test_a_variable_can_be_taken_away() -> None:
    patch = [{"name": "HOME", "$patch": "delete"}]
    assert "HOME" not in env(decided(podSpec={"containers": [{"name": "mcp-server", "env": patch}]}))


def test_telemetry() -> None:
    assert not [name for name in env(decided(telemetry={"enabled": False, "endpoint": "http://x"})) if "OTEL" in name]
    told = env(decided(telemetry={"enabled": True, "endpoint": "http://collector:4317"}))
    assert told["OTEL_SERVICE_NAME"] == "calc"
    assert told["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4317"
    assert told["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
    assert told["OTEL_RESOURCE_ATTRIBUTES"] == "service.namespace=apps,kaos.resource.kind=MCPServer"
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in env(decided(telemetry={"enabled": True}))


def test_telemetry_that_the_operator_was_set_up_with() -> None:
    around = world(settings=Settings(telemetry=True, telemetry_endpoint="http://collector:4318"))

    def endpoint(**spec: Any) -> str | None:
        return env(decide(server(**spec), around)).get("OTEL_EXPORTER_OTLP_ENDPOINT")

    assert endpoint() == endpoint(telemetry={"enabled": True}) == "http://collector:4318"
    assert endpoint(telemetry={"enabled": True, "endpoint": "http://mine:4318"}) == "http://mine:4318"
    assert endpoint(telemetry={"enabled": False}) is None


# The generated pod.


def test_the_generated_pod_passes_the_restricted_standard() -> None:
    pod = pod_spec(decided())
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert "serviceAccountName" not in pod
    security = main_container(decided())["securityContext"]
    assert security == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert {mount["mountPath"] for mount in main_container(decided())["volumeMounts"]} == {"/tmp"}  # noqa: S108


def test_only_the_root_becomes_writable_where_an_entry_says_so() -> None:
    text = "runtimes: {w: {image: 'x:1', writableRoot: true}}"
    security = main_container(decide(server(runtime="w"), world(registry=registry_of(text))))["securityContext"]
    assert security["readOnlyRootFilesystem"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert podspec.CONTAINER_SECURITY["readOnlyRootFilesystem"] is True, "nothing shared was changed"


def test_command_and_args_are_the_entrys_until_overridden() -> None:
    env = [{"name": n, "value": ""} for n in ("GITHUB_TOKEN", "GITHUB_ORG")]
    assert main_container(decided(runtime="github", container={"env": env}))["args"] == ["--port", "$(PORT)"]
    own = main_container(decided(runtime="github", container={"env": env, "args": ["--x"], "command": ["y"]}))
    assert (own["command"], own["args"]) == (["y"], ["--x"])
    assert "command" not in main_container(decided())


def test_the_local_command_stands_in_for_image_and_command_unless_they_are_the_persons() -> None:
    def annotated(**spec: Any) -> bool:
        decision = decided(**spec)
        template = next(one.object for one in decision.children if one.object["kind"] == "Deployment")["spec"][
            "template"
        ]
        return "local.kaos.tools/command.mcp-server" in template["metadata"].get("annotations", {})

    assert annotated()
    assert annotated(container={"args": ["--x"]})
    assert not annotated(container={"image": "mine:1"})
    assert not annotated(container={"command": ["mine"]})
    assert not annotated(podSpec={"containers": [{"name": "mcp-server", "image": "mine:1"}]})


# Overrides.


def test_pod_spec_wins_over_container_and_container_over_the_generated() -> None:
    decision = decided(
        container={"resources": {"limits": {"memory": "1Gi"}}, "image": "mine:1"},
        podSpec={"containers": [{"name": "mcp-server", "image": "mine:2", "stdin": True}], "priorityClassName": "low"},
    )
    main = main_container(decision)
    assert main["image"] == "mine:2"
    assert main["stdin"] is True
    assert main["resources"]["limits"]["memory"] == "1Gi"
    assert main["resources"]["limits"]["ephemeral-storage"] == "1Gi", "what is not overridden stays"
    assert pod_spec(decision)["priorityClassName"] == "low"


@pytest.mark.parametrize(
    ("resources", "memory"),
    [
        ({"limits": {"memory": "64Mi"}}, ("64Mi", "64Mi")),
        ({"limits": {"memory": 1}}, (1, 1)),
        ({"limits": {"memory": "128Mi"}}, ("128Mi", "128Mi")),
        ({"limits": {"memory": "1Gi"}}, ("128Mi", "1Gi")),
        ({"requests": {"memory": "96Mi"}, "limits": {"memory": "64Mi"}}, ("96Mi", "64Mi")),
        ({"limits": {"memory": "lots"}}, ("128Mi", "lots")),
        ({"limits": None}, ("128Mi", None)),
    ],
    ids=["lower", "a number", "the same", "higher", "a request of the person's", "no amount", "none"],
)
def test_a_generated_request_gives_way_to_a_lower_limit(resources: Object, memory: tuple[Any, Any]) -> None:
    told = main_container(decided(container={"resources": resources}))["resources"]
    assert (told["requests"]["memory"], (told.get("limits") or {}).get("memory")) == memory
    assert told["requests"]["cpu"] == "50m"


def test_containers_that_are_added_get_the_generated_security_context_unless_they_bring_their_own() -> None:
    own = {"readOnlyRootFilesystem": False}
    pod = pod_spec(
        decided(
            podSpec={
                "containers": [{"name": "sidecar", "image": "x:1"}, {"name": "other", "securityContext": own}],
                "initContainers": [{"name": "prepare", "image": "x:1"}],
            }
        )
    )
    by_name = {one["name"]: one for one in [*pod["containers"], *pod["initContainers"]]}
    assert set(by_name) == {"mcp-server", "sidecar", "other", "prepare"}
    assert by_name["sidecar"]["securityContext"] == podspec.CONTAINER_SECURITY
    assert by_name["prepare"]["securityContext"] == podspec.CONTAINER_SECURITY
    assert by_name["other"]["securityContext"] == own


def test_volumes_and_mounts_are_added_to_the_generated_ones() -> None:
    decision = decided(
        container={"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
        podSpec={"volumes": [{"name": "data", "emptyDir": {}}]},
    )
    assert {one["name"] for one in pod_spec(decision)["volumes"]} == {"tmp", "data"}
    assert {one["mountPath"] for one in main_container(decision)["volumeMounts"]} == {"/tmp", "/data"}  # noqa: S108


def test_patch_directives_replace_and_delete() -> None:
    replaced = decided(podSpec={"nodeSelector": {"a": "b"}, "securityContext": {"$patch": "replace", "fsGroup": 5}})
    assert pod_spec(replaced)["securityContext"] == {"fsGroup": 5}
    removed = decided(podSpec={"terminationGracePeriodSeconds": None})
    assert "terminationGracePeriodSeconds" not in pod_spec(removed)


def test_deciding_changes_neither_the_resource_nor_what_is_shared() -> None:
    obj = server(podSpec={"containers": [{"name": "mcp-server", "env": [{"name": "PORT", "value": "1"}]}]})
    before = copy.deepcopy((obj, podspec.POD_SECURITY, podspec.CONTAINER_SECURITY, podspec.RESOURCES))
    decide(obj, world())
    assert (obj, podspec.POD_SECURITY, podspec.CONTAINER_SECURITY, podspec.RESOURCES) == before


# What is refused.

PRIVILEGES = [
    ({"hostNetwork": True}, "podSpec.hostNetwork"),
    ({"hostPID": True}, "podSpec.hostPID"),
    ({"hostIPC": True}, "podSpec.hostIPC"),
    ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "volume v: hostPath"),
    ({"volumes": [{"name": "tmp", "hostPath": {"path": "/"}, "emptyDir": None}]}, "volume tmp: hostPath"),
    (
        {"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"audience": "vault"}}]}}]},
        "volume v: a projected service account token",
    ),
    ({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, "podSpec.securityContext: seccompProfile"),
    ({"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}, "podSpec.securityContext: appArmorProfile"),
    ({"securityContext": {"seLinuxOptions": {"type": "spc_t"}}}, "seLinuxOptions"),
    ({"securityContext": {"seLinuxOptions": {"user": "root"}}}, "seLinuxOptions"),
    ({"securityContext": {"windowsOptions": {"hostProcess": True}}}, "windowsOptions.hostProcess"),
    ({"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}}, "sysctl kernel.msgmax"),
]
CONTAINERS = [
    ({"securityContext": {"privileged": True}}, "privileged"),
    ({"securityContext": {"allowPrivilegeEscalation": True}}, "allowPrivilegeEscalation"),
    ({"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}, "added capabilities (NET_ADMIN)"),
    ({"securityContext": {"procMount": "Unmasked"}}, "procMount"),
    ({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, "seccompProfile Unconfined"),
    ({"securityContext": {"windowsOptions": {"hostProcess": True}}}, "windowsOptions.hostProcess"),
    ({"ports": [{"containerPort": 80, "hostPort": 80}]}, "hostPort 80"),
    ({"livenessProbe": {"httpGet": {"host": "169.254.169.254", "port": 80}}}, "a host in livenessProbe"),
    ({"readinessProbe": {"tcpSocket": {"host": "10.0.0.1", "port": 80}}}, "a host in readinessProbe"),
    ({"lifecycle": {"postStart": {"httpGet": {"host": "x", "port": 80}}}}, "a host in postStart"),
]
PLACES = [
    *((patch, words) for patch, words in PRIVILEGES),
    *(
        ({"containers": [{"name": "mcp-server", **patch}]}, f"container mcp-server: {words}")
        for patch, words in CONTAINERS
    ),
    *(({"containers": [{"name": "more", **patch}]}, f"container more: {words}") for patch, words in CONTAINERS),
    *(({"initContainers": [{"name": "init", **patch}]}, f"container init: {words}") for patch, words in CONTAINERS),
]


@pytest.mark.parametrize(("patch", "words"), PLACES, ids=lambda value: value if isinstance(value, str) else "")
def test_rights_that_are_not_a_tenants_are_refused(patch: Object, words: str) -> None:
    status = decided(podSpec=patch).status
    assert (status["phase"], status["reason"]) == ("Failed", "InvalidPodSpec")
    assert words in status["message"]
    assert decided(podSpec=patch).children is None


@pytest.mark.parametrize("security", [patch for patch, _ in CONTAINERS if "securityContext" in patch])
def test_container_is_judged_as_pod_spec_is(security: Object) -> None:
    assert custom(**security).status["reason"] == "InvalidPodSpec"


@pytest.mark.parametrize(
    "patch",
    [
        {"securityContext": {"runAsUser": 1000, "fsGroup": 1000}},
        {"hostNetwork": False},
        {"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]}},
        {"securityContext": {"seLinuxOptions": {"type": "container_t", "level": "s0:c1"}}},
        {"containers": [{"name": "mcp-server", "securityContext": {"capabilities": {"drop": ["ALL"], "add": []}}}]},
        {"containers": [{"name": "mcp-server", "ports": [{"containerPort": 9999}]}]},
        {"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "c", "optional": True}}]}}]},
        {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]}]}}}},
        {"tolerations": [{"key": "gpu", "operator": "Exists"}], "hostAliases": [{"ip": "1.2.3.4", "hostnames": ["x"]}]},
        {"shareProcessNamespace": True, "dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"]}},
    ],
)  # fmt: skip
def test_what_a_tenant_may_change(patch: Object) -> None:
    assert decided(podSpec=patch).status["reason"] == "RolloutInProgress"


# What is no pod at all.

WRONG = [
    ({"containers": "x"}, "podSpec.containers must be a list"),
    ({"containers": ["x"]}, "podSpec.containers[0] must be an object"),
    ({"containers": [{"image": "x"}]}, "podSpec.containers[0] has no name"),
    ({"containers": [{"name": 5}]}, "podSpec.containers[0].name must be text"),
    ({"containers": [{"name": "mcp-server", "$patch": "delete"}]}, "podSpec removes the container mcp-server"),
    ({"containers": [{"$patch": "replace"}, {"name": "other", "image": "x"}]}, "removes the container mcp-server"),
    ({"$patch": "replace", "containers": "x"}, "podSpec.containers must be a list"),
    ({"$patch": "delete"}, "podSpec removes the container mcp-server"),
    ({"$patch": "what"}, "what"),
    ({"containers": [{"name": "mcp-server", "env": {"A": "1"}}]}, "podSpec.containers[0].env must be a list"),
    ({"containers": [{"name": "mcp-server", "env": [{"value": "1"}]}]}, "env[0] has no name"),
    ({"volumes": [{"emptyDir": {}}]}, "podSpec.volumes[0] has no name"),
    ({"volumes": [{"name": "v", "projected": []}]}, "podSpec.volumes[0].projected must be an object"),
    ({"volumes": [{"name": "v", "secret": {"secretName": "s", "items": [{"key": []}]}}]}, "items[0].key must be text"),
    ({"serviceAccountName": ["admin"]}, "podSpec.serviceAccountName must be text"),
    ({"securityContext": "root"}, "podSpec.securityContext must be an object"),
    ({"securityContext": {"sysctls": ["x"]}}, "podSpec.securityContext.sysctls[0] must be an object"),
]


@pytest.mark.parametrize(("patch", "words"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_no_pod_is_told_by_its_place(patch: Object, words: str) -> None:
    status = decided(podSpec=patch).status
    assert status["reason"] == "InvalidPodSpec"
    assert words in status["message"]


@pytest.mark.parametrize("depth", [33, 900, 9000])
def test_endless_nesting_is_told_and_not_followed(depth: int) -> None:
    nested: Any = 1
    for _ in range(depth):
        nested = {"a": nested} if depth % 2 else [nested]
    status = decided(podSpec={"x": nested}).status
    assert status["reason"] == "InvalidPodSpec"
    assert "podSpec is nested more than 32 levels deep" in status["message"]


def test_a_bad_variable_of_the_registry_is_told_and_not_followed() -> None:
    text = "runtimes: {bad: {image: x, env: [{name: A, valueFrom: [1]}]}}"
    assert decide(server(runtime="bad"), world(registry=registry_of(text))).status["reason"] == "InvalidPodSpec"


# Whatever may come.

FIELDS = """
containers initContainers ephemeralContainers volumes env envFrom name value valueFrom configMapKeyRef secretKeyRef
configMapRef secretRef key items ports containerPort hostPort securityContext capabilities add drop privileged
serviceAccountName serviceAccount automountServiceAccountToken hostNetwork projected sources secret secretName
configMap hostPath volumeMounts mountPath resources limits seccompProfile type sysctls lifecycle preStop httpGet host
livenessProbe tolerations imagePullSecrets topologySpreadConstraints topologyKey optional $patch $retainKeys
$setElementOrder/containers $setElementOrder/env $deleteFromPrimitiveList/x command args finalizers
"""
WORDS = tuple(FIELDS.split())
VALUES = (None, True, False, 0, -1, 1.5, 10**30, "", "x", "mcp-server", "tmp", "replace", "delete", "merge", "PORT",
          "a/b,c", "\u0000", "\ud83d\ude00", "é", "default", [], {})  # fmt: skip


def anything(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.random()
    if depth > 5 or kind < 0.25:
        return chance.choice(VALUES)
    if kind < 0.55:
        return [anything(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {chance.choice(WORDS): anything(chance, depth + 1) for _ in range(chance.randrange(5))}


def shaped(chance: random.Random) -> Object:
    """Nearly a pod: its skeleton is right, so that what is within is reached."""

    def container() -> Object:
        return {
            "name": chance.choice(["mcp-server", "x", 5]),
            **{chance.choice(WORDS): anything(chance, 3) for _ in range(3)},
        }

    return {
        "containers": [container() for _ in range(chance.randrange(3))],
        "volumes": [{"name": "v", chance.choice(WORDS): anything(chance, 2)} for _ in range(chance.randrange(3))],
        chance.choice(WORDS): anything(chance, 2),
    }  # fmt: skip


@pytest.mark.parametrize("seed", seeds(4, 20))
def test_no_pod_spec_and_no_container_breaks_a_decision(seed: int) -> None:
    chance = random.Random(seed)
    reasons = set()
    for _ in range(150):
        spec = {"podSpec": shaped(chance) if chance.random() < 0.6 else anything(chance)}
        if not isinstance(spec["podSpec"], dict):
            continue  # the schema lets only objects through
        if chance.random() < 0.3:
            lists, objects = ("env", "envFrom", "volumeMounts"), ("resources", "securityContext")
            drawn = {field: anything(chance, 2) for field in (*lists, *objects)}
            kinds = dict.fromkeys(lists, list) | dict.fromkeys(objects, dict)
            spec["container"] = {field: value for field, value in drawn.items() if isinstance(value, kinds[field])}
        decision = decide(server(**spec), world(secrets={}))
        reasons.add(decision.status["reason"])
        if decision.children is not None:
            assert podspec.refused(pod_spec(decision)) is None
            found = [one["name"] for one in main_container(decision).get("env") or ()]
            assert len(found) == len(set(found)), spec
    assert Reason.INVALID_POD_SPEC in reasons
