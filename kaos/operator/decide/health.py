"""What pods and their Deployment tell: how many serve, and why the others do not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from kaos.api.names import BRIDGE_CONTAINER, CHECK_CONTAINER, Reason
from kaos.operator.decide.world import Problem

Object = dict[str, Any]

# sysexits(3): how a runtime says that its parameters are at fault, and the check of a configuration that models lack.
EX_CONFIG, EX_UNAVAILABLE = 78, 69
_MESSAGE_LIMIT = 600

_PULL = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
_CANNOT_BE_MADE = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
_MALFORMED = re.compile(r"failed to (create typed patch object|convert new object)")
_ADMISSION = re.compile(r"admission webhook|failed calling webhook|ValidatingAdmissionPolicy")
_MISSING_OBJECT = re.compile(r'(secret|configmap) "([^"]+)" not found')
_MISSING_KEY = re.compile(r"couldn't find key (\S+) in (Secret|ConfigMap) \S*?([^/\s]+)$")
# What only says who speaks, or changes with every try though nothing has changed.
_PREAMBLE = re.compile(
    r'^(?:pods "[^"]*" is forbidden: |Back-off pulling image "[^"]*": (?:ErrImagePull: )?'
    r"|failed to create (?:typed patch|containerd task).*?(?:\): |unable to start container process: )"
    r"|failed to convert new object \(.*?\) to proper version: unable to convert unstructured object to [^:]*: )"
)


def ready_pods(pods: Iterable[Object]) -> list[Object]:
    """Those that take traffic, the newest first."""
    ready = [pod for pod in pods if _condition(pod, "Ready") == "True" and not pod["metadata"].get("deletionTimestamp")]
    return sorted(ready, key=_age, reverse=True)


def _age(pod: Object) -> tuple[str, str]:
    return pod["metadata"].get("creationTimestamp", ""), pod["metadata"]["name"]


def identity(pod: Object, container: str) -> str:
    """Which life of which pod this is: it changes when the container is started anew."""
    found = _status_of(pod, container)
    return f"{pod['metadata']['uid']}/{found.get('containerID', '')}/{found.get('restartCount', 0)}"


def rolled_out(deployment: Object) -> bool:
    """Whether all pods that the Deployment wants are of its newest template and serve."""
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    return (
        status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
        and status.get("updatedReplicas", 0) == wanted
        and status.get("replicas", 0) == wanted
        and status.get("availableReplicas", 0) == wanted
    )


def is_refusal(code: int, text: str) -> bool:
    """Whether trying again the same would be answered the same, until a person changes something."""
    # Server-side apply answers 500 for what is no Deployment, and so does a webhook that cannot be reached.
    return code in (400, 403, 422) or (code == 500 and bool(_MALFORMED.match(text) or _ADMISSION.search(text)))


def pods_refused(deployment: Object | None) -> Problem | None:
    """Why no pods can even be made, from the Deployment's ReplicaFailure condition."""
    for condition in ((deployment or {}).get("status") or {}).get("conditions") or ():
        if condition["type"] != "ReplicaFailure" or condition["status"] != "True":
            continue
        return refusal(condition.get("message") or "")
    return None


def refusal(text: str) -> Problem:
    """The problem behind the refusal of an object of ours, or of a pod that its Deployment wants."""
    if "exceeded quota" in text:
        return Problem(Reason.QUOTA_EXCEEDED, f"{_cut(text)}; raise the quota or lower resources")
    if "violates PodSecurity" in text:
        return Problem(Reason.POD_SECURITY_REFUSED, f"{_cut(text)}; remove what is named from podSpec or container")
    if found := re.search(r'error looking up service account \S+?/(\S+?): serviceaccount "', text):
        return Problem(Reason.SERVICE_ACCOUNT_NOT_FOUND, f"ServiceAccount {found[1]} does not exist; create it")
    if "is forbidden: User " in text:
        return Problem(Reason.REFUSED, f"KAOS's operator lacks a right: {_cut(text)}")
    if _ADMISSION.search(text):
        return Problem(Reason.REFUSED, f"the cluster's admission refuses it: {_cut(text)}")
    return Problem(Reason.INVALID_POD_SPEC, f"the API server refuses it: {_cut(text)}")


def pod_problem(pods: Iterable[Object]) -> Problem | None:
    """Why a pod does not serve; the newest pod with a reason speaks for all."""
    for pod in sorted(pods, key=_age, reverse=True):
        if pod["metadata"].get("deletionTimestamp") or _condition(pod, "Ready") == "True":
            continue
        if found := _why(pod):
            return found
    return None


def _why(pod: Object) -> Problem | None:
    status = pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            message = f"no node takes the pod: {_cut(condition.get('message') or '')}; lower its requests or add nodes"
            return Problem(Reason.UNSCHEDULABLE, message)
    for container in status.get("initContainerStatuses") or ():
        if not _ended_well(container) and (found := _container_problem(container)):
            return found
    # What is wrong with the server itself says more than what its bridge has noticed of it.
    for container in sorted(status.get("containerStatuses") or (), key=lambda one: one["name"] == BRIDGE_CONTAINER):
        if found := _container_problem(container):
            return found
    return None


