"""What is decided for an MCPServer: every reason it can have, with the words a person reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from kaos.api.names import REASONS, Reason
from kaos.operator.decide.mcpserver import decide
from kaos.operator.decide.world import Problem, World
from tests.unit.operator.worlds import (
    NAME,
    NOW,
    REGISTRY,
    account,
    answered,
    children,
    condition,
    conditions,
    config_map,
    foreign,
    former_owner,
    made,
    orphaned,
    pod,
    registry_of,
    rolled,
    running,
    server,
    was,
    with_deployment_status,
    world,
)

Object = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A server in a world, and what should come of it."""

    name: str
    obj: Object
    around: World
    phase: str
    reason: Reason
    words: tuple[str, ...] = ()
    ready: bool = False
    # None: the children are left as they are.
    kinds: tuple[str, ...] | None = None
    # Accepted, DependenciesReady, Progressing, Ready
    told: str = ""
    asks: bool = False

    def __str__(self) -> str:
        return self.name


ALL = ("Deployment", "Service", "NetworkPolicy")
NEEDS = {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}}]}
NEEDS_SECRET = {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}}]}
STDIO = {"command": ["server"], "image": "x:1"}


def waiting(reason: str, message: str = "") -> Object:
    return pod(ready=False, state={"waiting": {"reason": reason, "message": message}})


def ended(code: int, message: str = "", reason: str = "Error") -> Object:
    last = {"terminated": {"exitCode": code, "reason": reason, "message": message}}
    back_off = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}}
    return pod(ready=False, restarts=2, state=back_off, last_state=last)


def unscheduled() -> Object:
    told = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: no cpu."}]
    one = pod(ready=False, conditions=told)
    return one | {"status": {"conditions": told}}


