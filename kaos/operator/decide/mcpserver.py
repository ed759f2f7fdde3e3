"""What should be for an MCPServer: its runtime resolved, its pod planned, what it said told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kaos.api.names import (
    ALIASES,
    BRIDGE_CONTAINER,
    CUSTOM,
    DEFAULT_PATH,
    MCP_CONTAINER,
    PACKAGE,
    REGISTRY_CONFIGMAP,
    SERVICE_PORT,
    Reason,
)
from kaos.api.registry import Registry, Runtime
from kaos.kube.names import nearest
from kaos.operator.decide import bridge, podspec, status, workload
from kaos.operator.decide.workload import Blocked, Main
from kaos.operator.decide.world import Decision, Handshake, Settings, World

Object = dict[str, Any]
REMOTE = "remote"
CUSTOM_PARAMS_VARIABLE = "MCP_PARAMS"
_FETCHERS = {"pypi": ("uvx",), "npm": ("npx", "-y")}
START_S = 180  # programs that are fetched first take their time


def decide(server: Object, world: World) -> Decision:
    """Children, status and events of one MCPServer. Pure: the same world gives the same decision."""
    deployment = workload.own_deployment(server, world)
    runtime = wanted = lost = None
    mentions: frozenset[tuple[str, str]] = frozenset()
    blocked = world.refused
    try:
        runtime = resolve(server, world.registry, world.settings)
        main = _main(server, runtime, world.settings)
        pod = workload.pod_of(server, main, world)
        mentions = workload.mentions(pod, world)
        workload.judge(server, pod, world)
        _check_requirements(runtime, pod)
        wanted, lost = workload.plan(server, main, pod, world, deployment)
    except Blocked as stop:
        blocked = stop.problem
    current = workload.is_current(deployment, wanted)
    serving = BRIDGE_CONTAINER if bridge.is_in(deployment) else MCP_CONTAINER
    verdict, pod_to_ask, spoke = workload.verdict(server, serving, world, deployment, current)
    verdict = replace(verdict, blocked=blocked, lost=lost)
    described = status.common(server, verdict, deployment, world.now) | _described(server, runtime, spoke)
    path = described.get("path") or DEFAULT_PATH
    ask = workload.ask_of(pod_to_ask, serving, path, "mcp") if pod_to_ask else None
    return Decision(described, wanted, status.transition(server, verdict), ask, mentions)


# What is asked for.


def resolve(server: Object, registry: Registry | None, settings: Settings) -> Runtime:
    """The runtime that the server names, with its own port, path and transport. Raises Blocked."""
    spec = server["spec"]
    name = spec.get("runtime")
    if spec.get("remote"):
        return Runtime(REMOTE, port=spec.get("port") or SERVICE_PORT, path=spec.get("path") or DEFAULT_PATH)
    if name == CUSTOM:
        image = (spec.get("container") or {}).get("image", "")
        runtime = Runtime(CUSTOM, image=image, paramsEnvVar=CUSTOM_PARAMS_VARIABLE)
    elif name == PACKAGE:
        runtime = Runtime(PACKAGE, package=spec["package"])
    else:
        runtime = _registered(
            ALIASES.get(name, name), name, registry, f"{settings.system_namespace}/{REGISTRY_CONFIGMAP}"
        )
    overrides = {field: spec[field] for field in ("port", "path", "transport") if spec.get(field)}
    runtime = replace(runtime, **overrides)
    return _fetched(runtime, settings.package_image) if runtime.package and not runtime.image else runtime


def _fetched(runtime: Runtime, image: str) -> Runtime:
    """The runtime that fetches its package and runs it, in an image that can. Raises Blocked."""
    where, _, what = runtime.package.partition(":")
    if where not in _FETCHERS:
        message = f"runtime {runtime.name}: package must be pypi:NAME==VERSION or npm:NAME@VERSION"
        raise Blocked(Reason.RUNTIME_REGISTRY_INVALID, message)
    command = runtime.command or (*_FETCHERS[where], what)
    local = runtime.local_command or command
    return replace(runtime, image=image, command=command, local_command=local, transport="stdio")


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


def _main(server: Object, runtime: Runtime, settings: Settings) -> Main:
    """Raises Blocked."""
    spec = server["spec"]
    if remote := spec.get("remote"):
        return Main(
            MCP_CONTAINER,
            settings.bridge_image,
            runtime.port,
            env=tuple(bridge.remote_env(remote)),
            command=bridge.COMMAND,
            args=tuple(bridge.remote_arguments(runtime.path, remote, spec.get("tools"))),
        )
    params = spec.get("params")
    if params and not runtime.paramsEnvVar:
        raise Blocked(Reason.INVALID_PARAMS, f"runtime {runtime.name} takes no params; remove spec.params")
    given = podspec.plain_env({runtime.paramsEnvVar: params}) if params else []
    main = Main(
        MCP_CONTAINER,
        runtime.image,
        runtime.port,
        env=tuple(podspec.env_list(given, runtime.env)),
        command=runtime.command,
        args=runtime.args,
        writable_root=runtime.writableRoot,
        local_command=runtime.local_command,
        start_s=START_S,
    )
    tools = {key: patterns for key, patterns in (spec.get("tools") or {}).items() if patterns}
    if runtime.transport != "stdio" and not tools:
        return main
    if runtime.transport != "stdio":
        port = bridge.port_in_front(runtime.port)
        front = bridge.before_http(settings, port, runtime.port, runtime.path, START_S, tools)
        return replace(main, port=port, inner_port=runtime.port, front=front)
    return replace(
        main,
        init=(bridge.installer(settings),),
        volumes=(bridge.VOLUME,),
        mounts=(bridge.MOUNT,),
        front=bridge.before_stdio(settings, runtime.port, runtime.path, START_S, runtime.isolation, tools),
        wrapper=bridge.WRAPPER,
    )


def _check_requirements(runtime: Runtime, pod: Object) -> None:
    """What the registry says that the runtime cannot do without. Raises Blocked."""
    if runtime.requiresServiceAccount and not (pod.get("serviceAccountName") or pod.get("serviceAccount")):
        message = f"runtime {runtime.name} acts on the cluster; name a ServiceAccount in spec.serviceAccountName"
        raise Blocked(Reason.SERVICE_ACCOUNT_REQUIRED, message)
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


# How it is.


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
    return kept | {
        "serverInfo": spoke.server_info,
        "protocolVersion": spoke.protocol_version,
        "tools": list(spoke.tools),
        "toolCount": spoke.tool_count,
    }
