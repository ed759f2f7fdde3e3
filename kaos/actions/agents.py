"""What a person does with agents and models alone: write their manifests, choose a model, send over A2A."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from kaos.actions.chat import Endpoint
from kaos.actions.kinds import AGENT, MODELAPI
from kaos.actions.mcp import Pairs, References, env_variables
from kaos.api.names import API_VERSION
from kaos.errors import KaosError, UsageError

Object = dict[str, Any]


@dataclass(frozen=True)
class AgentFlags:
    """An Agent in the words of the command line."""

    model_api: str | None = None
    model: str | None = None
    servers: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    expose: bool = False
    description: str | None = None
    instructions: str | None = None
    env: Pairs = ()
    secrets: References = ()


def agent_manifest(name: str, flags: AgentFlags) -> Object:
    """The Agent that the flags describe. Raises UsageError."""
    if not flags.model_api or not flags.model:
        raise UsageError("An Agent needs a ModelAPI and a model.", "Add --model-api NAME --model MODEL")
    network = _given(expose=flags.expose or None, access=list(flags.peers) or None)
    spec = _given(
        modelAPI=flags.model_api,
        model=flags.model,
        mcpServers=list(flags.servers) or None,
        agentNetwork=network or None,
        config=_given(description=flags.description, instructions=flags.instructions) or None,
        container=_environment(flags.env, flags.secrets),
    )
    return _manifest(AGENT.title, name, spec)


@dataclass(frozen=True)
class ModelFlags:
    """A ModelAPI in the words of the command line."""

    type: str | None = None
    models: tuple[str, ...] = ()
    provider: str | None = None
    api_base: str | None = None
    api_key: tuple[str, str] | None = None  # Secret, key
    responses: tuple[str, ...] = ()
    env: Pairs = ()
    secrets: References = ()


def modelapi_manifest(name: str, flags: ModelFlags) -> Object:
    """The ModelAPI that the flags describe. Raises UsageError."""
    models = list(flags.models)
    match flags.type:
        case "mock":
            config = {"mockConfig": _given(models=models or None, responses=list(flags.responses) or None) or None}
        case "hosted":
            if len(models) != 1:
                raise UsageError("A hosted ModelAPI serves one model.", "Add --model NAME once")
            config = {"hostedConfig": {"model": models[0]}}
        case _:
            if not models:
                raise UsageError("A proxy needs the models that it serves.", "Add --model NAME, openai/* or *")
            secret = flags.api_key
            key = {"valueFrom": {"secretKeyRef": {"name": secret[0], "key": secret[1]}}} if secret else None
            config = {"proxyConfig": _given(models=models, provider=flags.provider, apiBase=flags.api_base, apiKey=key)}
    spec = _given(type=flags.type or "proxy", container=_environment(flags.env, flags.secrets), **config)
    return _manifest(MODELAPI.title, name, spec)


def chosen_model(api: Object, asked: str | None) -> str:
    """The model to ask a ModelAPI for: the asked one, else the only one that it serves. Raises UsageError."""
    served = (api.get("status") or {}).get("models") or []
    if asked:
        return asked
    exact = [name for name in served if "*" not in name]
    if len(exact) == 1:
        return exact[0]
    told = f"It serves: {', '.join(served[:10])}" if served else "See: kaos modelapi models"
    raise UsageError(f"Which model of ModelAPI {api['metadata']['name']}?", f"Add --model NAME. {told}")


def send_a2a(endpoint: Endpoint, message: str) -> Object:
    """The task that the agent makes of a message, over A2A 1.0. Raises KaosError."""
    sent = {"role": "ROLE_USER", "messageId": uuid.uuid4().hex, "parts": [{"text": message}]}
    answer = endpoint.post("/", {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": sent}})
    if error := answer.get("error"):
        raise KaosError(f"{endpoint.who}: {error.get('message', 'it gave no reason')}", "")
    return answer.get("result") or {}


def _manifest(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _environment(env: Pairs, secrets: References) -> Object | None:
    variables = env_variables(env, secrets)
    return {"env": variables} if variables else None


def _given(**values: Any) -> Object:
    return {key: value for key, value in values.items() if value is not None}
