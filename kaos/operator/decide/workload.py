"""What every kind that runs pods has in common: its pod assembled and judged, its children planned, its health told."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from kaos.api.names import (
    ALLOW_ANNOTATION,
    CONFIG_HASH_ANNOTATION,
    DEFAULT_CONTAINER_ANNOTATION,
    LOCAL_COMMAND_ANNOTATION,
    SERVICE_PORT,
    Reason,
    child_name,
)
from kaos.kube.names import is_dns_subdomain
from kaos.kube.strategic_merge import PatchError
from kaos.operator.decide import children, health, podspec
from kaos.operator.decide.status import Verdict
from kaos.operator.decide.world import Ask, Child, Handshake, Problem, Settings, World, left_behind, made_for

Object = dict[str, Any]
INNER_PORT_NAME = "server"
MENTIONS_LIMIT = 64  # ConfigMaps and Secrets: each is watched by a request of its own
_ANSWERS = (Reason.HANDSHAKE_FAILED, Reason.NOT_AN_MCP_SERVER)


class Blocked(Exception):
    """What was asked for cannot be made so."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(reason, message)


@dataclass(frozen=True)
class Storage:
    """A volume that outlives the pods, and where the main container has it."""

    suffix: str  # of its name: <child>-<suffix>
    path: str
    asked: Object | None  # spec.*.storage; None: an empty directory that ends with the pod


@dataclass(frozen=True)
class Main:
    """The main container as it is generated, before a person's overrides."""

    name: str
    image: str
    port: int
    env: tuple[Object, ...] = ()  # after PORT, LOG_LEVEL and HOME
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    service_port: int = SERVICE_PORT
    writable_root: bool = False
    volumes: tuple[Object, ...] = ()
    mounts: tuple[Object, ...] = ()
    init: tuple[Object, ...] = ()  # containers that run before it
    storage: Storage | None = None
    start_s: int = 180  # how long a start may take
    local_command: tuple[str, ...] = ()  # what a local cluster runs in place of image and command
    front: Object | None = None  # the container that serves in place of the main one
    inner_port: int = 0  # where the main one serves it over HTTP
    wrapper: tuple[str, ...] = ()  # what comes before the main container's command


def own_deployment(owner: Object, world: World) -> Object | None:
    """The live Deployment, unless it is somebody else's."""
    found = world.child("Deployment", child_name(owner["kind"], owner["metadata"]["name"]))
    return found if found is not None and made_for(found, owner) else None


# What is asked for.


def pod_of(owner: Object, main: Main, world: World) -> Object:
    """The pod spec: generated < container < podSpec. Raises Blocked."""
    spec = owner["spec"]
    generated = _listens(main) | {"LOG_LEVEL": world.settings.log_level, "HOME": "/tmp"}  # noqa: S108
    security = podspec.CONTAINER_SECURITY | ({"readOnlyRootFilesystem": False} if main.writable_root else {})
    container = {
        "name": main.name,
        "image": main.image,
        "imagePullPolicy": "IfNotPresent",
        "env": podspec.env_list(podspec.plain_env(generated | _telemetry_env(owner, world.settings)), main.env),
        "resources": podspec.RESOURCES,
        "securityContext": security,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [podspec.TMP_MOUNT, *main.mounts],
    }
    if main.front is None:
        container |= {
            "ports": [{"name": children.PORT_NAME, "containerPort": main.port, "protocol": "TCP"}],
            "lifecycle": {"preStop": {"sleep": {"seconds": children.DRAIN_S}}},
            **children.probes(main.start_s),
        }
    elif main.inner_port:
        container["ports"] = [{"name": INNER_PORT_NAME, "containerPort": main.inner_port, "protocol": "TCP"}]
    if main.command:
        container["command"] = list(main.command)
    if main.args:
        container["args"] = list(main.args)
    account = spec.get("serviceAccountName")
    volumes = [podspec.TMP, *main.volumes]
    if main.storage is not None:
        volumes.append(_volume(owner, main.storage))
        container["volumeMounts"].append({"name": main.storage.suffix, "mountPath": main.storage.path})
    pod = {
        "automountServiceAccountToken": bool(account),
        "enableServiceLinks": False,
        "securityContext": podspec.POD_SECURITY,
        "terminationGracePeriodSeconds": 30,
        "containers": [container, main.front] if main.front else [container],
        "volumes": volumes,
    } | ({"serviceAccountName": account} if account else {})
    if main.init:
        pod["initContainers"] = list(main.init)
    try:
        return podspec.override(pod, main.name, spec.get("container"), spec.get("podSpec"))
    except PatchError as error:
        raise Blocked(Reason.INVALID_POD_SPEC, f"{error}; see: kubectl explain pod.spec") from None


