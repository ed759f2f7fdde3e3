"""The runtime registry: which runtimes there are, read from ConfigMaps. A bad entry is skipped and named."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import kaos
from kaos.api.names import (
    ALIASES,
    CUSTOM,
    PACKAGE,
    REGISTRY_CONFIGMAP,
    REGISTRY_KEY,
    REGISTRY_LABEL,
    SYSTEM_NAMESPACE,
)
from kaos.kube import yaml_limits
from kaos.kube.names import is_dns_label

Object = dict[str, Any]
Reader = Callable[[str, Any], Any]  # field name and value -> value. Raises ValueError
_SHOWN = 63  # characters of a foreign name in a problem
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
    isolation: str = "session"
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
    """Runtimes and problems of one document. Each entry is read by itself, so that a bad one hides no other."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        yaml_limits.check(text)
        entries = _entries(yaml.compose(text, loader))
    except yaml_limits.TooMuch as error:
        return {}, [str(error)]
    except yaml.YAMLError as error:
        mark, last = getattr(error, "problem_mark", None), text.rstrip().count("\n") + 1
        return {}, [f"not YAML{f', line {min(mark.line + 1, last)}' if mark else ''}"]
    except ValueError as error:
        return {}, [str(error)]
    runtimes: dict[str, Runtime] = {}
    problems: list[str] = []
    for key, node in entries:
        name = str(key.value)
        try:
            if name in runtimes:
                raise ValueError(f"defined a second time, in line {key.start_mark.line + 1}")
            runtimes[name] = _runtime(name, _fields(node))
        except ValueError as error:
            problems.append(f"runtime {name[:_SHOWN]}: {error}")
    return runtimes, problems


def _entries(document: Any) -> list[tuple[Any, Any]]:
    """The YAML nodes of names and entries. Raises ValueError."""
    pairs = document.value if getattr(document, "id", "") == "mapping" else []
    found = next((value for key, value in pairs if key.value == "runtimes"), None)
    if getattr(found, "id", "") != "mapping":
        raise ValueError("has no mapping `runtimes`")
    return found.value


def _fields(node: Any) -> Object:
    """What one entry says, field by field. Raises ValueError."""
    import yaml

    if node.id != "mapping":
        raise ValueError("must be a mapping")
    names = [str(key.value) for key, _ in node.value]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"field {twice[:_SHOWN]} is given twice")
    try:
        return yaml.SafeLoader("").construct_document(node)
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError):
        # A tag such as !!int fails with whatever its conversion fails with.
        raise ValueError("holds a value that is no plain text, number, list or mapping") from None


def _runtime(name: str, entry: Object) -> Runtime:
    if not is_dns_label(name):
        raise ValueError("the name must be a DNS label")
    if name in (CUSTOM, PACKAGE):
        raise ValueError("this name is reserved")
    if name in ALIASES:
        raise ValueError(f"this name stands for {ALIASES[name]}")
    if unknown := sorted(str(key) for key in entry if key not in _READERS):
        raise ValueError(f"unknown field {unknown[0][:_SHOWN]}")
    values = {key: _READERS[key](key, value) for key, value in entry.items() if value is not None}
    if "local" in values:
        values["local_command"] = values.pop("local")
    if not values.get("image") and not values.get("package"):
        raise ValueError("needs an image or a package")
    return Runtime(name, **values)


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{key} must be text")
    return value


def _choice(*choices: str) -> Reader:
    def read(key: str, value: Any) -> str:
        if value not in choices:
            raise ValueError(f"{key} must be one of {', '.join(choices)}")
        return value

    return read


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{key} must be true or false")
    return value


def _mapping(key: str, value: Any) -> Object:
    if not isinstance(value, dict):
        raise ValueError(f"{key} must be a mapping")
    return value


def _words(key: str, value: Any) -> tuple[str, ...]:
    words = value if isinstance(value, list) else [None]
    if not all(isinstance(word, str | int | float) and not isinstance(word, bool) for word in words):
        raise ValueError(f"{key} must be a list of words")
    return tuple(str(word) for word in words)


def _port(key: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
        raise ValueError(f"{key} must be a number from 1 to 65535")
    return value


def _path(key: str, value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch("/[!-~]*", value):
        raise ValueError(f"{key} must begin with / and hold no blanks")
    return value


def _env(key: str, value: Any) -> tuple[Object, ...]:
    variables = value if isinstance(value, list) else [None]
    for variable in variables:
        if not isinstance(variable, dict) or not isinstance(variable.get("name"), str):
            raise ValueError(f"{key} must be a list of variables with names")
        if set(variable) - {"name", "value", "valueFrom"} or not isinstance(variable.get("value", ""), str):
            raise ValueError(f"{key}: variable {variable['name'][:_SHOWN]} needs a value in quotes, or valueFrom")
    return tuple(variables)


def _local_command(key: str, value: Any) -> tuple[str, ...]:
    if set(_mapping(key, value)) - {"command"}:
        raise ValueError(f"{key} holds a command, nothing else")
    return _words(f"{key}.command", value.get("command") or [])


_READERS: dict[str, Reader] = {
    "type": _choice(*TYPES),
    "image": _text,
    "package": _text,
    "description": _text,
    "source": _text,
    "docs": _text,
    "command": _words,
    "args": _words,
    "transport": _choice("http", "stdio"),
    "port": _port,
    "path": _path,
    "paramsEnvVar": _text,
    "paramsSchema": _mapping,
    "requiredEnv": _words,
    "requiresServiceAccount": _flag,
    "env": _env,
    "writableRoot": _flag,
    "isolation": _choice("shared", "session"),
    "local": _local_command,
}
