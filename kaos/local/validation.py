"""What the API server checks beyond schemas: names, labels, pods, Services, and what may not change."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Any

from kaos.kube import names, quantities, selectors
from kaos.local.schema import FieldError, invalid, required

Object = dict[str, Any]

_LABEL_REGEX = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN_REGEX = rf"{_LABEL_REGEX}(\.{_LABEL_REGEX})*"
_SERVICE_REGEX = "[a-z]([-a-z0-9]*[a-z0-9])?"
_LABEL_VALUE_REGEX = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_QUALIFIED_REGEX = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN_REGEX}')"
)
LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL_REGEX}')"
)
SERVICE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    f"'{_SERVICE_REGEX}')"
)
LABEL_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'{_LABEL_VALUE_REGEX}')"
)
QUALIFIED = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    f"'{_QUALIFIED_REGEX}')"
)
ENV_NAME = "a valid environment variable name must consist only of printable ASCII characters other than '='"
CONFIG_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
PORT = "must be between 1 and 65535, inclusive"
_IMMUTABLE = "field is immutable"


def metadata(obj: Object, kind: str) -> list[FieldError]:
    """What is wrong with name, labels, annotations, finalizers and owners."""
    meta = obj.get("metadata") or {}
    errors: list[FieldError] = []
    name = meta.get("name", "")
    if not name:
        errors.append(required("metadata.name", "name or generateName is required"))
    elif detail := _name_error(kind, name):
        errors.append(invalid("metadata.name", name, detail))
    for key, value in (meta.get("labels") or {}).items():
        errors += _qualified("metadata.labels", key)
        if len(value) > 63:
            errors.append(invalid("metadata.labels", value, "must be no more than 63 bytes"))
        elif not re.fullmatch(_LABEL_VALUE_REGEX, value):
            errors.append(invalid("metadata.labels", value, LABEL_VALUE))
    annotations = meta.get("annotations") or {}
    for key in annotations:
        errors += _qualified("metadata.annotations", key.lower())
    if sum(len(key) + len(value) for key, value in annotations.items()) > 262_144:
        errors.append(
            FieldError("metadata.annotations", "FieldValueTooLong", "Too long: may not be more than 262144 bytes")
        )
    for position, owner in enumerate(meta.get("ownerReferences") or ()):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                errors.append(invalid(f"metadata.ownerReferences[{position}].{field}", "", "must not be empty"))
    return errors


def _name_error(kind: str, name: str) -> str:
    if kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"):
        return "may not contain '/'" if "/" in name else "may not contain '%'" if "%" in name else ""
    if kind == "Service":
        return "" if re.fullmatch(_SERVICE_REGEX, name) and len(name) <= 63 else SERVICE
    if kind == "Namespace":
        return "" if names.is_dns_label(name) else LABEL if len(name) <= 63 else "must be no more than 63 bytes"
    if len(name) > 253:
        return "must be no more than 253 bytes"
    return "" if names.is_dns_subdomain(name) else SUBDOMAIN


def _qualified(field: str, key: str) -> Iterator[FieldError]:
    prefix, slash, name = key.rpartition("/")
    if not name:
        yield invalid(field, key, "name part must be non-empty")
    elif len(name) > 63:
        yield invalid(field, key, "name part must be no more than 63 bytes")
    if name is not None and not re.fullmatch(_QUALIFIED_REGEX, name):
        yield invalid(field, key, QUALIFIED)
    if slash and not names.is_dns_subdomain(prefix):
        yield invalid(field, key, f"prefix part {SUBDOMAIN}")


def builtin(kind: str, obj: Object, old: Object | None) -> list[FieldError]:
    """What is wrong with a built-in object, and with its change from `old`."""
    check = _CHECKS.get(kind)
    return list(check(obj, old)) if check else []


def _deployment(obj: Object, old: Object | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    selector = spec.get("selector") or {}
    if not selector:
        yield required("spec.selector")
        yield invalid("spec.template.metadata.labels", labels or None, "`selector` does not match template `labels`")
    elif not (selector.get("matchLabels") or selector.get("matchExpressions")):
        yield invalid("spec.selector", selector, "empty selector is invalid for deployment")
    elif not selectors.from_object(selector).matches(labels):
        yield invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    if (replicas := spec.get("replicas", 1)) < 0:
        yield invalid("spec.replicas", replicas, "must be greater than or equal to 0")
    yield from _pod_spec((spec.get("template") or {}).get("spec") or {}, "spec.template.spec")
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy", "Always")
    if policy != "Always":
        message = f'Unsupported value: "{policy}": supported values: "Always"'
        yield FieldError("spec.template.spec.restartPolicy", "FieldValueNotSupported", message)
    if old is not None and old["spec"].get("selector") != selector:
        yield invalid("spec.selector", selector, _IMMUTABLE)


def _pod(obj: Object, old: Object | None) -> Iterator[FieldError]:
    if old is None:
        yield from _pod_spec(obj.get("spec") or {}, "spec")
        return
    if _frozen(obj) != _frozen(old):
        detail = (
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
        )
        yield FieldError("spec", "FieldValueForbidden", f"Forbidden: {detail}")


def _frozen(pod: Object) -> Object:
    """The part of a pod's spec that may not change; the node's own fields may be set once."""
    spec = {
        k: v
        for k, v in (pod.get("spec") or {}).items()
        if k not in ("activeDeadlineSeconds", "tolerations", "nodeName")
    }
    for field in ("containers", "initContainers"):
        if field in spec:
            spec[field] = [{k: v for k, v in item.items() if k != "image"} for item in spec[field]]
    return spec


def _pod_spec(spec: Object, path: str) -> Iterator[FieldError]:
    if not spec.get("containers"):
        yield required(f"{path}.containers")
    volumes = set()
    for position, volume in enumerate(spec.get("volumes") or ()):
        here = f"{path}.volumes[{position}]"
        name = volume.get("name", "")
        if not name:
            yield required(f"{here}.name")
        elif not names.is_dns_label(name):
            yield invalid(f"{here}.name", name, LABEL)
        if name in volumes:
            yield FieldError(f"{here}.name", "FieldValueDuplicate", f'Duplicate value: "{name}"')
        volumes.add(name)
    seen: set[str] = set()
    for field in ("initContainers", "containers"):
        for position, container in enumerate(spec.get(field) or ()):
            yield from _container(container, f"{path}.{field}[{position}]", volumes, seen)


def _container(container: Object, path: str, volumes: set[str], seen: set[str]) -> Iterator[FieldError]:
    name = container.get("name", "")
    if not name:
        yield required(f"{path}.name")
    elif not names.is_dns_label(name):
        yield invalid(f"{path}.name", name, LABEL)
    if name in seen:
        yield FieldError(f"{path}.name", "FieldValueDuplicate", f'Duplicate value: "{name}"')
    seen.add(name)
    if not container.get("image"):
        yield required(f"{path}.image")
    elif container["image"] != container["image"].strip():
        yield invalid(f"{path}.image", container["image"], "must not have leading or trailing whitespace")
    for position, port in enumerate(container.get("ports") or ()):
        number = port.get("containerPort", 0)
        if not 0 < number < 65536:
            yield invalid(f"{path}.ports[{position}].containerPort", number, PORT)
    for position, variable in enumerate(container.get("env") or ()):
        here = f"{path}.env[{position}]"
        if not variable.get("name"):
            yield required(f"{here}.name")
        elif "=" in variable["name"] or not variable["name"].isprintable():
            yield invalid(f"{here}.name", variable["name"], ENV_NAME)
        if variable.get("value") and variable.get("valueFrom"):
            yield invalid(f"{here}.valueFrom", "", "may not be specified when `value` is not empty")
    for position, mount in enumerate(container.get("volumeMounts") or ()):
        here = f"{path}.volumeMounts[{position}]"
        if mount.get("name") not in volumes:
            yield FieldError(f"{here}.name", "FieldValueNotFound", f'Not found: "{mount.get("name", "")}"')
        if not mount.get("mountPath"):
            yield required(f"{here}.mountPath")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe) is not None:
            handlers = {"httpGet", "tcpSocket", "exec", "grpc"} & set(container[probe])
            if not handlers:
                yield required(f"{path}.{probe}", "must specify a handler type")
            elif len(handlers) > 1:
                detail = "Forbidden: may not specify more than 1 handler type"
                yield FieldError(f"{path}.{probe}.{max(handlers)}", "FieldValueForbidden", detail)
    for section in ("requests", "limits"):
        for resource, amount in ((container.get("resources") or {}).get(section) or {}).items():
            try:
                if quantities.parse(amount) < 0:
                    raise ValueError
            except ValueError:
                detail = "must be greater than or equal to 0"
                yield invalid(f"{path}.resources.{section}[{resource}]", str(amount), detail)


def _service(obj: Object, old: Object | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    ports = spec.get("ports") or []
    if not ports and spec.get("clusterIP") != "None" and spec.get("type") != "ExternalName":
        yield required("spec.ports")
    seen = set()
    for position, port in enumerate(ports):
        here = f"spec.ports[{position}]"
        if len(ports) > 1 and not port.get("name"):
            yield required(f"{here}.name")
        if not 0 < (port.get("port") or 0) < 65536:
            yield invalid(f"{here}.port", port.get("port") or 0, PORT)
        key = (port.get("port"), port.get("protocol"))
        if key in seen:
            shown = f'{{"protocol":"{key[1]}","port":{key[0]}}}'
            yield FieldError(here, "FieldValueDuplicate", f"Duplicate value: {shown}")
        seen.add(key)
    if old is not None and old["spec"].get("clusterIP") not in (None, "", spec.get("clusterIP")):
        yield invalid("spec.clusterIPs[0]", [spec.get("clusterIP")], "may not change once set")


def _config_map(obj: Object, old: Object | None) -> Iterator[FieldError]:
    yield from _keys(obj, ("data", "binaryData"))
    if old is not None and old.get("immutable"):
        yield from _kept(obj, old, ("data", "binaryData"))


def _secret(obj: Object, old: Object | None) -> Iterator[FieldError]:
    yield from _keys(obj, ("data",))
    for key, value in (obj.get("data") or {}).items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            yield invalid(f"data[{key}]", "<secret contents redacted>", "illegal base64 data")
    if old is not None:
        if old.get("type") != obj.get("type"):
            yield invalid("type", obj.get("type"), _IMMUTABLE)
        if old.get("immutable"):
            yield from _kept(obj, old, ("data",))


def _keys(obj: Object, fields: tuple[str, ...]) -> Iterator[FieldError]:
    for field in fields:
        for key in obj.get(field) or ():
            if not re.fullmatch(r"[-._a-zA-Z0-9]+", key):
                yield invalid(f"{field}[{key}]", key, CONFIG_KEY)


def _kept(obj: Object, old: Object, fields: tuple[str, ...]) -> Iterator[FieldError]:
    for field in (*fields, "immutable"):
        if obj.get(field) != old.get(field):
            yield FieldError(field, "FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set")


def _claim(obj: Object, old: Object | None) -> Iterator[FieldError]:
    spec = obj.get("spec") or {}
    if not spec.get("accessModes"):
        yield required("spec.accessModes", "at least 1 access mode is required")
    if not ((spec.get("resources") or {}).get("requests") or {}).get("storage"):
        yield required("spec.resources[storage]")


def _binding(obj: Object, old: Object | None) -> Iterator[FieldError]:
    if old is not None and old.get("roleRef") != obj.get("roleRef"):
        yield invalid("roleRef", obj.get("roleRef"), "cannot change roleRef")


_CHECKS: dict[str, Callable[[Object, Object | None], Iterator[FieldError]]] = {
    "Deployment": _deployment,
    "ReplicaSet": _deployment,
    "Pod": _pod,
    "Service": _service,
    "ConfigMap": _config_map,
    "Secret": _secret,
    "PersistentVolumeClaim": _claim,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
}