NEW = [
    Case("the first pass makes the children", server(), world(), "Pending", Reason.ROLLOUT_IN_PROGRESS,
         ("pods are being started",), kinds=ALL, told="TTTF"),
    Case("an unknown runtime", server(runtime="rawpyton"), world(), "Failed", Reason.RUNTIME_NOT_FOUND,
         ("no runtime rawpyton", "did you mean rawpython?", "github, kubernetes, rawpython", "custom"), told="FTFF"),
    Case("a runtime like no other", server(runtime="zzz"), world(), "Failed", Reason.RUNTIME_NOT_FOUND,
         ("no runtime zzz", "there are: everything, github"), told="FTFF"),
    Case("no registry", server(), world(registry=None), "Failed", Reason.RUNTIME_REGISTRY_INVALID,
         ("kaos-system/kaos-mcp-runtimes", "is missing", "kaos system install --no-operator"), told="FTFF"),
    Case("a registry that is no YAML", server(), world(registry=registry_of("runtimes: [")), "Failed",
         Reason.RUNTIME_REGISTRY_INVALID, ("kaos-system/kaos-mcp-runtimes", "not YAML"), told="FTFF"),
    Case("an empty registry", server(), world(registry=registry_of("runtimes: {}")), "Failed",
         Reason.RUNTIME_REGISTRY_INVALID, ("holds no runtimes",), told="FTFF"),
    Case("a bad entry of its own", server(runtime="bad"), world(registry=registry_of(REGISTRY + "  bad: {port: x}\n")),
         "Failed", Reason.RUNTIME_REGISTRY_INVALID, ("runtime bad: port must be a number",), told="FTFF"),
    Case("a bad entry of another", server(), world(registry=registry_of(REGISTRY + "  bad: {port: x}\n")), "Pending",
         Reason.ROLLOUT_IN_PROGRESS, kinds=ALL, told="TTTF"),
    Case("custom needs no registry", server(runtime="custom", container={"image": "x:1"}), world(registry=None),
         "Pending", Reason.ROLLOUT_IN_PROGRESS, kinds=ALL, told="TTTF"),
    Case("required variables are missing", server(runtime="github"), world(), "Failed", Reason.REQUIRED_ENV_MISSING,
         ("GITHUB_TOKEN, GITHUB_ORG", "spec.container.env", "--secret GITHUB_TOKEN=SECRET/KEY"), told="FTFF"),
    Case("required variables are there", server(runtime="github", container={"env": [
             {"name": "GITHUB_TOKEN", "value": "x"}, {"name": "GITHUB_ORG", "value": "x"}]}), world(),
         "Pending", Reason.ROLLOUT_IN_PROGRESS, kinds=ALL, told="TTTF"),
    Case("required variables may come out of a whole Secret",
         server(runtime="github", container={"envFrom": [{"secretRef": {"name": "all"}}]}), world(), "Pending",
         Reason.ROLLOUT_IN_PROGRESS, kinds=ALL, told="TTTF"),
    Case("a runtime that needs a ServiceAccount", server(runtime="kubernetes"), world(), "Failed",
         Reason.SERVICE_ACCOUNT_REQUIRED, ("runtime kubernetes", "spec.serviceAccountName"), told="FTFF"),
    Case("a ServiceAccount that is missing", server(serviceAccountName="reader"), world(), "Waiting",
         Reason.SERVICE_ACCOUNT_NOT_FOUND, ("ServiceAccount reader does not exist", "create it"), told="TFFF"),
    Case("a ServiceAccount that allows nobody", server(serviceAccountName="reader"),
         world(service_accounts=account("reader")), "Failed", Reason.SERVICE_ACCOUNT_NOT_ALLOWED,
         ("kubectl annotate serviceaccount reader kaos.tools/allow=mcpserver/calc",), told="FTFF"),
    Case("a ServiceAccount that allows others", server(serviceAccountName="reader"),
         world(service_accounts=account("reader", "mcpserver/other, agent/calc")), "Failed",
         Reason.SERVICE_ACCOUNT_NOT_ALLOWED, told="FTFF"),
    Case("a ServiceAccount that allows this one", server(serviceAccountName="reader"),
         world(service_accounts=account("reader", "mcpserver/other, mcpserver/calc")), "Pending",
         Reason.ROLLOUT_IN_PROGRESS, kinds=ALL, told="TTTF"),
    Case("a ServiceAccount that allows every MCPServer", server(serviceAccountName="reader"),
         world(service_accounts=account("reader", "mcpserver/*")), "Pending", Reason.ROLLOUT_IN_PROGRESS, kinds=ALL,
         told="TTTF"),
    Case("a ServiceAccount of podSpec is judged alike", server(podSpec={"serviceAccountName": "admin"}),
         world(service_accounts=account("admin")), "Failed", Reason.SERVICE_ACCOUNT_NOT_ALLOWED, told="FTFF"),
    Case("and so is its old name", server(podSpec={"serviceAccount": "admin"}),
         world(service_accounts=account("admin")), "Failed", Reason.SERVICE_ACCOUNT_NOT_ALLOWED, told="FTFF"),
    Case("the default account's token is an account too", server(podSpec={"automountServiceAccountToken": True}),
         world(service_accounts=account("default")), "Failed", Reason.SERVICE_ACCOUNT_NOT_ALLOWED,
         ("ServiceAccount default",), told="FTFF"),
    Case("nor does taking the name away help",
         server(serviceAccountName="reader", podSpec={"serviceAccountName": None}),
         world(service_accounts=account("reader", "mcpserver/*") | account("default")), "Failed",
         Reason.SERVICE_ACCOUNT_NOT_ALLOWED, ("ServiceAccount default",), told="FTFF"),
    Case("a Secret that is missing", server(container=NEEDS_SECRET), world(secrets={}), "Waiting",
         Reason.SECRET_NOT_FOUND, ("Secret keys does not exist", "kaos secret create keys"), told="TFFF"),
    Case("a Secret without the key", server(container=NEEDS_SECRET), world(secrets={"keys": config_map("keys")}),
         "Waiting", Reason.SECRET_KEY_NOT_FOUND, ("Secret keys has no key a",), told="TFFF"),
    Case("Secrets that we may not read", server(container=NEEDS_SECRET), world(secrets=None), "Pending",
         Reason.ROLLOUT_IN_PROGRESS, kinds=ALL, told="TTTF"),
    Case("a ConfigMap that is missing", server(container=NEEDS), world(), "Waiting", Reason.CONFIGMAP_NOT_FOUND,
         ("ConfigMap settings does not exist",), told="TFFF"),
    Case("a ConfigMap without the key", server(container=NEEDS),
         world(configmaps={"settings": config_map("settings", b="1")}), "Waiting", Reason.CONFIGMAP_NOT_FOUND,
         ("ConfigMap settings has no key a",), told="TFFF"),
    Case("an optional reference", server(container={"envFrom": [{"configMapRef": {"name": "x", "optional": True}}]}),
         world(), "Pending", Reason.ROLLOUT_IN_PROGRESS, kinds=ALL, told="TTTF"),
    Case("params for a runtime without", server(runtime="kubernetes", params="x"), world(), "Failed",
         Reason.INVALID_PARAMS, ("runtime kubernetes takes no params", "remove spec.params"), told="FTFF"),
    Case("a pod that is refused", server(podSpec={"hostNetwork": True}), world(), "Failed", Reason.INVALID_POD_SPEC,
         ("podSpec.hostNetwork is not allowed", "remove it"), told="FTFF"),
    Case("a podSpec of the wrong shape", server(podSpec={"containers": {"a": 1}}), world(), "Failed",
         Reason.INVALID_POD_SPEC, ("podSpec.containers must be a list", "kubectl explain pod.spec"), told="FTFF"),
    Case("references without end", server(podSpec={"containers": [{"name": "x", "image": "x:1", "envFrom": [
             {"configMapRef": {"name": f"c{n}", "optional": True}} for n in range(65)]}]}), world(), "Failed",
         Reason.INVALID_POD_SPEC, ("refers to 65 ConfigMaps and Secrets", "64"), told="FTFF"),
    Case("stdio without a command", server(runtime="github", transport="stdio", container={"env": [
             {"name": "GITHUB_TOKEN", "value": "x"}, {"name": "GITHUB_ORG", "value": "x"}]}), world(), "Failed",
         Reason.INVALID_POD_SPEC, ("transport stdio needs spec.container.command", "entrypoint"), told="FTFF"),
    Case("a remote server", server(runtime=None, remote={"url": "https://example.org/mcp"}), world(registry=None),
         "Pending", Reason.ROLLOUT_IN_PROGRESS, kinds=ALL, told="TTTF"),
    Case("a remote server whose header is missing", server(runtime=None, remote={"url": "https://example.org/mcp",
             "headersFrom": [{"name": "Authorization", "secretKeyRef": {"name": "tokens", "key": "a"}}]}),
         world(secrets={}), "Waiting", Reason.SECRET_NOT_FOUND, ("Secret tokens does not exist",), told="TFFF"),
    Case("a tool filter", server(tools={"allow": ["add"]}), world(), "Pending", Reason.ROLLOUT_IN_PROGRESS, kinds=ALL,
         told="TTTF"),
    Case("a foreign Deployment", server(), world(children=foreign("Deployment")), "Failed", Reason.CONFLICT,
         (f"Deployment {NAME} exists and is not ours", "rename this MCPServer"), told="FTFF"),
    Case("a foreign Service", server(), world(children=foreign("Service")), "Failed", Reason.CONFLICT,
         (f"Service {NAME} exists and is not ours",), told="FTFF"),
    Case("a foreign Deployment with our labels only", server(), world(children=foreign(
             "Deployment", labels={"app.kubernetes.io/part-of": "kaos", "mcpserver": "calc"})), "Failed",
         Reason.CONFLICT, told="FTFF"),
    Case("another resource's child", server(), world(children=foreign("Deployment", ownerReferences=[
             {"kind": "Agent", "name": "calc", "uid": "x"}])), "Failed", Reason.CONFLICT, told="FTFF"),
    Case("what a former server of this name left behind", server(),
         world(children=orphaned(children(server(), world()), ownerReferences=former_owner())), "Pending",
         Reason.ROLLOUT_IN_PROGRESS, ("of the former MCPServer of this name is still being deleted",), told="TTFF"),
    Case("suspended from the beginning", server(suspend=True), world(), "Pending", Reason.ROLLOUT_IN_PROGRESS,
         kinds=ALL, told="TTTF"),
]  # fmt: skip


