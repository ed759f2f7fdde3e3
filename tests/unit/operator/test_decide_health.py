"""What kubelet, the scheduler and the controllers of Kubernetes 1.34 say, and what a person reads of it."""

from __future__ import annotations

from typing import Any

import pytest

from kaos.api.names import MCP_CONTAINER, Reason
from kaos.operator.decide import health
from tests.unit.operator.worlds import pod

Object = dict[str, Any]
RUNC = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: "
)
PULL = (
    'failed to pull and unpack image "example.invalid/no/such:1": failed to resolve reference '
    '"example.invalid/no/such:1": failed to do request: Head "https://example.invalid/v2/no/such/manifests/1": dial '
    "tcp: lookup example.invalid on 127.0.0.11:53: no such host"
)


def waiting(reason: str, message: str | None = None) -> Object:
    return {"waiting": {"reason": reason} | ({"message": message} if message is not None else {})}


def terminated(code: int, reason: str = "Error", message: str | None = None) -> Object:
    return {"terminated": {"exitCode": code, "reason": reason} | ({"message": message} if message else {})}


BACK_OFF = waiting("CrashLoopBackOff", "back-off 20s restarting failed container=mcp-server pod=a_b(c)")

# As recorded on a real cluster: (state, last state, restarts) of a container that is not ready.
CONTAINERS = [
    (waiting("CreateContainerConfigError", 'secret "nosuch" not found'), {}, Reason.SECRET_NOT_FOUND,
     "Secret nosuch does not exist; create it: kaos secret create nosuch"),
    (waiting("CreateContainerConfigError", 'configmap "nosuch" not found'), {}, Reason.CONFIGMAP_NOT_FOUND,
     "ConfigMap nosuch does not exist; create it"),
    (waiting("CreateContainerConfigError", "couldn't find key nosuch in Secret op-probe/has"), {},
     Reason.SECRET_KEY_NOT_FOUND, "Secret has has no key nosuch; add it"),
    (waiting("CreateContainerConfigError", "couldn't find key nosuch in ConfigMap op-probe/has"), {},
     Reason.CONFIGMAP_NOT_FOUND, "ConfigMap has has no key nosuch; add it"),
    (waiting("CreateContainerConfigError", "container's runAsUser breaks non-root policy (pod: \"x\", container: c)"),
     {}, Reason.INVALID_POD_SPEC, "container mcp-server cannot be made: container's runAsUser breaks non-root policy"),
    (waiting("CreateContainerConfigError", "missing value for NOSUCH"), {}, Reason.INVALID_POD_SPEC,
     "container mcp-server cannot be made: missing value for NOSUCH"),
    (waiting("CreateContainerError", "context deadline exceeded"), {}, Reason.INVALID_POD_SPEC,
     "container mcp-server cannot be made: context deadline exceeded"),
    (waiting("ErrImagePull", PULL), {}, Reason.IMAGE_PULL_ERROR,
     f"image example.org/rawpython:1 of container mcp-server: {PULL}"),
    (waiting("ImagePullBackOff", f'Back-off pulling image "example.invalid/no/such:1": ErrImagePull: {PULL}'), {},
     Reason.IMAGE_PULL_ERROR, f"image example.org/rawpython:1 of container mcp-server: {PULL}"),
    (waiting("ImagePullBackOff", 'Back-off pulling image "x:1"'), {}, Reason.IMAGE_PULL_ERROR,
     'Back-off pulling image "x:1"'),
    (waiting("InvalidImageName", "couldn't parse image name \"UPPER/Case:x\": invalid reference format"), {},
     Reason.IMAGE_PULL_ERROR, "invalid reference format"),
    (waiting("ErrImageNeverPull", 'Container image "nosuchlocal:1" is not present with pull policy of Never'), {},
     Reason.IMAGE_PULL_ERROR, "is not present with pull policy of Never"),
    (waiting("ImageNeedsDocker", "the program of image x:1 is not on this machine and no Docker daemon answers"), {},
     Reason.IMAGE_NEEDS_DOCKER, "no Docker daemon answers"),
    (terminated(3, message="boom at last\n"), terminated(3, message="boom at last\n"), Reason.CRASH_LOOPING,
     "container mcp-server ended with code 3 (restarts: 3): boom at last"),
    (BACK_OFF, terminated(3, message="first\nTraceback\nValueError: last\n"), Reason.CRASH_LOOPING,
     "container mcp-server ended with code 3 (restarts: 3): ValueError: last"),
    (BACK_OFF, terminated(1), Reason.CRASH_LOOPING,
     "container mcp-server ended with code 1 (restarts: 3); read its log"),
    ({"running": {}}, terminated(1, message="boom"), Reason.CRASH_LOOPING, "boom"),
    (terminated(0, "Completed"), terminated(0, "Completed"), Reason.CRASH_LOOPING, "ended with code 0"),
    (BACK_OFF, terminated(0, "Completed"), Reason.CRASH_LOOPING, "ended with code 0"),
    (terminated(78, message="tools.py line 3: invalid syntax\n"), {}, Reason.INVALID_PARAMS,
     "tools.py line 3: invalid syntax"),
    (BACK_OFF, terminated(78, message="tools.py line 3: invalid syntax\n"), Reason.INVALID_PARAMS,
     "tools.py line 3: invalid syntax"),
    (BACK_OFF, terminated(78), Reason.CRASH_LOOPING, "ended with code 78"),
    (terminated(137, "OOMKilled"), {}, Reason.OOM_KILLED, "raise spec.container.resources.limits.memory"),
    (BACK_OFF, terminated(137, "OOMKilled"), Reason.OOM_KILLED, "container mcp-server outgrew its memory limit"),
    (waiting("RunContainerError", f'{RUNC}exec: "/nosuch": stat /nosuch: no such file or directory: unknown'),
     terminated(128, "StartError", f'{RUNC}exec: "/nosuch": stat /nosuch: no such file or directory: unknown'),
     Reason.CRASH_LOOPING, 'container mcp-server cannot be started: exec: "/nosuch": stat /nosuch: no such file'),
]  # fmt: skip


