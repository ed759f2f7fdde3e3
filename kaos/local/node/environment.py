"""What a container finds in its environment: the machine's allowed part, then the pod's own."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from kaos.kube import quantities
from kaos.kube.resources import CONFIGMAPS, SECRETS, Resource
from kaos.local.machinery import Machinery

Object = dict[str, Any]

_ALLOWED = re.compile(
    r"PATH|LANG|LANGUAGE|LC_\w+|TZ|(HTTP|HTTPS|ALL|NO|FTP)_PROXY|(http|https|all|no|ftp)_proxy|SSL_CERT_(FILE|DIR)"
    r"|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS|PIP_\w+|UV_\w+|(NPM_CONFIG|npm_config)_\w+"
)
_REFERENCE = re.compile(r"\$(?:\$|\((?P<name>[A-Za-z_.-][A-Za-z0-9_.-]*)\))")


class ConfigError(Exception):
    """The container cannot be configured (kubelet's CreateContainerConfigError); the text is kubelet's."""


def from_machine() -> dict[str, str]:
    """What a pod may see of this machine's environment."""
    return {name: value for name, value in os.environ.items() if _ALLOWED.fullmatch(name)}


_PORTS = ("PORT", "UPSTREAM_PORT")


def expand(text: str, values: dict[str, str]) -> str:
    """`$(NAME)` as Kubernetes expands it: unknown names stay, `$$` is one dollar sign."""

    def one(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None:
            return "$"
        return values.get(name, found[0])

    return _REFERENCE.sub(one, text)


def resolve(
    machinery: Machinery,
    pod: Object,
    container: Object,
    rewrite: Callable[[str], str] = lambda text: text,
    ports: Mapping[int, int] | None = None,
) -> dict[str, str]:
    """The variables that the pod's manifest gives this container. Raises ConfigError.

    PORT, where it names a container port, becomes the port of this machine that stands for it: what the server is to
    listen on, and what `$(PORT)` means in later variables and in the command. UPSTREAM_PORT likewise, for who stands in
    front of another container.
    """
    namespace = pod["metadata"]["namespace"]
    values: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        for resource, field in ((CONFIGMAPS, "configMapRef"), (SECRETS, "secretRef")):
            if reference := source.get(field):
                data = _data(machinery, resource, namespace, reference)
                values |= {f"{source.get('prefix', '')}{key}": value for key, value in data.items()}
    for variable in container.get("env") or ():
        if "valueFrom" in variable:
            value = _from(machinery, pod, container, variable["valueFrom"])
        else:
            value = expand(variable.get("value") or "", values)
        if value is not None:
            values[variable["name"]] = _at_home(variable["name"], rewrite(value), ports or {})
    return values


def _at_home(name: str, value: str, ports: Mapping[int, int]) -> str:
    return str(ports.get(int(value), value)) if name in _PORTS and value.isdecimal() else value


def _data(machinery: Machinery, resource: Resource, namespace: str, reference: Object) -> dict[str, str]:
    found = machinery.find(resource, namespace, reference["name"])
    if found is None:
        if reference.get("optional"):
            return {}
        raise ConfigError(f'{resource.kind.lower()} "{reference["name"]}" not found')
    return decoded(resource, found)


def decoded(resource: Resource, obj: Object) -> dict[str, str]:
    """The text values of a ConfigMap or Secret."""
    return {key: value.decode(errors="surrogateescape") for key, value in raw(resource, obj).items()}


def raw(resource: Resource, obj: Object) -> dict[str, bytes]:
    import base64

    if resource is SECRETS:
        return {key: base64.b64decode(value) for key, value in (obj.get("data") or {}).items()}
    binary = {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}
    return {key: value.encode() for key, value in (obj.get("data") or {}).items()} | binary


def _from(machinery: Machinery, pod: Object, container: Object, source: Object) -> str | None:
    namespace = pod["metadata"]["namespace"]
    for resource, field in ((CONFIGMAPS, "configMapKeyRef"), (SECRETS, "secretKeyRef")):
        if reference := source.get(field):
            found = machinery.find(resource, namespace, reference["name"])
            values = decoded(resource, found) if found else {}
            if reference["key"] in values:
                return values[reference["key"]]
            if reference.get("optional"):
                return None
            if found is None:
                raise ConfigError(f'{resource.kind.lower()} "{reference["name"]}" not found')
            where = f"{resource.kind} {namespace}/{reference['name']}"
            raise ConfigError(f"couldn't find key {reference['key']} in {where}")
    if reference := source.get("fieldRef"):
        return field_value(pod, reference["fieldPath"])
    if reference := source.get("resourceFieldRef"):
        return _resource(pod, container, reference)
    return None


def field_value(pod: Object, path: str) -> str:
    """A downward API field. Raises ConfigError for one that is not offered."""
    meta, spec = pod["metadata"], pod["spec"]
    if found := re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path):
        return (meta.get(found[1]) or {}).get(found[2], "")
    match path:
        case "metadata.name" | "metadata.namespace" | "metadata.uid":
            return meta[path.rpartition(".")[2]]
        case "metadata.labels" | "metadata.annotations":
            values = meta.get(path.rpartition(".")[2]) or {}
            return "\n".join(f'{key}="{value}"' for key, value in sorted(values.items()))
        case "spec.nodeName" | "spec.serviceAccountName":
            return spec.get(path.rpartition(".")[2]) or ""
        case "status.podIP" | "status.hostIP" | "status.podIPs" | "status.hostIPs":
            return "127.0.0.1"
    raise ConfigError(f"unsupported fieldPath: {path}")


def _resource(pod: Object, container: Object, reference: Object) -> str:
    name = reference.get("containerName") or container["name"]
    of = next((c for c in pod["spec"]["containers"] if c["name"] == name), container)
    group, _, resource = reference["resource"].partition(".")
    text = ((of.get("resources") or {}).get(group) or {}).get(resource)
    if text is None:
        text = (
            str(os.cpu_count()) if resource == "cpu" else str(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        )
    divisor = quantities.parse(str(reference.get("divisor") or "1")) or 1
    return str(math.ceil(quantities.parse(text) / divisor))