def failing(one: Object, **status: Any) -> World:
    """Made, but its pod does not serve."""
    kids = with_deployment_status(children(server(), world()), **(status or rolled(1, availableReplicas=0)))
    return running(server(), children=kids, pods=(one,), handshakes=())


def refused_pods(message: str) -> World:
    told = [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}]
    kids = with_deployment_status(children(server(), world()), **rolled(0), conditions=told)
    return running(server(), children=kids, pods=(), handshakes=())


def asked(good: bool, **said: Any) -> World:
    one = pod()
    return running(server(), pods=(one,), handshakes=(answered(one, good, **said),))


BAD = {"reason": Reason.HANDSHAKE_FAILED, "message": "no MCP answer within 10 s"}
SILENT = {"reason": "HandshakeFailed", "message": "no MCP answer within 10 s", "phase": "Failed", "ready": False}

MADE = [
    Case("it serves", server(was()), running(server()), "Ready", Reason.READY, ready=True, kinds=ALL, told="TTFT",
         asks=True),
    Case("its pod is being started", server(), failing(waiting("ContainerCreating")), "Pending",
         Reason.ROLLOUT_IN_PROGRESS, ("pods are being started",), kinds=ALL, told="TTTF"),
    Case("its volumes are not there", server(), failing(pod(ready=False, state={"waiting": {
             "reason": "ContainerCreating"}}, conditions=[{"type": "PodScheduled", "status": "True"},
             {"type": "PodReadyToStartContainers", "status": "False"}])), "Pending", Reason.ROLLOUT_IN_PROGRESS,
         ("pods are being started",), kinds=ALL, told="TTTF"),
    Case("nothing listens", server(), failing(pod(ready=False)), "Pending", Reason.ROLLOUT_IN_PROGRESS,
         ("container mcp-server runs, but does not accept connections",), kinds=ALL, told="TTTF"),
    Case("its pod is up and has not been asked", server(), running(server(), handshakes=()), "Pending",
         Reason.ROLLOUT_IN_PROGRESS, ("waiting for its answer",), kinds=ALL, told="TTTF", asks=True),
    Case("its image cannot be pulled", server(), failing(waiting("ImagePullBackOff", "no such host")), "Failed",
         Reason.IMAGE_PULL_ERROR, ("example.org/rawpython:1", "no such host"), kinds=ALL, told="TTTF"),
    Case("its image needs Docker", server(), failing(waiting("ImageNeedsDocker", "image x needs Docker")), "Waiting",
         Reason.IMAGE_NEEDS_DOCKER, ("needs Docker",), kinds=ALL, told="TTTF"),
    Case("it crashes", server(), failing(ended(3, "boom")), "Failed", Reason.CRASH_LOOPING,
         ("ended with code 3", "boom"), kinds=ALL, told="TTTF"),
    Case("it outgrows its memory", server(), failing(ended(137, reason="OOMKilled")), "Failed", Reason.OOM_KILLED,
         ("resources.limits.memory",), kinds=ALL, told="TTTF"),
    Case("it refuses its params", server(), failing(ended(78, "tools.py, line 3: invalid syntax")), "Failed",
         Reason.INVALID_PARAMS, ("tools.py, line 3: invalid syntax",), kinds=ALL, told="TTTF"),
    Case("no node takes it", server(), failing(unscheduled()), "Waiting", Reason.UNSCHEDULABLE, ("no cpu",), kinds=ALL,
         told="TTTF"),
    Case("the quota is used up", server(), refused_pods('pods "a-b" is forbidden: exceeded quota: q, pods=1'),
         "Waiting", Reason.QUOTA_EXCEEDED, ("exceeded quota: q", "raise the quota"), kinds=ALL, told="TTTF"),
    Case("pod security refuses it", server(),
         refused_pods('pods "a-b" is forbidden: violates PodSecurity "restricted:latest": privileged'), "Failed",
         Reason.POD_SECURITY_REFUSED, ('violates PodSecurity "restricted:latest"',), kinds=ALL, told="TTTF"),
    Case("a policy refuses its pods", server(),
         refused_pods('admission webhook "x.example.org" denied the request: no'), "Failed", Reason.REFUSED,
         ("admission refuses", "x.example.org"), kinds=ALL, told="TTTF"),
    Case("kubelet finds no Secret", server(), failing(waiting("CreateContainerConfigError", 'secret "keys" not found')),
         "Waiting", Reason.SECRET_NOT_FOUND, ("Secret keys does not exist",), kinds=ALL, told="TFTF"),
    Case("kubelet finds no key", server(), failing(waiting(
             "CreateContainerConfigError", "couldn't find key a in Secret apps/keys")), "Waiting",
         Reason.SECRET_KEY_NOT_FOUND, ("Secret keys has no key a",), kinds=ALL, told="TFTF"),
    Case("the account of its pods has gone", server(), refused_pods(
             'pods "x-" is forbidden: error looking up service account apps/sa: serviceaccount "sa" not found'),
         "Waiting", Reason.SERVICE_ACCOUNT_NOT_FOUND, ("ServiceAccount sa does not exist",), kinds=ALL, told="TFTF"),
    Case("it does not answer", server(), asked(False, **BAD), "Failed", Reason.HANDSHAKE_FAILED, ("within 10 s",),
         kinds=ALL, told="TTTF", asks=True),
    Case("it speaks something else", server(), asked(False, reason=Reason.NOT_AN_MCP_SERVER, message="HTTP 200 text"),
         "Failed", Reason.NOT_AN_MCP_SERVER, ("HTTP 200 text",), kinds=ALL, told="TTTF", asks=True),
    Case("a child is refused", server(), world(refused=Problem(Reason.INVALID_POD_SPEC, "spec.x: bad")), "Failed",
         Reason.INVALID_POD_SPEC, ("spec.x: bad",), kinds=ALL, told="FTFF"),
    Case("suspended", server(suspend=True), running(server(suspend=True), pods=(), handshakes=()), "Suspended",
         Reason.SUSPENDED, ("until spec.suspend is false",), kinds=ALL, told="TTFF"),
    Case("no replicas", server(replicas=0), running(server(replicas=0), pods=(), handshakes=()), "Suspended",
         Reason.SUSPENDED, ("spec.replicas is 0",), kinds=ALL, told="TTFF"),
    Case("its pods are those of others", server(), running(server(), pods=(pod(container="other"),), handshakes=()),
         "Pending", Reason.ROLLOUT_IN_PROGRESS, kinds=ALL, told="TTTF"),
]  # fmt: skip