def _ended_well(container: Object) -> bool:
    return ((container.get("state") or {}).get("terminated") or {}).get("exitCode") == 0


def _container_problem(container: Object) -> Problem | None:
    name = container["name"]
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason, message = waiting.get("reason", ""), _cut(waiting.get("message") or "")
    if reason in _PULL:
        return Problem(Reason.IMAGE_PULL_ERROR, f"image {container.get('image', '')} of container {name}: {message}")
    if reason == "ImageNeedsDocker":
        return Problem(Reason.IMAGE_NEEDS_DOCKER, message)
    ended = _end(container)
    if reason in _CANNOT_BE_MADE and ended is None:
        return _config_problem(name, message)
    if ended is None:
        return None
    code, said = ended.get("exitCode"), _cut(ended.get("message") or "")
    if ended.get("reason") == "OOMKilled":
        return Problem(
            Reason.OOM_KILLED,
            f"container {name} outgrew its memory limit; raise spec.container.resources.limits.memory",
        )
    if code == EX_CONFIG and said:
        return Problem(Reason.INVALID_PARAMS, said)
    if code == EX_UNAVAILABLE and name == CHECK_CONTAINER and said:
        return Problem(Reason.MODEL_NOT_SERVED, said)
    again = container.get("restartCount", 0)
    if ended.get("reason") == "StartError":
        return Problem(Reason.CRASH_LOOPING, f"container {name} cannot be started: {said}; check its command")
    if name == BRIDGE_CONTAINER and said:
        return Problem(Reason.CRASH_LOOPING, f"{said} (restarts: {again})")
    tail = f": {said}" if said else "; read its log"
    return Problem(Reason.CRASH_LOOPING, f"container {name} ended with code {code} (restarts: {again}){tail}")


def _end(container: Object) -> Object | None:
    """How the container ended, now or in the life before, unless it serves again. A server should not end at all."""
    state = container.get("state") or {}
    ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated")
    return None if container.get("ready") else ended


def _config_problem(container: str, message: str) -> Problem:
    if found := _MISSING_OBJECT.search(message):
        kind = {"secret": "Secret", "configmap": "ConfigMap"}[found[1]]
        return missing_object(kind, found[2])
    if found := _MISSING_KEY.search(message):
        return missing_key(found[2], found[3], found[1])
    return Problem(Reason.INVALID_POD_SPEC, f"container {container} cannot be made: {message}")


def waiting_for(pods: Iterable[Object], container: str) -> str:
    """What the newest pod that does not serve waits for, in words; empty where nothing tells."""
    waiting = [
        pod for pod in pods if _condition(pod, "Ready") != "True" and not pod["metadata"].get("deletionTimestamp")
    ]
    pod = max(waiting, key=_age, default=None)
    if pod is None or _condition(pod, "PodScheduled") != "True":
        return ""
    if _condition(pod, "PodReadyToStartContainers") == "False":
        secrets = ", ".join(sorted(_secret_volumes(pod)))
        return f"the pod's volumes are being set up; they need Secret {secrets}" if secrets else ""
    status = _status_of(pod, container)
    if "running" in (status.get("state") or {}) and container == BRIDGE_CONTAINER:
        return "the pod runs, but the server behind its bridge has not answered yet"
    if "running" in (status.get("state") or {}):
        return f"container {container} runs, but does not accept connections on its port yet"
    return ""


def _secret_volumes(pod: Object) -> set[str]:
    volumes = pod["spec"].get("volumes") or ()
    return {name for volume in volumes if (name := (volume.get("secret") or {}).get("secretName"))}


def missing_object(kind: str, name: str) -> Problem:
    """The problem of a referenced ConfigMap or Secret that does not exist."""
    if kind == "Secret":
        return Problem(Reason.SECRET_NOT_FOUND, f"Secret {name} does not exist; create it: kaos secret create {name}")
    return Problem(Reason.CONFIGMAP_NOT_FOUND, f"ConfigMap {name} does not exist; create it")


def missing_key(kind: str, name: str, key: str) -> Problem:
    """The problem of a referenced ConfigMap or Secret that lacks a key."""
    reason = Reason.SECRET_KEY_NOT_FOUND if kind == "Secret" else Reason.CONFIGMAP_NOT_FOUND
    return Problem(reason, f"{kind} {name} has no key {key}; add it")


def _status_of(pod: Object, container: str) -> Object:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return next((one for one in statuses if one["name"] == container), {})


def _condition(pod: Object, kind: str) -> str:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((one["status"] for one in conditions if one["type"] == kind), "Unknown")


def _cut(text: str) -> str:
    """One line of bounded length; the end of what a program said tells more than its beginning."""
    text = _PREAMBLE.sub("", text.strip(), count=1)
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    line = lines[-1] if len(lines) > 1 else "".join(lines)
    return line if len(line) <= _MESSAGE_LIMIT else line[: _MESSAGE_LIMIT - 1] + "…"