@pytest.mark.parametrize(("state", "last", "reason", "words"), CONTAINERS, ids=lambda value: None)
def test_why_a_container_does_not_serve(state: Object, last: Object, reason: Reason, words: str) -> None:
    problem = health.pod_problem([pod(ready=False, restarts=3, state=state, last_state=last)])
    assert problem.reason is reason
    assert problem.message.startswith(words) or words in problem.message
    assert "\n" not in problem.message


QUIET = [
    pod(ready=False, state=waiting("ContainerCreating")),
    pod(ready=False, state=waiting("PodInitializing")),
    pod(ready=False, state={"running": {}}),
    pod(ready=False, state={}),
    pod(ready=True, restarts=3, last_state=terminated(3)),
    pod(ready=False, state=terminated(3), deletionTimestamp="2026-11-24T09:00:00Z"),
    pod() | {"status": {}},
]


@pytest.mark.parametrize("one", QUIET, ids=lambda value: None)
def test_what_is_no_problem(one: Object) -> None:
    assert health.pod_problem([one]) is None


def test_an_init_container_that_fails_is_told_and_one_that_ended_well_is_not() -> None:
    status = {"name": "prepare", "ready": False, "restartCount": 2, "image": "x:1"}
    failed = pod(ready=False, state=waiting("PodInitializing"))
    failed["status"]["initContainerStatuses"] = [
        status | {"state": BACK_OFF, "lastState": terminated(1, message="no disk\n")}
    ]
    assert "container prepare ended with code 1 (restarts: 2): no disk" in health.pod_problem([failed]).message
    well = pod(ready=False, state=waiting("PodInitializing"))
    well["status"]["initContainerStatuses"] = [
        status | {"state": terminated(0, "Completed"), "lastState": terminated(1)}
    ]
    assert health.pod_problem([well]) is None


