"""The runtime registry: which runtimes there are, read from ConfigMaps. A bad entry is skipped and named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import kaos
from kaos.api.names import CUSTOM, PACKAGE, REGISTRY_CONFIGMAP, REGISTRY_KEY, REGISTRY_LABEL, SYSTEM_NAMESPACE
from kaos.kube.names import is_dns_label

Object = dict[str, Any]
TYPES = ("python", "nodejs", "go", "other")


@dataclass(frozen=True)
class Runtime:
    """One entry; the field names are the registry's."""

    name: str
    type: str = "other"
    image: str = ""
    package: str = ""
    description: str = ""
    source: str = "-"
    docs: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    transport: str = "http"
    port: int = 8000
    path: str = "/mcp"
    paramsEnvVar: str = ""
    paramsSchema: Object = field(default_factory=dict)
    requiredEnv: tuple[str, ...] = ()
    requiresServiceAccount: bool = False
    env: tuple[Object, ...] = ()
    writableRoot: bool = False
    isolation: str = "shared"
    local_command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Registry:
    """All runtimes that could be read, and what could not."""

    runtimes: dict[str, Runtime]
    problems: tuple[str, ...] = ()


def builtin_text() -> str:
    """The registry document that KAOS brings along."""
    text = resources.files("kaos.api").joinpath("runtimes.yaml").read_text()
    return text.replace("{version}", kaos.__version__)


def configmap(system_namespace: str = SYSTEM_NAMESPACE) -> Object:
    """The registry as the object that `kaos system install` applies."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": REGISTRY_CONFIGMAP,
            "namespace": system_namespace,
            "labels": {"app.kubernetes.io/part-of": "kaos", REGISTRY_LABEL: "true"},
        },
        "data": {REGISTRY_KEY: builtin_text()},
    }


def read(configmaps: Iterable[Object]) -> Registry | None:
    """The registry of these ConfigMaps (the system one first, then by name); None when there is none at all."""
    ordered = sorted(
        (cm for cm in configmaps if is_registry(cm)),
        key=lambda cm: (cm["metadata"]["name"] != REGISTRY_CONFIGMAP, cm["metadata"]["name"]),
    )
    if not ordered:
        return None
    runtimes: dict[str, Runtime] = {}
    problems: list[str] = []
    for cm in ordered:
        where = cm["metadata"]["name"]
        found, wrong = parse((cm.get("data") or {}).get(REGISTRY_KEY) or "")
        problems += [f"{where}: {problem}" for problem in wrong]
        for name, runtime in found.items():
            if name in runtimes:
                problems.append(f"{where}: runtime {name} is already defined elsewhere")
            else:
                runtimes[name] = runtime
    return Registry(runtimes, tuple(problems))


def is_registry(cm: Object) -> bool:
    meta = cm["metadata"]
    return meta["name"] == REGISTRY_CONFIGMAP or (meta.get("labels") or {}).get(REGISTRY_LABEL) == "true"


def parse(text: str) -> tuple[dict[str, Runtime], list[str]]:
    """Runtimes and problems of one document."""
    import yaml

    try:
        document = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return {}, [f"not YAML{f', line {mark.line + 1}' if mark else ''}"]
    entries = document.get("runtimes") if isinstance(document, dict) else None
    if not isinstance(entries, dict):
        return {}, ["has no mapping `runtimes`"]
    runtimes: dict[str, Runtime] = {}
    problems: list[str] = []
    for name, entry in entries.items():
        try:
            runtimes[str(name)] = _runtime(str(name), entry)
        except ValueError as error:
            problems.append(f"runtime {name}: {error}")
    return runtimes, problems


_TEXTS = ("image", "package", "description", "source", "docs", "paramsEnvVar")
_CHOICES = {"type": TYPES, "transport": ("http", "stdio"), "isolation": ("shared", "session")}


def _runtime(name: str, entry: Any) -> Runtime:
    if not is_dns_label(name):
        raise ValueError("the name must be a DNS label")
    if name in (CUSTOM, PACKAGE):
        raise ValueError("this name is reserved")
    if not isinstance(entry, dict):
        raise ValueError("must be a mapping")
    unknown = set(entry) - {f for f in Runtime.__dataclass_fields__ if f not in ("name", "local_command")} - {"local"}
    if unknown:
        raise ValueError(f"unknown field {min(map(str, unknown))}")
    values: Object = {"name": name}
    for key, value in entry.items():
        match key:
            case _ if value is None:
                continue
            case _ if key in _TEXTS:
                values[key] = _checked(key, value, str)
            case _ if key in _CHOICES:
                if value not in _CHOICES[key]:
                    raise ValueError(f"{key} must be one of {', '.join(_CHOICES[key])}")
                values[key] = value
            case "command" | "args" | "requiredEnv":
                values[key] = _words(key, value)
            case "port":
                if not isinstance(value, int) or not 1 <= value <= 65535:
                    raise ValueError("port must be a number from 1 to 65535")
                values[key] = value
            case "path":
                if not isinstance(value, str) or not value.startswith("/"):
                    raise ValueError("path must begin with /")
                values[key] = value
            case "requiresServiceAccount" | "writableRoot":
                values[key] = _checked(key, value, bool)
            case "paramsSchema":
                values[key] = _checked(key, value, dict)
            case "env":
                if not isinstance(value, list) or not all(isinstance(v, dict) and v.get("name") for v in value):
                    raise ValueError("env must be a list of variables with names")
                values[key] = tuple(value)
            case "local":
                values["local_command"] = _words("local.command", _checked(key, value, dict).get("command") or [])
    if not values.get("image") and not values.get("package"):
        raise ValueError("needs an image or a package")
    return Runtime(**values)


def _checked(key: str, value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{key} must be {'text' if kind is str else 'true or false' if kind is bool else 'a mapping'}")
    return value


def _words(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str | int | float) for word in value):
        raise ValueError(f"{key} must be a list of words")
    return tuple(str(word) for word in value)
