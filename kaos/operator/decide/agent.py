"""What should be for an Agent: its environment from the names in its spec, gated by what it depends on.

Dependencies gate only the creation of the Deployment: one that exists is never rolled because a dependency is away, and
its environment never depends on whether something is ready. Peers never gate, so that cycles start.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kaos.api import models
from kaos.api.names import (
    AGENT_CONTAINER,
    ALIASES,
    DEFAULT_PATH,
    HOSTED_PORT,
    MASTER_KEY,
    SERVICE_PORT,
    Phase,
    Reason,
    child_name,
)
from kaos.api.ollama import LATEST
from kaos.operator.decide import peers, podspec, status, workload
from kaos.operator.decide.workload import Blocked, Main, Storage
from kaos.operator.decide.world import Decision, Handshake, Problem, World

Object = dict[str, Any]
COMMAND = ("python", "-m", "kaos.dataplane.agent")
CARD_PATH = "/.well-known/agent-card.json"
MEMORY_DIRECTORY = "/memory"


def decide(agent: Object, world: World) -> Decision:
    """Children, status and events of one Agent. Pure."""
    spec, deployment = agent["spec"], workload.own_deployment(agent, world)
    wanted = lost = None
    mentions: frozenset[tuple[str, str]] = frozenset()
    blocked = world.refused
    missing = _missing_dependency(agent, world)
    try:
        main = _main(agent, world)
        pod = workload.pod_of(agent, main, world)
        mentions = workload.mentions(pod, world)
        workload.judge(agent, pod, world)
        if missing is not None and deployment is None and spec.get("waitForDependencies", True):
            raise Blocked(missing.reason, missing.message)
        wanted, lost = workload.plan(agent, main, pod, world, deployment, routed=peers.exposed(agent))
    except Blocked as stop:
        blocked = stop.problem
    current = workload.is_current(deployment, wanted)
    verdict, pod_to_ask, spoke = workload.verdict(agent, AGENT_CONTAINER, world, deployment, current)
    verdict = replace(verdict, blocked=blocked, lost=lost or missing, note=peers.note(agent, world.agents))
    if missing is not None and missing.reason is not Reason.WAITING_FOR_MCPSERVER:
        verdict = replace(verdict, serves=False)  # without its model an agent answers nobody
    described = status.common(agent, verdict, deployment, world.now) | _described(agent, world, spoke)
    ask = workload.ask_of(pod_to_ask, AGENT_CONTAINER, "", "agent") if pod_to_ask else None
    return Decision(described, wanted, status.transition(agent, verdict), ask, mentions)


# What is asked for.


def _main(agent: Object, world: World) -> Main:
    spec, settings = agent["spec"], world.settings
    env = [
        *podspec.plain_env(_identity(agent) | _model(agent, world)),
        *_model_key(agent, world),
        *podspec.plain_env(_tools(agent, world) | _peers(agent) | _memory(spec)),
    ]
    return Main(
        AGENT_CONTAINER,
        settings.kaos_image,
        SERVICE_PORT,
        env=tuple(env),
        command=COMMAND,
        storage=_storage(spec),
    )


def _storage(spec: Object) -> Storage | None:
    asked = ((spec.get("config") or {}).get("memory") or {}).get("storage")
    return Storage("memory", MEMORY_DIRECTORY, asked) if asked is not None else None


def _identity(agent: Object) -> dict[str, str]:
    meta, config = agent["metadata"], agent["spec"].get("config") or {}
    return {
        "AGENT_NAME": meta["name"],
        "AGENT_NAMESPACE": meta["namespace"],
        "AGENT_DESCRIPTION": config.get("description", ""),
        "AGENT_INSTRUCTIONS": config.get("instructions", ""),
        "AGENTIC_LOOP_MAX_STEPS": str(config.get("reasoningLoopMaxSteps", 5)),
    }


def _model(agent: Object, world: World) -> dict[str, str]:
    spec = agent["spec"]
    hosted = ((world.modelapis.get(spec["modelAPI"]) or {}).get("spec") or {}).get("hostedConfig") is not None
    port = HOSTED_PORT if hosted else SERVICE_PORT
    return {"MODEL_API_URL": _service(agent, "ModelAPI", spec["modelAPI"], port), "MODEL_NAME": spec["model"]}


def _model_key(agent: Object, world: World) -> list[Object]:
    """The key of a ModelAPI whose owner has set one, from the same source."""
    api = world.modelapis.get(agent["spec"]["modelAPI"]) or {}
    variables = ((api.get("spec") or {}).get("container") or {}).get("env") or ()
    return [{**one, "name": "MODEL_API_KEY"} for one in variables if one.get("name") == MASTER_KEY]


def _tools(agent: Object, world: World) -> dict[str, str]:
    servers = agent["spec"].get("mcpServers") or []
    values = {"MCP_SERVERS": ",".join(servers)}
    for name in servers:
        values[f"MCP_SERVER_{_variable(name)}_URL"] = _service(agent, "MCPServer", name, SERVICE_PORT) + _path(
            name, world
        )
    for one in agent["spec"].get("toolFilters") or ():
        for field in ("allow", "deny"):
            if one.get(field):
                values[f"MCP_SERVER_{_variable(one['mcpServer'])}_{field.upper()}"] = ",".join(one[field])
    return values


def _path(server: str, world: World) -> str:
    """The path of the server's endpoint: what its own spec or its runtime says, never what is running."""
    spec = (world.mcpservers.get(server) or {}).get("spec") or {}
    runtimes = world.registry.runtimes if world.registry else {}
    runtime = runtimes.get(ALIASES.get(spec.get("runtime"), spec.get("runtime")))
    return spec.get("path") or (runtime.path if runtime else DEFAULT_PATH)