def _listens(main: Main) -> dict[str, str]:
    if main.front is None:
        return {"PORT": str(main.port)}
    # Whoever heeds HOST cannot be reached past the container in front; before others the NetworkPolicy stands.
    return {"PORT": str(main.inner_port), "HOST": "127.0.0.1"} if main.inner_port else {}


def _volume(owner: Object, storage: Storage) -> Object:
    if storage.asked is None:
        return {"name": storage.suffix, "emptyDir": {}}
    claim = {"claimName": children.claim_name(owner, storage.suffix)}
    return {"name": storage.suffix, "persistentVolumeClaim": claim}


def telemetry(owner: Object, settings: Settings) -> str | None:
    """The collector's address, empty when nobody names one; None: nothing is to be told."""
    own = owner["spec"].get("telemetry") or {"enabled": settings.telemetry}
    if not own.get("enabled"):
        return None
    return own.get("endpoint") or settings.telemetry_endpoint


def _telemetry_env(owner: Object, settings: Settings) -> dict[str, str]:
    endpoint = telemetry(owner, settings)
    if endpoint is None:
        return {}
    meta = owner["metadata"]
    values = {
        "OTEL_SERVICE_NAME": meta["name"],
        "OTEL_RESOURCE_ATTRIBUTES": f"service.namespace={meta['namespace']},kaos.resource.kind={owner['kind']}",
    }
    if endpoint:
        values["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
        values["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"  # some programs speak gRPC unless they are told
    return values


def mentions(pod: Object, world: World) -> frozenset[tuple[str, str]]:
    """The ConfigMaps and Secrets that the pod refers to, as far as they are read at all. Raises Blocked."""
    kinds = ("ConfigMap",) if world.secrets is None else ("ConfigMap", "Secret")
    found = frozenset((kind, name) for kind in kinds for name in podspec.mentioned(pod, kind) if is_dns_subdomain(name))
    if len(found) > MENTIONS_LIMIT:
        message = f"the pod refers to {len(found)} ConfigMaps and Secrets; {MENTIONS_LIMIT} are the most"
        raise Blocked(Reason.INVALID_POD_SPEC, message)
    return found


def judge(owner: Object, pod: Object, world: World) -> None:
    """Whether these children may be made at all. Raises Blocked."""
    for (kind, name), obj in world.children.items():
        if left_behind(obj, owner):
            message = f"{kind} {name} of the former {owner['kind']} of this name is still being deleted"
            raise Blocked(Reason.ROLLOUT_IN_PROGRESS, message)
        if not made_for(obj, owner):
            message = f"{kind} {name} exists and is not ours; delete it or rename this {owner['kind']}"
            raise Blocked(Reason.CONFLICT, message)
    if why := podspec.refused(pod):
        raise Blocked(Reason.INVALID_POD_SPEC, f"{why}; remove it")
    _check_service_account(owner, pod, world)


def _check_service_account(owner: Object, pod: Object, world: World) -> None:
    name = pod.get("serviceAccountName") or pod.get("serviceAccount")
    if not name and pod.get("automountServiceAccountToken"):
        name = "default"
    if not name:
        return
    account = world.service_accounts.get(name)
    if account is None:
        raise Blocked(Reason.SERVICE_ACCOUNT_NOT_FOUND, f"ServiceAccount {name} does not exist; create it")
    kind, owner_name = owner["kind"].lower(), owner["metadata"]["name"]
    text = (account["metadata"].get("annotations") or {}).get(ALLOW_ANNOTATION, "")
    allowed = {word.strip() for word in text.split(",")}
    if not allowed & {f"{kind}/{owner_name}", f"{kind}/*"}:
        raise Blocked(
            Reason.SERVICE_ACCOUNT_NOT_ALLOWED,
            f"ServiceAccount {name} does not allow this; its owner can: kubectl annotate serviceaccount {name} "
            f"{ALLOW_ANNOTATION}={kind}/{owner_name}",
        )


def plan(
    owner: Object,
    main: Main,
    pod: Object,
    world: World,
    deployment: Object | None,
    *,
    routed: bool = True,
    config: dict[str, str] | None = None,
) -> tuple[tuple[Child, ...], Problem | None]:
    """The Deployment and the rest, and what running pods refer to that has gone. Raises Blocked.

    Without `routed` there is no HTTPRoute. `config` is the content of a ConfigMap of the resource's own.
    """
    annotations = _local_command(main, pod)
    if main.front is not None:
        annotations[DEFAULT_CONTAINER_ANNOTATION] = main.name
    if main.wrapper:
        pod = _wrapped(main, pod)
    own = {children.config_name(owner)} if config is not None else set()
    missing = _missing_reference(pod, world, own)
    if missing is None:
        digest = _referenced_digest(pod, world, own, config)
    elif deployment is None:
        raise Blocked(missing.reason, missing.message)
    else:
        # What exists is not rolled because something it refers to is away for a while.
        live = deployment["spec"]["template"]["metadata"].get("annotations") or {}
        digest = live.get(CONFIG_HASH_ANNOTATION)
    if digest:
        annotations[CONFIG_HASH_ANNOTATION] = digest
    kept = main.storage is not None and main.storage.asked is not None
    made = []  # what a pod mounts comes first, that none has to wait for it
    if kept:
        made.append(children.claim(owner, main.storage.suffix, main.storage.asked))
    if config is not None:
        made.append(children.config_map(owner, config))
    made += [children.deployment(owner, pod, annotations, kept), children.service(owner, main.service_port)]
    if world.settings.network_policies:
        made.append(children.network_policy(owner, main.port, world.settings))
    if world.settings.gateway and routed:
        made.append(children.http_route(owner, world.settings, main.service_port))
    return tuple(made), missing


def _local_command(main: Main, pod: Object) -> dict[str, str]:
    """What a local cluster runs in place of the image, unless the image or command are the person's own."""
    container = podspec.container(pod, main.name)
    own = container.get("image") != main.image or (container.get("command") or []) != list(main.command)
    if own or not main.local_command:
        return {}
    words = list(main.local_command)
    if main.wrapper:
        words = [*main.wrapper, *words, *(container.get("args") or ())]
    return {LOCAL_COMMAND_ANNOTATION + main.name: json.dumps(words)}


def _wrapped(main: Main, pod: Object) -> Object:
    """The wrapper starts the whole command of the main container. Raises Blocked."""
    container = dict(podspec.container(pod, main.name))
    if not (command := container.get("command")):
        message = "transport stdio needs spec.container.command: an image's own entrypoint cannot be read"
        raise Blocked(Reason.INVALID_POD_SPEC, message)
    container["command"] = [*main.wrapper, *command, *(container.pop("args", None) or ())]
    return pod | {"containers": [container if one["name"] == main.name else one for one in pod["containers"]]}


def _missing_reference(pod: Object, world: World, own: set[str]) -> Problem | None:
    """The first ConfigMap, Secret or key that is not there, ConfigMaps of our own aside."""
    for kind, present, field in (
        ("ConfigMap", world.configmaps, ("data", "binaryData")),
        ("Secret", world.secrets, ("data",)),
    ):
        if present is None:
            continue
        for name, keys in sorted(podspec.references(pod, kind).items()):
            obj = present.get(name)
            if kind == "ConfigMap" and name in own:
                continue
            if obj is None:
                return health.missing_object(kind, name)
            held = {key for part in field for key in obj.get(part) or ()}
            for key in sorted(keys or ()):
                if key not in held:
                    return health.missing_key(kind, name, key)
    return None


def _referenced_digest(pod: Object, world: World, own: set[str], config: dict[str, str] | None) -> str | None:
    """Changes when something the pod refers to does. Of a Secret only the version counts: a hash could be guessed."""
    seen: list[Any] = [("own", config)] if config is not None else []
    for name in sorted(podspec.mentioned(pod, "ConfigMap") - own):
        obj = world.configmaps.get(name) or {}
        seen.append(("ConfigMap", name, obj.get("data"), obj.get("binaryData")))
    for name in sorted(podspec.mentioned(pod, "Secret")) if world.secrets is not None else ():
        meta = (world.secrets.get(name) or {}).get("metadata") or {}
        seen.append(("Secret", name, meta.get("uid"), meta.get("resourceVersion")))
    if not seen:
        return None
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:16]


# How it is.


def is_current(deployment: Object | None, wanted: tuple[Child, ...] | None) -> bool:
    """Whether the Deployment is the one that is wanted, or the one to be left as it is."""
    if deployment is None or wanted is None:
        return deployment is not None
    return children.is_current(deployment, next(one for one in wanted if one.object["kind"] == "Deployment"))


def verdict(
    owner: Object, container: str, world: World, deployment: Object | None, current: bool
) -> tuple[Verdict, Object | None, Handshake | None]:
    """The verdict, the pod to shake hands with, and the newest good handshake."""
    if current and deployment["spec"].get("replicas") == children.replicas(owner) == 0:
        return Verdict(suspended=_why_none(owner)), None, None
    pods = [pod for pod in world.pods if _runs(pod, container)] if deployment is not None else []
    ready = health.ready_pods(pods)
    known = {handshake.pod: handshake for handshake in world.handshakes}
    answers = [known.get(health.identity(pod, container)) for pod in ready]
    good = next((answer for answer in answers if answer and answer.good), None)
    bad = next((answer for answer in answers if answer and not answer.good), None)
    failing = health.pods_refused(deployment) or health.pod_problem(pods)
    # A pod that has just become ready has not been asked yet: what was true a moment ago stands until it answers.
    unasked = next((pod for pod, answer in zip(ready, answers, strict=True) if answer is None), None)
    unsure = good is None and unasked is not None
    if failing is None:
        failing = Problem(bad.reason, bad.message) if bad else _last_answer(owner) if unsure else None
    serves = good is not None or (unsure and bool((owner.get("status") or {}).get("ready")))
    told = Verdict(
        failing=failing,
        serves=serves,
        rolling=not (current and serves and health.rolled_out(deployment)),
        waiting_for="the pod is up; waiting for its answer" if unsure else health.waiting_for(pods, container),
    )
    return told, unasked if unsure else ready[0] if ready else None, good


def _why_none(owner: Object) -> str:
    if owner["spec"].get("suspend"):
        return "suspended: no pods run until spec.suspend is false"
    return "no pods run: spec.replicas is 0"


def _runs(pod: Object, container: str) -> bool:
    return any(one["name"] == container for one in pod["spec"]["containers"])


def _last_answer(owner: Object) -> Problem | None:
    """What an earlier life of ours was told about this generation by a pod, when that was no good."""
    before = owner.get("status") or {}
    if before.get("reason") not in _ANSWERS or before.get("observedGeneration") != owner["metadata"].get("generation"):
        return None
    return Problem(Reason(before["reason"]), before.get("message") or "")


def ask_of(pod: Object, container: str, path: str, protocol: str) -> Ask:
    """Where the pod serves, and how it is asked."""
    ports = podspec.container(pod["spec"], container).get("ports") or ()
    port = next((one["containerPort"] for one in ports if one.get("name") == children.PORT_NAME), SERVICE_PORT)
    return Ask(pod, container, port, path, protocol)
