"""What a runtime of the registry needs, and a manifest to begin with. Pure."""

from __future__ import annotations

from typing import Any

from kaos.api.names import API_VERSION, CUSTOM, child_name
from kaos.api.registry import Runtime

Object = dict[str, Any]
_CODE = {
    "MCP_TOOLS_STRING": 'def greet(name: str) -> str:\n    """Greet somebody."""\n    return f"Hello, {name}!"\n',
}


def manifest(runtime: Runtime) -> Object:
    """An MCPServer of this runtime with all that it cannot do without; what only a person knows stands in capitals."""
    spec: Object = {"runtime": runtime.name}
    if runtime.paramsEnvVar:
        spec["params"] = _CODE.get(runtime.paramsEnvVar, "PARAMS\n")
    if runtime.requiresServiceAccount:
        spec["serviceAccountName"] = child_name("MCPServer", _name(runtime))
    container: Object = {}
    if runtime.name == CUSTOM:
        container["image"] = "IMAGE:TAG"
    if runtime.requiredEnv:
        container["env"] = [_variable(runtime, name) for name in runtime.requiredEnv]
    if container:
        spec["container"] = container
    return {"apiVersion": API_VERSION, "kind": "MCPServer", "metadata": {"name": _name(runtime)}, "spec": spec}


def _name(runtime: Runtime) -> str:
    return f"my-{runtime.name}"


def _variable(runtime: Runtime, name: str) -> Object:
    """What a server cannot do without is nearly always a token or an address with one in it: from a Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": runtime.name, "key": secret_key(name)}}}


def secret_key(variable: str) -> str:
    return variable.lower().replace("_", "-")


def needs(runtime: Runtime) -> list[str]:
    """What has to be there before a server of this runtime can work, each with its command."""
    wanted = []
    if runtime.requiredEnv:
        keys = " ".join(secret_key(name) for name in runtime.requiredEnv)
        wanted.append(f"{', '.join(runtime.requiredEnv)}: kaos secret create {runtime.name} {keys}")
    if runtime.requiresServiceAccount:
        wanted.append(f"a ServiceAccount with rights on the cluster: kaos system create-rbac --name {_name(runtime)}")
    return wanted


def facts(runtime: Runtime) -> list[tuple[str, str]]:
    """What the entry says, as a person reads it."""
    told = [
        ("Runtime", runtime.name),
        ("About", runtime.description),
        ("Type", runtime.type if runtime.type != "-" else ""),
        ("Image", runtime.image),
        ("Package", runtime.package),
        ("Command", " ".join([*runtime.command, *runtime.args])),
        ("Locally", " ".join(runtime.local_command)),
        ("Speaks", runtime.transport if runtime.transport == "stdio" else f"HTTP at :{runtime.port}{runtime.path}"),
        ("Params", f"in {runtime.paramsEnvVar}" if runtime.paramsEnvVar else "none"),
        ("Sessions", _sessions(runtime)),
        ("Source", runtime.source if runtime.source != "-" else ""),
        ("Docs", runtime.docs),
    ]
    return [(name, value) for name, value in told if value]


def _sessions(runtime: Runtime) -> str:
    if runtime.transport != "stdio":
        return ""
    return "a process each" if runtime.isolation == "session" else "one process for all"