def two(newer: Object, *spoken: Any) -> World:
    """A new pod beside an old one that serves."""
    older = pod("calc-0", created="2026-11-24T08:00:00Z")
    kids = with_deployment_status(children(server(), world()), **rolled(2, updatedReplicas=1, availableReplicas=1))
    return running(server(), children=kids, pods=(older, newer), handshakes=(answered(older), *spoken))


OLD = children(server(params="def old(): ..."), world())
NEEDY = server(was(), container=NEEDS)
FOUND = {"settings": config_map("settings", a="1")}
NEEDY_LIVE = running(NEEDY, configmaps=FOUND)
SUSPENDED = server(suspend=True, container=NEEDS)
NEWER = pod("calc-2", created="2026-11-24T09:30:00Z")

RUNNING = [
    Case("the registry has gone", server(was()), running(server(), registry=None, children=children(server(), world())),
         "Degraded", Reason.RUNTIME_REGISTRY_INVALID, ready=True, told="FTFT", asks=True),
    Case("the registry is broken", server(was()),
         running(server(), registry=registry_of("]"), children=children(server(), world())), "Degraded",
         Reason.RUNTIME_REGISTRY_INVALID, ready=True, told="FTFT", asks=True),
    Case("its entry has gone", server(was()),
         running(server(), registry=registry_of("runtimes: {a: {image: x}}"), children=children(server(), world())),
         "Degraded", Reason.RUNTIME_NOT_FOUND, ready=True, told="FTFT", asks=True),
    Case("its ConfigMap has gone", NEEDY, replace(NEEDY_LIVE, configmaps={}), "Degraded", Reason.CONFIGMAP_NOT_FOUND,
         ready=True, kinds=ALL, told="TFFT", asks=True),
    Case("suspended and its ConfigMap has gone", SUSPENDED,
         replace(running(SUSPENDED, configmaps=FOUND, pods=(), handshakes=()), configmaps={}), "Suspended",
         Reason.SUSPENDED, kinds=ALL, told="TFFF"),
    Case("to be suspended while the registry is broken", server(was(), suspend=True),
         running(server(), registry=None, children=children(server(), world())), "Degraded",
         Reason.RUNTIME_REGISTRY_INVALID, ready=True, told="FTFT", asks=True),
    Case("a change is not applied yet", server(was(), params="def new(): ..."), running(server(), children=OLD),
         "Ready", Reason.READY, ready=True, kinds=ALL, told="TTTT", asks=True),
    Case("new pods start beside old ones that serve", server(was()), two(pod("calc-2", ready=False,
             created="2026-11-24T09:30:00Z")), "Ready", Reason.READY, ready=True, kinds=ALL, told="TTTT", asks=True),
    Case("new pods fail beside old ones that serve", server(was()), two(ended(3, "boom")), "Degraded",
         Reason.CRASH_LOOPING, ("boom",), ready=True, kinds=ALL, told="TTTT", asks=True),
    Case("a new pod does not answer, an old one does", server(was()), two(NEWER, answered(NEWER, False, **BAD)),
         "Degraded", Reason.HANDSHAKE_FAILED, ready=True, kinds=ALL, told="TTTT", asks=True),
    Case("its pod has just become another", server(was()), running(server(), handshakes=()), "Ready", Reason.READY,
         ready=True, kinds=ALL, told="TTFT", asks=True),
    Case("the operator has just started, the pod was silent before", server(was(**SILENT)),
         running(server(), handshakes=()), "Failed", Reason.HANDSHAKE_FAILED, ("within 10 s",), kinds=ALL, told="TTTF",
         asks=True),
    Case("the pod was silent, but of another spec", server(was(**SILENT, observedGeneration=2)),
         running(server(), handshakes=()), "Pending", Reason.ROLLOUT_IN_PROGRESS, kinds=ALL, told="TTTF", asks=True),
    Case("its pod has gone", server(was()), failing(pod(deletionTimestamp=NOW)), "Pending", Reason.ROLLOUT_IN_PROGRESS,
         kinds=ALL, told="TTTF"),
    Case("its Deployment was deleted", server(was()), running(server(), children={}), "Pending",
         Reason.ROLLOUT_IN_PROGRESS, kinds=ALL, told="TTTF"),
    Case("its children have lost their owner", server(was()),
         running(server(), children=orphaned(children(server(), world()))), "Ready", Reason.READY, ready=True,
         kinds=ALL, told="TTTT", asks=True),
    Case("a child is refused while old pods serve", server(was()),
         running(server(), refused=Problem(Reason.QUOTA_EXCEEDED, "exceeded quota")), "Degraded",
         Reason.QUOTA_EXCEEDED, ready=True, kinds=ALL, told="TTFT", asks=True),
]  # fmt: skip

