"""What should be for an MCPServer: its runtime resolved, its pod assembled and judged, its health told."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from kaos.api.names import (
    ALIASES,
    ALLOW_ANNOTATION,
    CONFIG_HASH_ANNOTATION,
    CUSTOM,
    DEFAULT_PATH,
    LOCAL_COMMAND_ANNOTATION,
    MCP_CONTAINER,
    REGISTRY_CONFIGMAP,
    SERVICE_PORT,
    Reason,
    child_name,
)
from kaos.api.registry import Registry, Runtime
from kaos.kube.names import nearest
from kaos.kube.strategic_merge import PatchError
from kaos.operator.decide import children, health, podspec, status
from kaos.operator.decide.status import Verdict
from kaos.operator.decide.world import Ask, Child, Decision, Handshake, Problem, World, owned_by

Object = dict[str, Any]
CUSTOM_PARAMS_VARIABLE = "MCP_PARAMS"
TOOLS_LIMIT = 256
NAME_LIMIT = 256
DESCRIPTION_LIMIT = 200


class Blocked(Exception):
    """What was asked for cannot be made so."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(reason, message)


def decide(server: Object, world: World) -> Decision:
    """Children, status and events of one MCPServer. Pure: the same world gives the same decision."""
    name = child_name("MCPServer", server["metadata"]["name"])
    deployment = world.child("Deployment", name)
    if deployment is not None and not owned_by(deployment, server):
        deployment = None
    runtime = wanted = lost = None
    mentions: frozenset[tuple[str, str]] = frozenset()
    blocked = world.refused
    try:
        runtime = resolve(server, world.registry, world.settings.system_namespace)
        pod = _pod(server, runtime, world)
        mentions = _mentions(pod, world)
        wanted, lost = _children(server, runtime, pod, world, deployment)
    except Blocked as stop:
        blocked = stop.problem
    current = deployment is not None and (wanted is None or children.is_current(deployment, wanted[0]))
    verdict, pod_to_ask, spoke = _verdict(server, world, deployment, current)
    verdict = replace(verdict, blocked=blocked, failing=verdict.failing or lost)
    described = status.common(server, verdict, deployment, world.now) | _described(server, runtime, spoke)
    ask = _ask(pod_to_ask, described.get("path") or DEFAULT_PATH) if pod_to_ask else None
    return Decision(described, wanted, status.transition(server, verdict), ask, mentions)


def _ask(pod: Object, path: str) -> Ask:
    ports = podspec.container(pod["spec"], MCP_CONTAINER).get("ports") or ()
    port = next((one["containerPort"] for one in ports if one.get("name") == children.PORT_NAME), SERVICE_PORT)
    return Ask(pod, port, path)


def _mentions(pod: Object, world: World) -> frozenset[tuple[str, str]]:
    kinds = ("ConfigMap",) if world.secrets is None else ("ConfigMap", "Secret")
    return frozenset((kind, name) for kind in kinds for name in podspec.mentioned(pod, kind) if name)


# What is asked for.


def resolve(server: Object, registry: Registry | None, system_namespace: str) -> Runtime:
    """The runtime that the server names, with its own port, path and transport. Raises Blocked."""
    spec = server["spec"]
    name = spec.get("runtime")
    for field, what in (("remote", "spec.remote"), ("package", "runtime package"), ("tools", "spec.tools")):
        if spec.get(field):
            raise Blocked(Reason.BRIDGE_UNAVAILABLE, f"{what} needs the bridge, which this version does not have")
    if name == CUSTOM:
        image = (spec.get("container") or {}).get("image", "")
        runtime = Runtime(CUSTOM, image=image, paramsEnvVar=CUSTOM_PARAMS_VARIABLE)
    else:
        runtime = _registered(ALIASES.get(name, name), name, registry, f"{system_namespace}/{REGISTRY_CONFIGMAP}")
    overrides = {field: spec[field] for field in ("port", "path", "transport") if spec.get(field)}
    runtime = replace(runtime, **overrides)
    if runtime.transport == "stdio" or not runtime.image:
        why = f"runtime {name} speaks stdio only" if runtime.image else f"runtime {name} is a package"
        raise Blocked(Reason.BRIDGE_UNAVAILABLE, f"{why}: it needs the bridge, which this version does not have")
    return runtime