def _peers(agent: Object) -> dict[str, str]:
    access = (agent["spec"].get("agentNetwork") or {}).get("access") or []
    values = {"PEER_AGENTS": ",".join(access)}
    for name in access:
        values[f"PEER_AGENT_{_variable(name)}_CARD_URL"] = _service(agent, "Agent", name, SERVICE_PORT) + CARD_PATH
    return values


def _memory(spec: Object) -> dict[str, str]:
    memory = (spec.get("config") or {}).get("memory") or {}
    return {
        "MEMORY_ENABLED": str(memory.get("enabled", True)).lower(),
        "MEMORY_CONTEXT_LIMIT": str(memory.get("contextLimit", 6)),
        "MEMORY_MAX_SESSIONS": str(memory.get("maxSessions", 1000)),
        "MEMORY_MAX_SESSION_EVENTS": str(memory.get("maxSessionEvents", 500)),
    } | ({"MEMORY_PATH": f"{MEMORY_DIRECTORY}/memory.db"} if memory.get("storage") is not None else {})


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


def _service(agent: Object, kind: str, name: str, port: int) -> str:
    return f"http://{child_name(kind, name)}.{agent['metadata']['namespace']}.svc.cluster.local:{port}"


# What it depends on.


def _missing_dependency(agent: Object, world: World) -> Problem | None:
    """The first of ModelAPI, its model, MCPServers that is not there or not ready."""
    spec = agent["spec"]
    api = world.modelapis.get(spec["modelAPI"])
    if found := _not_ready("ModelAPI", spec["modelAPI"], api, Reason.WAITING_FOR_MODELAPI):
        return found
    served = (api.get("status") or {}).get("models") or []
    if served and not _is_served(spec["model"], served, api["spec"]):
        message = f"ModelAPI {spec['modelAPI']} does not serve {spec['model']}; it serves: {models.shown(served)}"
        return Problem(Reason.MODEL_NOT_SERVED, message)
    lacking = [
        found
        for name in spec.get("mcpServers") or ()
        if (found := _not_ready("MCPServer", name, world.mcpservers.get(name), Reason.WAITING_FOR_MCPSERVER))
    ]
    if not lacking:
        return None
    return replace(lacking[0], message="; ".join(one.message for one in lacking))


def _is_served(model: str, served: list[str], spec: Object) -> bool:
    if "hostedConfig" in spec:
        return model.removesuffix(LATEST) in {name.removesuffix(LATEST) for name in served}
    return models.covers(served, model)


def _not_ready(kind: str, name: str, obj: Object | None, reason: Reason) -> Problem | None:
    if obj is None:
        return Problem(reason, f"{kind} {name} does not exist; create it")
    told = obj.get("status") or {}
    if told.get("ready"):
        return None
    why = f": {told['reason']}" if told.get("reason") else ""
    cure = f"; see: kaos why {kind.lower()}/{name}" if told.get("phase") == Phase.FAILED else ""
    return Problem(reason, f"{kind} {name} is not ready{why}{cure}")


# How it is.


def _described(agent: Object, world: World, spoke: Handshake | None) -> Object:
    spec, before = agent["spec"], agent.get("status") or {}
    network = spec.get("agentNetwork") or {}
    told: Object = {
        "model": spec["model"],
        "linkedResources": {
            "modelAPI": spec["modelAPI"],
            "mcpServers": spec.get("mcpServers") or [],
            "agents": network.get("access") or [],
        },
        "peers": [
            name for name in network.get("access") or () if name in world.agents and peers.exposed(world.agents[name])
        ],
    }
    told |= {key: before[key] for key in ("tools", "toolCount") if key in before}
    if spoke is not None:
        told |= {"tools": list(spoke.tools), "toolCount": spoke.tool_count}
    return told
