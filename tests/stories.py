"""Words that several stories share: manifests, and facts of an object as a person would name them."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import yaml

CALCULATOR = textwrap.dedent(
    '''
    code: |
      def add(a: int, b: int) -> int:
          """Add two numbers."""
          return a + b

      def subtract(a: int, b: int) -> int:
          """Subtract b from a."""
          return a - b
    '''
).lstrip()


def mcpserver(name: str, params: str | None = CALCULATOR, **spec: Any) -> str:
    """The YAML of an MCPServer: rawpython unless `runtime` says otherwise."""
    full_spec = {"runtime": "rawpython", **({"params": params} if params is not None else {}), **spec}
    return _yaml("MCPServer", name, full_spec)


def modelapi(name: str = "mock", **spec: Any) -> str:
    """The YAML of a ModelAPI: a mock unless `type` says otherwise."""
    return _yaml("ModelAPI", name, {"type": "mock", **spec})


def agent(name: str, **spec: Any) -> str:
    """The YAML of an Agent with the model mock of the ModelAPI mock."""
    return _yaml("Agent", name, {"modelAPI": "mock", "model": "mock", **spec})


def manifests(*texts: str) -> str:
    """Several manifests in one stream."""
    return "---\n".join(texts)


def _yaml(kind: str, name: str, spec: dict[str, Any]) -> str:
    return yaml.safe_dump({"apiVersion": "kaos.tools/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})


def is_ready(obj: dict[str, Any] | None) -> bool:
    """Ready for the generation that was last asked for."""
    status = (obj or {}).get("status", {})
    return bool(status.get("ready")) and status.get("observedGeneration") == obj["metadata"]["generation"]


def reason(obj: dict[str, Any] | None) -> str:
    """The reason that the object's Ready condition gives for its present generation; empty while none is given."""
    conditions = (obj or {}).get("status", {}).get("conditions", [])
    ready = next((condition for condition in conditions if condition["type"] == "Ready"), {})
    return ready.get("reason", "") if ready.get("observedGeneration") in (None, obj["metadata"]["generation"]) else ""


def message(obj: dict[str, Any] | None) -> str:
    return (obj or {}).get("status", {}).get("message", "")


def meets(kaos, name: str, namespace: str) -> None:
    """Wait until the agent has met all its peers: a Service is reachable a moment after its pod is ready."""
    for _ in range(60):
        found = json.loads(kaos("agent", "tools", name, "-n", namespace, "-o", "json").ok().stdout)
        if all(peer["ready"] for peer in found["peers"]):
            return
    raise AssertionError(found["peers"])