def _registered(name: str, asked: str, registry: Registry | None, where: str) -> Runtime:
    if registry is None:
        message = f"ConfigMap {where} with the runtimes is missing; install it: kaos system install --no-operator"
        raise Blocked(Reason.RUNTIME_REGISTRY_INVALID, message)
    if name in registry.runtimes:
        return registry.runtimes[name]
    problem = next((one for one in registry.problems if f"runtime {name}:" in one), None)
    if problem or not registry.runtimes:
        told = problem or "; ".join(registry.problems) or "it holds no runtimes"
        raise Blocked(Reason.RUNTIME_REGISTRY_INVALID, f"the runtime registry, ConfigMap {where}, is at fault: {told}")
    known = [*sorted(registry.runtimes), CUSTOM]
    like = nearest(asked, known)
    hint = f"did you mean {like}? there are" if like else "there are"
    raise Blocked(Reason.RUNTIME_NOT_FOUND, f"there is no runtime {asked}; {hint}: {', '.join(known)}")


def _children(
    server: Object, runtime: Runtime, pod: Object, world: World, deployment: Object | None
) -> tuple[tuple[Child, ...], Problem | None]:
    """The Deployment and the rest, and what a running server refers to that has gone. Raises Blocked."""
    _check_foreign(server, world)
    spec = server["spec"]
    if spec.get("params") and not runtime.paramsEnvVar:
        raise Blocked(Reason.INVALID_PARAMS, f"runtime {runtime.name} takes no params; remove spec.params")
    if why := podspec.refused(pod):
        raise Blocked(Reason.INVALID_POD_SPEC, f"{why}; remove it")
    _check_required_env(runtime, pod)
    _check_service_account(server, runtime, pod, world)
    annotations = _local_command(runtime, pod)
    missing = _missing_reference(pod, world)
    if missing is not None:
        if deployment is None:
            raise Blocked(missing.reason, missing.message)
        # What exists is not rolled because something it refers to is away for a while.
        live = deployment["spec"]["template"]["metadata"].get("annotations") or {}
        digest = live.get(CONFIG_HASH_ANNOTATION)
    else:
        digest = _referenced_digest(pod, world)
    if digest:
        annotations[CONFIG_HASH_ANNOTATION] = digest
    made = [children.deployment(server, pod, annotations), children.service(server)]
    if world.settings.network_policies:
        made.append(children.network_policy(server, runtime.port))
    if world.settings.gateway:
        made.append(children.http_route(server, world.settings))
    return tuple(made), missing


def _check_foreign(server: Object, world: World) -> None:
    name = child_name("MCPServer", server["metadata"]["name"])
    for (kind, child), obj in world.children.items():
        if child == name and not owned_by(obj, server):
            message = f"{kind} {name} exists and is not ours; delete it or rename this MCPServer"
            raise Blocked(Reason.CONFLICT, message)


