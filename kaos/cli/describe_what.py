"""What a resource is, in `describe`: lines that differ by kind. Keys are told by where they come from, never shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from kaos.actions import bridged
from kaos.actions.kinds import AGENT, MODELAPI, Kind
from kaos.api.names import MASTER_KEY

Object = dict[str, Any]
Pairs = Iterator[tuple[str, Any]]
_SHOWN = 10


def what(obj: Object, kind: Kind) -> Pairs:
    """Name and value of each line."""
    return _OF_KIND.get(kind, _of_server)(obj["spec"])


def _of_server(spec: Object) -> Pairs:
    yield "Runtime", spec.get("runtime")
    yield "Runs elsewhere", bridged.remote(spec)
    yield "Tools left", bridged.rules(spec.get("tools"))
    yield "Params", _size(spec.get("params"))


def _of_agent(spec: Object) -> Pairs:
    config, network = spec.get("config") or {}, spec.get("agentNetwork") or {}
    yield "Model", f"{spec.get('model')}, of ModelAPI {spec.get('modelAPI')}"
    yield "Description", config.get("description")
    yield "Instructions", _size(config.get("instructions"))
    yield "Steps", f"at most {config.get('reasoningLoopMaxSteps', 5)} model calls for one answer"
    yield "Memory", _memory(config.get("memory") or {})
    yield "Exposed", "to other agents and the Gateway" if network.get("expose") else "no"
    for one in spec.get("toolFilters") or ():
        yield f"Tools of {one['mcpServer']}", bridged.rules(one)


def _memory(memory: Object) -> str:
    if not memory.get("enabled", True):
        return "none"
    seen = memory.get("contextLimit", 6)
    kept = f"{memory.get('maxSessions', 1000)} sessions of {memory.get('maxSessionEvents', 500)} events"
    where = _volume(memory["storage"]) if memory.get("storage") is not None else "lost when the pod ends"
    return f"the last {seen} messages, {kept}, {where}"


def _of_model_api(spec: Object) -> Pairs:
    yield "Type", _TYPES.get((spec.get("type") or spec.get("mode") or "").lower())
    if proxy := spec.get("proxyConfig"):
        yield "Asked to serve", names(proxy.get("models") or ())
        yield "Provider", proxy.get("provider")
        yield "Provider's address", proxy.get("apiBase")
        yield "Provider's key", _source(proxy.get("apiKey"))
        yield "Configuration", _configuration(proxy.get("configYaml") or {})
        yield "Its own key", _own_key(spec)
    if hosted := spec.get("hostedConfig"):
        yield "Model", hosted.get("model")
        yield "Models kept", _volume(hosted["storage"]) if hosted.get("storage") else "until the pod ends"
    if mock := spec.get("mockConfig"):
        responses = len(mock.get("responses") or ())
        yield "Answers", f"{responses} scripted" if responses else None
        yield "Latency", mock.get("latency")


_TYPES = {
    "proxy": "proxy (LiteLLM; the local cluster may use the relay)",
    "hosted": "hosted (Ollama)",
    "mock": "mock: no model, deterministic answers",
}


def _source(key: Object | None) -> str:
    """Where a variable's or key's value comes from."""
    if not key:
        return "none"
    if reference := (key.get("valueFrom") or {}).get("secretKeyRef"):
        return f"{reference.get('key')} of Secret {reference.get('name')}"
    return "in the spec itself, where everybody reads it; a Secret is better"


def _configuration(config: Object) -> str | None:
    if reference := config.get("fromSecretKeyRef"):
        return f"{reference.get('key')} of Secret {reference.get('name')}, checked in the pod"
    text = _size(config.get("fromString"))
    return f"its own, {text}" if text else None


def _own_key(spec: Object) -> str:
    variables = (spec.get("container") or {}).get("env") or ()
    found = next((one for one in variables if one.get("name") == MASTER_KEY), None)
    return _source(found) if found else f"none: whoever reaches it may use it ({MASTER_KEY} in container.env)"


def _volume(storage: Object) -> str:
    kept = "kept when this is deleted" if storage.get("retain", True) else "deleted with this"
    kind = f" of class {storage['storageClassName']}" if storage.get("storageClassName") else ""
    return f"on a volume of {storage.get('size', '1Gi')}{kind}, {kept}"


def names(found: Any) -> str | None:
    """The first of them."""
    listed = [str(one) for one in found]
    return ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")


def _size(text: str | None) -> str | None:
    return f"{len(text.splitlines())} lines, {len(text.encode())} bytes" if text else None


_OF_KIND: dict[Kind, Callable[[Object], Pairs]] = {AGENT: _of_agent, MODELAPI: _of_model_api}