CASES = [*NEW, *MADE, *RUNNING]
ORDER = ("Accepted", "DependenciesReady", "Progressing", "Ready")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_decision(case: Case) -> None:
    decision = decide(case.obj, case.around)
    status = decision.status
    assert (status["phase"], status["reason"]) == (case.phase, case.reason.value), status["message"]
    assert status["ready"] is case.ready
    for words in case.words:
        assert words in status["message"]
    assert "\n" not in status["message"]
    wanted = None if decision.children is None else tuple(made(decision))
    assert wanted == case.kinds
    told = conditions(decision)
    assert "".join(told[kind][0] for kind in ORDER) == case.told, told
    assert (decision.ask is not None) is case.asks
    assert status["observedGeneration"] == 3


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_decision_on_the_same_world_again_changes_nothing(case: Case) -> None:
    first = decide(case.obj, case.around)
    again = decide(case.obj | {"status": first.status}, replace(case.around, now="2026-11-24T11:11:11Z"))
    assert again.status == first.status
    assert again.events == ()


def test_every_reason_is_covered_and_explained() -> None:
    others = {Reason.WAITING_FOR_MODELAPI, Reason.WAITING_FOR_MCPSERVER, Reason.MODEL_NOT_SERVED}
    assert {case.reason for case in CASES} == set(Reason) - others
    assert set(REASONS) == set(Reason)