UNSCHEDULABLE = (
    "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 "
    "Preemption is not helpful for scheduling."
)


def test_a_pod_that_no_node_takes() -> None:
    told = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": UNSCHEDULABLE}]
    problem = health.pod_problem([pod(ready=False, conditions=told) | {"status": {"conditions": told}}])
    assert problem.reason is Reason.UNSCHEDULABLE
    assert "1 Insufficient cpu" in problem.message


def test_the_newest_pod_with_a_reason_speaks_for_all() -> None:
    older = pod("a", ready=False, created="2026-11-24T09:00:00Z", state=waiting("ErrImagePull", "old"))
    newer = pod("b", ready=False, created="2026-11-24T09:00:01Z", state=waiting("ErrImagePull", "new"))
    newest = pod("c", ready=False, created="2026-11-24T09:00:02Z", state=waiting("ContainerCreating"))
    for order in ([older, newer, newest], [newest, newer, older], [newer, older, newest]):
        assert health.pod_problem(order).message.endswith("new")
    assert [one["metadata"]["name"] for one in health.ready_pods([pod("a"), pod("b"), pod("c")])] == ["c", "b", "a"]
    assert [one["metadata"]["name"] for one in health.ready_pods([pod("c"), pod("a"), pod("b")])] == ["c", "b", "a"]


