"""What should be for a ModelAPI: a mock built in, a proxy to providers, or a hosted model."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from kaos.api.names import (
    CHECK_CONTAINER,
    HOSTED_PORT,
    MASTER_KEY,
    MODEL_CONTAINER,
    MODELS_PATH,
    READINESS_PATH,
    SERVICE_PORT,
)
from kaos.operator.decide import children, litellm, podspec, status, workload
from kaos.operator.decide.workload import Blocked, Main, Storage
from kaos.operator.decide.world import Ask, Decision, Handshake, World

Object = dict[str, Any]

MOCK_COMMAND = ("python", "-m", "kaos.dataplane.model", "mock")
CHECK_COMMAND = ("python", "-m", "kaos.dataplane.model", "check")
LOCAL_PROXY = ("python", "-m", "kaos.dataplane.model", "proxy")
PROXY_START_S = 900  # on a laptop the first start of LiteLLM installs it
CONFIG_DIRECTORY = "/etc/kaos"
CONFIG_FILE = "config.yaml"
MODELS_DIRECTORY = "/models"
MODELS_LIMIT = 256
# LiteLLM refuses to start without a master key of its own unless it is told that this is meant.
LITELLM_ENV = {
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_OTEL_INTEGRATION_ENABLE_METRICS": "true",  # metrics too, where it tells a collector at all
}


def decide(api: Object, world: World) -> Decision:
    """Children, status and events of one ModelAPI. Pure."""
    deployment = workload.own_deployment(api, world)
    wanted = lost = None
    mentions: frozenset[tuple[str, str]] = frozenset()
    blocked = world.refused
    try:
        main, config = _main(api, world)
        pod = workload.pod_of(api, main, world)
        mentions = workload.mentions(pod, world)
        workload.judge(api, pod, world)
        wanted, lost = workload.plan(api, main, pod, world, deployment, config=config)
    except Blocked as stop:
        blocked = stop.problem
    current = workload.is_current(deployment, wanted)
    verdict, pod_to_ask, spoke = workload.verdict(api, MODEL_CONTAINER, world, deployment, current)
    verdict = replace(verdict, blocked=blocked, lost=lost)
    port = HOSTED_PORT if kind_of(api["spec"]) == "hosted" else SERVICE_PORT
    described = status.common(api, verdict, deployment, world.now, port) | _described(api, spoke)
    ask = _ask(api["spec"], pod_to_ask) if pod_to_ask else None
    return Decision(described, wanted, status.transition(api, verdict), ask, mentions)


def kind_of(spec: Object) -> str:
    """proxy, hosted or mock, by `type` or its alias `mode`."""
    return str(spec.get("type") or spec.get("mode") or "").lower()


def _ask(spec: Object, pod: Object) -> Ask:
    match kind_of(spec):
        case "hosted":
            asked = workload.ask_of(pod, MODEL_CONTAINER, MODELS_PATH, "hosted")
            return replace(asked, model=spec["hostedConfig"]["model"])
        case "proxy" if _wants_key(pod):
            return workload.ask_of(pod, MODEL_CONTAINER, READINESS_PATH, "models")
        case _:
            return workload.ask_of(pod, MODEL_CONTAINER, MODELS_PATH, "models")


def _wants_key(pod: Object) -> bool:
    """Whether it lists nothing without a key, which we do not have; LiteLLM logs each such try at length."""
    variables = podspec.container(pod["spec"], MODEL_CONTAINER).get("env") or ()
    return any(one["name"] == MASTER_KEY for one in variables)


# What is asked for.


def _main(api: Object, world: World) -> tuple[Main, dict[str, str] | None]:
    """The main container, and the files it is configured by. Raises Blocked."""
    spec, settings = api["spec"], world.settings
    match kind_of(spec):
        case "mock":
            env = _mock_env(spec.get("mockConfig") or {})
            return Main(MODEL_CONTAINER, settings.mock_image, SERVICE_PORT, env=env, command=MOCK_COMMAND), None
        case "proxy":
            return _proxy(api, world)
        case _:
            return _hosted(spec, world), None


def _mock_env(config: Object) -> tuple[Object, ...]:
    values = {"MOCK_MODELS": ",".join(config.get("models") or ["mock"])}
    if config.get("responses"):
        values["MOCK_RESPONSES"] = json.dumps(config["responses"], ensure_ascii=False)
    if config.get("latency"):
        values["MOCK_LATENCY"] = config["latency"]
    return tuple(podspec.plain_env(values))


def _proxy(api: Object, world: World) -> tuple[Main, dict[str, str] | None]:
    config = api["spec"]["proxyConfig"]
    text = litellm.config(config, workload.telemetry(api, world.settings) is not None)
    env = [*podspec.plain_env(LITELLM_ENV)]
    if config.get("apiBase"):
        env += podspec.plain_env({"PROXY_API_BASE": config["apiBase"]})
    if key := config.get("apiKey"):
        env.append({"name": "PROXY_API_KEY", **key})
    elif config.get("apiBase"):
        # LiteLLM calls nobody without a key, and a provider of one's own often has none.
        env += podspec.plain_env({"OPENAI_API_KEY": "none"})
    volume = {"name": "config", **_config_source(api, text)}
    mount = {"name": "config", "mountPath": CONFIG_DIRECTORY, "readOnly": True}
    main = Main(
        MODEL_CONTAINER,
        world.settings.litellm_image,
        SERVICE_PORT,
        env=tuple(env),
        args=("--config", f"{CONFIG_DIRECTORY}/{CONFIG_FILE}", "--port", "$(PORT)"),
        writable_root=True,
        volumes=(volume,),
        mounts=(mount,),
        init=(_check(api, world, mount),) if text is None else (),
        start_s=PROXY_START_S,
        local_command=LOCAL_PROXY,
    )
    return main, {CONFIG_FILE: text} if text is not None else None


def _config_source(api: Object, text: str | None) -> Object:
    if text is not None:
        return {"configMap": {"name": children.config_name(api)}}
    reference = api["spec"]["proxyConfig"]["configYaml"]["fromSecretKeyRef"]
    return {"secret": {"secretName": reference["name"], "items": [{"key": reference["key"], "path": CONFIG_FILE}]}}


def _check(api: Object, world: World, mount: Object) -> Object:
    """The step before the start that looks at what only the pod may read: a configuration in a Secret."""
    proxy = api["spec"]["proxyConfig"]
    source = proxy["configYaml"]["fromSecretKeyRef"]
    called = f"{source['key']} of Secret {source['name']}"
    args = ["--config", f"{CONFIG_DIRECTORY}/{CONFIG_FILE}", "--name", called]
    return {
        "name": CHECK_CONTAINER,
        "image": world.settings.kaos_image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(CHECK_COMMAND),
        "args": [*args, *(f"--model={name}" for name in proxy["models"])],
        "resources": podspec.RESOURCES,
        "securityContext": podspec.CONTAINER_SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [podspec.TMP_MOUNT, mount],
    }


def _hosted(spec: Object, world: World) -> Main:
    env = {"OLLAMA_HOST": "0.0.0.0:$(PORT)", "OLLAMA_MODELS": MODELS_DIRECTORY}
    return Main(
        MODEL_CONTAINER,
        world.settings.ollama_image,
        HOSTED_PORT,
        service_port=HOSTED_PORT,
        env=tuple(podspec.plain_env(env)),
        command=("ollama", "serve"),
        storage=Storage("models", MODELS_DIRECTORY, (spec.get("hostedConfig") or {}).get("storage")),
        local_command=("ollama", "serve"),
    )


# How it is.


def _described(api: Object, spoke: Handshake | None) -> Object:
    before, told = api.get("status") or {}, {"type": kind_of(api["spec"])}
    told |= {key: before[key] for key in ("models", "modelsSummary") if key in before}
    if spoke is not None:
        proxy = api["spec"].get("proxyConfig")
        models = (litellm.served(proxy, spoke) if proxy else list(spoke.models))[:MODELS_LIMIT]
        told |= {"models": models, "modelsSummary": _summary(models)}
    return told


def _summary(models: list[str]) -> str:
    shown = ", ".join(models[:2])
    return f"{shown} (+{len(models) - 2})" if len(models) > 2 else shown