def test_problem_of_a_case_stands_in_the_ready_condition_too() -> None:
    decision = decide(server(runtime="nothere"), world())
    ready = condition(decision, "Ready")
    assert (ready["reason"], ready["message"]) == ("RuntimeNotFound", decision.status["message"])


def test_of_two_ready_pods_the_one_without_an_answer_is_asked_before_the_one_that_answered_badly() -> None:
    older, newer = pod("calc-0", created="2026-11-24T08:00:00Z"), NEWER
    around = running(server(was()), pods=(older, newer), handshakes=(answered(newer, False, **BAD),))
    decision = decide(server(was()), around)
    assert decision.ask.pod is older
    assert decision.status["ready"] is True, "it may still be that the other one serves"


def test_the_pod_is_asked_where_it_listens() -> None:
    one = pod()
    one["spec"]["containers"][0]["ports"] = [{"containerPort": 1}, {"name": "http", "containerPort": 4321}]
    decision = decide(server(path="/tools"), running(server(path="/tools"), pods=(one,)))
    assert (decision.ask.port, decision.ask.path) == (4321, "/tools")


def test_an_alias_is_the_runtime_it_stands_for() -> None:
    assert made(decide(server(runtime="python-string"), world())) == made(decide(server(), world()))


def test_what_the_server_said_last_is_kept_until_it_says_something_else() -> None:
    said = decide(server(), running(server())).status
    assert said["tools"] == [{"name": "add", "description": "Add two numbers."}]
    assert said["serverInfo"] == {"name": "Calc", "version": "1"}
    assert (said["toolCount"], said["protocolVersion"]) == (1, "2025-11-25")
    silent = decide(server(said), failing(ended(3))).status
    kept = ("tools", "toolCount", "serverInfo", "protocolVersion")
    assert {key: silent[key] for key in kept} == {key: said[key] for key in kept}


def test_path_and_transport_are_the_entrys_unless_the_spec_says_otherwise() -> None:
    env = [{"name": "GITHUB_TOKEN", "value": "x"}, {"name": "GITHUB_ORG", "value": "x"}]
    told = decide(server(runtime="github", container={"env": env}), world()).status
    assert (told["path"], told["transport"]) == ("/sse", "http")
    assert decide(server(path="/x"), world()).status["path"] == "/x"
    assert decide(server(told, runtime="github"), world(registry=None)).status["path"] == "/sse", "kept"