# What API servers say to the operator, or to a controller that makes pods: (text, reason, words).
REFUSALS = [
    ('pods "quota-597b46db69-qqvhv" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0',
     Reason.QUOTA_EXCEEDED, "exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0; raise the quota"),
    ('pods "psa-6c7dff655f-c4fsg" is forbidden: violates PodSecurity "restricted:latest": privileged (container '
     '"mcp-server" must not set securityContext.privileged=true)', Reason.POD_SECURITY_REFUSED,
     'violates PodSecurity "restricted:latest": privileged'),
    ('pods "nosa-57467c5cc4-" is forbidden: error looking up service account op-probe/nosuch: serviceaccount "nosuch" '
     "not found", Reason.SERVICE_ACCOUNT_NOT_FOUND, "ServiceAccount nosuch does not exist"),
    ('Deployment.apps "x" is invalid: spec.template.spec.containers[0].image: Required value', Reason.INVALID_POD_SPEC,
     "containers[0].image: Required value"),
    ("failed to create typed patch object (op-probe/x; apps/v1, Kind=Deployment): .spec.template.spec.nodeSelecter: "
     "field not declared in schema", Reason.INVALID_POD_SPEC,
     "the API server refuses it: .spec.template.spec.nodeSelecter: field not declared in schema"),
    ('failed to create typed patch object (op-probe/x; apps/v1, Kind=Deployment): .spec.template.spec.'
     'containers[name="c"].env: duplicate entries for key [name="A"]', Reason.INVALID_POD_SPEC,
     'duplicate entries for key [name="A"]'),
    ("failed to convert new object (op-probe/x; apps/v1, Kind=Deployment) to proper version: unable to convert "
     "unstructured object to apps/v1, Kind=Deployment: quantities must match the regular expression '^x$'",
     Reason.INVALID_POD_SPEC, "the API server refuses it: quantities must match the regular expression"),
    ('deployments.apps "mcpserver-x" is forbidden: User "system:serviceaccount:kaos-system:kaos" cannot patch resource '
     '"deployments" in API group "apps" in the namespace "op-probe"', Reason.REFUSED, "operator lacks a right"),
    ('admission webhook "policy.example.org" denied the request: images must come from example.org', Reason.REFUSED,
     "images must come from example.org"),
    ('Internal error occurred: failed calling webhook "policy.example.org": failed to call webhook: Post "https://x": '
     "connection refused", Reason.REFUSED, "failed calling webhook"),
    ('deployments.apps "x" is forbidden: ValidatingAdmissionPolicy \'p\' with binding \'b\' denied request: no',
     Reason.REFUSED, "ValidatingAdmissionPolicy 'p'"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reason", "words"), REFUSALS, ids=lambda value: None)
def test_refusals(text: str, reason: Reason, words: str) -> None:
    problem = health.refusal(text)
    assert problem.reason is reason
    assert words in problem.message
    told = [{"type": "ReplicaFailure", "status": "True", "message": text}]
    assert health.pods_refused({"status": {"conditions": told}}) == problem


def test_names_that_change_with_every_try_are_left_out() -> None:
    first, second = (
        health.refusal(f'pods "x-597b46db69-{end}" is forbidden: exceeded quota: q, requested: pods=1') for end in "ab"
    )
    assert first == second


@pytest.mark.parametrize(
    ("code", "text", "refusal"),
    [
        (422, "Deployment.apps is invalid", True),
        (403, "forbidden", True),
        (400, "bad", True),
        (500, "failed to create typed patch object (a/b; apps/v1, Kind=Deployment): .x: no", True),
        (500, 'Internal error occurred: failed calling webhook "x": connection refused', True),
        (500, "etcdserver: request timed out", False),
        (409, "the object has been modified", False),
        (404, 'namespaces "x" not found', False),
        (429, "too many requests", False),
        (503, "", False),
    ],
)
def test_what_is_a_refusal_and_what_may_pass(code: int, text: str, refusal: bool) -> None:
    assert health.is_refusal(code, text) is refusal


def volumes(*names: str) -> Object:
    told = [{"type": "PodScheduled", "status": "True"}, {"type": "PodReadyToStartContainers", "status": "False"}]
    one = pod(ready=False, state=waiting("ContainerCreating"), conditions=told)
    one["spec"]["volumes"] = [{"name": name, "secret": {"secretName": name}} for name in names] + [{"name": "t"}]
    return one


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (volumes("keys"), "the pod's volumes are being set up; they need Secret keys"),
        (volumes(), ""),
        (pod(ready=False), "container mcp-server runs, but does not accept connections on its port yet"),
        (pod(ready=False, state=waiting("ContainerCreating")), ""),
        (pod(), ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_pod_waits_for(one: Object, words: str) -> None:
    assert health.waiting_for([one], MCP_CONTAINER) == words


def test_a_message_is_one_line_of_bounded_length() -> None:
    problem = health.pod_problem([pod(ready=False, state=terminated(1, message="x" * 100_000))])
    assert len(problem.message) < 1024
    assert problem.message.endswith("…")


def test_another_life_of_the_container_is_another_identity() -> None:
    lives = {health.identity(pod(restarts=n), MCP_CONTAINER) for n in range(3)}
    assert len(lives) == 3
    assert health.identity(pod(), MCP_CONTAINER) == health.identity(pod(), MCP_CONTAINER)


def deployment(generation: int = 2, replicas: int = 2, **status: int) -> Object:
    full = {"observedGeneration": 2, "updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}
    return {"metadata": {"generation": generation}, "spec": {"replicas": replicas}, "status": full | status}


@pytest.mark.parametrize(
    ("one", "done"),
    [
        (deployment(), True),
        (deployment(observedGeneration=1), False),
        (deployment(updatedReplicas=1), False),
        (deployment(replicas=2, availableReplicas=1), False),
        (deployment(status_replicas=3) | {"status": deployment()["status"] | {"replicas": 3}}, False),
        (deployment(replicas=3), False),
        (deployment(replicas=0) | {"status": {"observedGeneration": 2}}, True),
        (deployment() | {"status": None}, False),
    ],
    ids=lambda value: None,
)
def test_a_rollout_is_done_when_all_pods_are_new_and_available_and_no_old_one_is_left(one: Object, done: bool) -> None:
    assert health.rolled_out(one) is done