def _pod(server: Object, runtime: Runtime, world: World) -> Object:
    """The pod spec: generated < runtime entry < container < podSpec. Raises Blocked."""
    spec = server["spec"]
    container = dict(spec.get("container") or {})
    generated = {"PORT": str(runtime.port), "LOG_LEVEL": world.settings.log_level, "HOME": "/tmp"}  # noqa: S108
    if spec.get("params"):
        generated[runtime.paramsEnvVar] = spec["params"]
    telemetry = spec.get("telemetry") or {}
    if telemetry.get("enabled"):
        generated |= _telemetry(server, telemetry)
    security = podspec.CONTAINER_SECURITY | ({"readOnlyRootFilesystem": False} if runtime.writableRoot else {})
    main = {
        "name": MCP_CONTAINER,
        "image": runtime.image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": children.PORT_NAME, "containerPort": runtime.port, "protocol": "TCP"}],
        "env": podspec.env_list(podspec.plain_env(generated), runtime.env),
        "resources": podspec.RESOURCES,
        "securityContext": security,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "lifecycle": {"preStop": {"sleep": {"seconds": children.DRAIN_S}}},
        "volumeMounts": [podspec.TMP_MOUNT],
        **children.probes(),
    }
    if runtime.command:
        main["command"] = list(runtime.command)
    if runtime.args:
        main["args"] = list(runtime.args)
    account = spec.get("serviceAccountName")
    pod = {
        "automountServiceAccountToken": bool(account),
        "enableServiceLinks": False,
        "securityContext": podspec.POD_SECURITY,
        "terminationGracePeriodSeconds": 30,
        "containers": [main],
        "volumes": [podspec.TMP],
    } | ({"serviceAccountName": account} if account else {})
    try:
        return podspec.override(pod, MCP_CONTAINER, container, spec.get("podSpec"))
    except PatchError as error:
        raise Blocked(Reason.INVALID_POD_SPEC, f"{error}; see: kubectl explain pod.spec") from None


def _telemetry(server: Object, telemetry: Object) -> dict[str, str]:
    meta = server["metadata"]
    values = {
        "OTEL_SERVICE_NAME": meta["name"],
        "OTEL_RESOURCE_ATTRIBUTES": f"service.namespace={meta['namespace']},kaos.resource.kind=MCPServer",
    }
    if telemetry.get("endpoint"):
        values["OTEL_EXPORTER_OTLP_ENDPOINT"] = telemetry["endpoint"]
    return values


def _check_required_env(runtime: Runtime, pod: Object) -> None:
    main = podspec.container(pod, MCP_CONTAINER)
    if main.get("envFrom"):
        return  # what a whole Secret or ConfigMap brings is not known here
    given = {variable["name"] for variable in main.get("env") or ()}
    if missing := [name for name in runtime.requiredEnv if name not in given]:
        raise Blocked(
            Reason.REQUIRED_ENV_MISSING,
            f"runtime {runtime.name} needs {', '.join(missing)}; set in spec.container.env, or at deploy: "
            + " ".join(f"--secret {name}=SECRET/KEY" for name in missing),
        )


def _check_service_account(server: Object, runtime: Runtime, pod: Object, world: World) -> None:
    name = pod.get("serviceAccountName") or pod.get("serviceAccount")
    server_name = server["metadata"]["name"]
    if not name:
        if runtime.requiresServiceAccount:
            message = f"runtime {runtime.name} acts on the cluster; name a ServiceAccount in spec.serviceAccountName"
            raise Blocked(Reason.SERVICE_ACCOUNT_REQUIRED, message)
        return
    account = world.service_accounts.get(name)
    if account is None:
        raise Blocked(Reason.SERVICE_ACCOUNT_NOT_FOUND, f"ServiceAccount {name} does not exist; create it")
    text = (account["metadata"].get("annotations") or {}).get(ALLOW_ANNOTATION, "")
    allowed = {word.strip() for word in text.split(",")}
    if not allowed & {f"mcpserver/{server_name}", "mcpserver/*"}:
        raise Blocked(
            Reason.SERVICE_ACCOUNT_NOT_ALLOWED,
            f"ServiceAccount {name} does not allow this server; its owner can: kubectl annotate serviceaccount {name} "
            f"{ALLOW_ANNOTATION}=mcpserver/{server_name}",
        )


def _local_command(runtime: Runtime, pod: Object) -> dict[str, str]:
    """What a local cluster runs in place of the runtime's image, unless the image or command are the person's own."""
    main = podspec.container(pod, MCP_CONTAINER)
    own = main.get("image") != runtime.image or (main.get("command") or []) != list(runtime.command)
    if own or not runtime.local_command:
        return {}
    return {LOCAL_COMMAND_ANNOTATION + MCP_CONTAINER: json.dumps(list(runtime.local_command))}


def _missing_reference(pod: Object, world: World) -> Problem | None:
    for kind, present, field in (
        ("ConfigMap", world.configmaps, ("data", "binaryData")),
        ("Secret", world.secrets, ("data",)),
    ):
        if present is None:
            continue
        for name, keys in sorted(podspec.references(pod, kind).items()):
            obj = present.get(name)
            if obj is None:
                return health.missing_object(kind, name)
            held = {key for part in field for key in obj.get(part) or ()}
            for key in sorted(keys or ()):
                if key not in held:
                    return health.missing_key(kind, name, key)
    return None


def _referenced_digest(pod: Object, world: World) -> str | None:
    """Changes when something the pod refers to does. Of a Secret only the version counts: a hash could be guessed."""
    seen: list[Any] = []
    for name in sorted(podspec.mentioned(pod, "ConfigMap")):
        obj = world.configmaps.get(name) or {}
        seen.append(("ConfigMap", name, obj.get("data"), obj.get("binaryData")))
    for name in sorted(podspec.mentioned(pod, "Secret")) if world.secrets is not None else ():
        meta = (world.secrets.get(name) or {}).get("metadata") or {}
        seen.append(("Secret", name, meta.get("uid"), meta.get("resourceVersion")))
    if not seen:
        return None
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:16]


# How it is.


def _verdict(
    server: Object, world: World, deployment: Object | None, current: bool
) -> tuple[Verdict, Object | None, Handshake | None]:
    """The verdict, the pod to shake hands with, and the newest good handshake."""
    if server["spec"].get("suspend") and current:
        return Verdict(suspended=True), None, None
    ready = health.ready_pods(world.pods) if deployment is not None else []
    known = {handshake.pod: handshake for handshake in world.handshakes}
    answers = [known.get(health.identity(pod, MCP_CONTAINER)) for pod in ready]
    good = next((answer for answer in answers if answer and answer.good), None)
    bad = next((answer for answer in answers if answer and not answer.good), None)
    failing = health.pods_refused(deployment) or health.pod_problem(world.pods)
    if failing is None and bad is not None:
        failing = Problem(bad.reason, bad.message)
    # A pod that has just become ready has not been asked yet: what was true a moment ago stands until it answers.
    unasked = bool(ready) and all(answer is None for answer in answers)
    serves = good is not None or (unasked and _was_ready(server))
    verdict = Verdict(
        failing=failing,
        serves=serves,
        rolling=not (current and serves and health.rolled_out(deployment)),
        waiting_for="the pod is up; waiting for its answer over MCP" if unasked else "",
    )
    return verdict, ready[0] if ready else None, good


def _was_ready(server: Object) -> bool:
    return bool((server.get("status") or {}).get("ready"))


def _described(server: Object, runtime: Runtime | None, spoke: Handshake | None) -> Object:
    """What only an MCPServer's status has; what the server said last stays until it says something else."""
    before = server.get("status") or {}
    kept = {key: before[key] for key in ("serverInfo", "protocolVersion", "tools", "toolCount") if key in before}
    if runtime is not None:
        kept |= {"path": runtime.path, "transport": runtime.transport}
    else:
        kept |= {key: before[key] for key in ("path", "transport") if key in before}
    if spoke is None:
        return kept
    info = {key: str(spoke.server_info[key])[:256] for key in ("name", "version") if spoke.server_info.get(key)}
    return kept | {
        "serverInfo": info,
        "protocolVersion": spoke.protocol_version,
        "tools": described_tools(spoke.tools),
        "toolCount": len(spoke.tools),
    }


def described_tools(tools: tuple[Object, ...]) -> list[Object]:
    """Name and the beginning of the description of each tool, as the status has them."""
    shown = []
    for tool in tools[:TOOLS_LIMIT]:
        name, description = tool.get("name"), tool.get("description")
        if not isinstance(name, str) or not 0 < len(name) <= NAME_LIMIT:
            continue
        entry = {"name": name}
        if isinstance(description, str) and description:
            cut = len(description) > DESCRIPTION_LIMIT
            entry["description"] = description[: DESCRIPTION_LIMIT - 1] + "…" if cut else description
        shown.append(entry)
    return shown
