"""What the API server checks beyond schemas: names, labels, pods, Services, and what may not change."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any

from kaos.kube import names, quantities, selectors
from kaos.local import decoding
from kaos.local.schema import FieldError, duplicate, invalid, not_supported, required

Object = dict[str, Any]

_SERVICE_REGEX = "[a-z]([-a-z0-9]*[a-z0-9])?"
SERVICE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    f"'{_SERVICE_REGEX}')"
)
ENV_NAME = "a valid environment variable name must consist only of printable ASCII characters other than '='"
CONFIG_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
PORT = "must be between 1 and 65535, inclusive"
_IMMUTABLE = "field is immutable"
_NO_MATCH = "`selector` does not match template `labels`"
_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_ANNOTATIONS_LIMIT = 262_144
_OWNER_FIELDS = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")
_STANDARD_FINALIZERS = ("foregroundDeletion", "orphan", "kubernetes", "customresourcecleanup.apiextensions.k8s.io")


def metadata(obj: Object, kind: str, old: Object | None = None) -> list[FieldError]:
    """What is wrong with name, labels, annotations, finalizers and owners."""
    meta = obj["metadata"]
    errors: list[FieldError] = []
    name = meta.get("name", "")
    if not name:
        errors.append(required("metadata.name", "name or generateName is required"))
    elif detail := _name_error(kind, name):
        errors.append(invalid("metadata.name", name, detail))
    for key, value in (meta.get("labels") or {}).items():
        errors += [invalid("metadata.labels", key, problem) for problem in names.qualified_name_problems(key)]
        if problem := names.label_value_problem(value):
            errors.append(invalid("metadata.labels", value, problem))
    annotations = meta.get("annotations") or {}
    for key in annotations:
        errors += [
            invalid("metadata.annotations", key, problem) for problem in names.qualified_name_problems(key.lower())
        ]
    if sum(len(key) + len(value) for key, value in annotations.items()) > _ANNOTATIONS_LIMIT:
        message = f"Too long: may not be more than {_ANNOTATIONS_LIMIT} bytes"
        errors.append(FieldError("metadata.annotations", "FieldValueTooLong", message))
    errors += _owners(meta.get("ownerReferences") or [])
    errors += _finalizers(kind, meta, (old or {}).get("metadata"))
    return errors


def _owners(owners: list[Object]) -> Iterator[FieldError]:
    controllers = []
    for owner in owners:
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                yield invalid(f"metadata.ownerReferences.{field}", "", "must not be empty")
        if owner.get("controller"):
            controllers.append(f"{owner.get('kind')}/{owner.get('name')}")
    if len(controllers) > 1:
        found = f'Found "true" in references for {controllers[0]} and {controllers[1]}'
        shown = [{key: owner[key] for key in _OWNER_FIELDS if key in owner} for owner in owners]
        detail = f"Only one reference can have Controller set to true. {found}"
        yield invalid("metadata.ownerReferences", shown, detail)


def _finalizers(kind: str, meta: Object, old: Object | None) -> Iterator[FieldError]:
    finalizers = meta.get("finalizers") or []
    for position, finalizer in enumerate(finalizers):
        for problem in names.qualified_name_problems(finalizer):
            yield invalid("metadata.finalizers", finalizer, problem)
        if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS and kind:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid(f"metadata.finalizers[{position}]", finalizer, detail)
    if old is not None and old.get("deletionTimestamp"):
        more = [item for item in finalizers if item not in (old.get("finalizers") or ())]
        if more:
            listed = ", ".join(f'"{item}"' for item in more)
            detail = (
                "no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{listed}}}"
            )
            yield FieldError("metadata.finalizers", "FieldValueForbidden", f"Forbidden: {detail}")


def _name_error(kind: str, name: str) -> str:
    if kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"):
        return "may not contain '/'" if "/" in name else "may not contain '%'" if "%" in name else ""
    if kind == "Service":
        return "" if is_service_name(name) else SERVICE
    if kind == "Namespace":
        return (
            "" if names.is_dns_label(name) else names.LABEL if len(name) <= 63 else "must be no more than 63 characters"
        )
    if len(name) > 253:
        return "must be no more than 253 characters"
    return "" if names.is_dns_subdomain(name) else names.SUBDOMAIN


def is_service_name(name: str) -> bool:
    return len(name) <= 63 and re.fullmatch(_SERVICE_REGEX, name) is not None


def builtin(kind: str, obj: Object, old: Object | None) -> list[FieldError]:
    """What is wrong with a built-in object, and with its change from `old`."""
    check = _CHECKS.get(kind)
    return list(check(obj, old)) if check else []


def _deployment(obj: Object, old: Object | None) -> Iterator[FieldError]:
    yield from _workload(obj, old, "deployment")
    strategy = obj["spec"].get("strategy") or {}
    if strategy.get("type") not in ("Recreate", "RollingUpdate"):
        shown = {"Type": strategy.get("type", ""), "RollingUpdate": strategy.get("rollingUpdate")}
        yield not_supported("spec.strategy", shown, "Recreate", "RollingUpdate")
    rolling = strategy.get("rollingUpdate") or {}
    if strategy.get("type") == "Recreate" and rolling:
        detail = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        yield FieldError("spec.strategy.rollingUpdate", "FieldValueForbidden", detail)
    for field in ("maxSurge", "maxUnavailable"):
        yield from _share(rolling.get(field, 0), f"spec.strategy.rollingUpdate.{field}")
    if rolling and all(rolling.get(field) in (0, "0%") for field in ("maxSurge", "maxUnavailable")):
        field = "spec.strategy.rollingUpdate.maxUnavailable"
        yield invalid(field, 0, "may not be 0 when `maxSurge` is 0")


def _share(value: int | str, field: str) -> Iterator[FieldError]:
    if isinstance(value, str) and not re.fullmatch(r"[0-9]+%", value):
        detail = (
            "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
            "regex used for validation is '[0-9]+%')"
        )
        yield invalid(field, value, detail)
    elif isinstance(value, int) and value < 0:
        yield invalid(field, value, "must be greater than or equal to 0")


def _replica_set(obj: Object, old: Object | None) -> Iterator[FieldError]:
    yield from _workload(obj, old, "replicaset")


def _workload(obj: Object, old: Object | None, name: str) -> Iterator[FieldError]:
    spec = obj["spec"]
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector")
        yield invalid("spec.template.metadata.labels", labels, _NO_MATCH)
    elif not (selector.get("matchLabels") or selector.get("matchExpressions")):
        yield invalid("spec.selector", {}, f"empty selector is invalid for {name}")
    elif not selectors.from_object(selector).matches(labels):
        yield invalid("spec.template.metadata.labels", labels, _NO_MATCH)
    if (replicas := spec.get("replicas", 1)) < 0:
        yield invalid("spec.replicas", replicas, "must be greater than or equal to 0")
    yield from _pod_spec(template.get("spec") or {}, "spec.template.spec")
    policy = (template.get("spec") or {}).get("restartPolicy", "Always")
    if policy != "Always":
        yield not_supported("spec.template.spec.restartPolicy", policy, "Always")
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
    if (policy := spec.get("restartPolicy", "Always")) not in _RESTART_POLICIES and path == "spec":
        yield not_supported(f"{path}.restartPolicy", policy, *_RESTART_POLICIES)
    volumes = set()
    for position, volume in enumerate(spec.get("volumes") or ()):
        here = f"{path}.volumes[{position}]"
        name = volume.get("name", "")
        if not name:
            yield required(f"{here}.name")
        elif not names.is_dns_label(name):
            yield invalid(f"{here}.name", name, names.LABEL)
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
        yield invalid(f"{path}.name", name, names.LABEL)
    if name in seen:
        yield FieldError(f"{path}.name", "FieldValueDuplicate", f'Duplicate value: "{name}"')
    seen.add(name)
    if not container.get("image"):
        yield required(f"{path}.image")
    elif container["image"] != container["image"].strip():
        yield invalid(f"{path}.image", container["image"], "must not have leading or trailing whitespace")
    for position, port in enumerate(container.get("ports") or ()):
        number, here = port.get("containerPort", 0), f"{path}.ports[{position}].containerPort"
        if number == 0:
            yield required(here)
        elif not 0 < number < 65536:
            yield invalid(here, number, PORT)
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
    seen: set[tuple[Any, Any]] = set()
    port_names: set[str] = set()
    for position, port in enumerate(ports):
        here = f"spec.ports[{position}]"
        name = port.get("name", "")
        if len(ports) > 1 and not name:
            yield required(f"{here}.name")
        elif name in port_names:
            yield FieldError(f"{here}.name", "FieldValueDuplicate", f'Duplicate value: "{name}"')
        elif name and not names.is_dns_label(name):
            yield invalid(f"{here}.name", name, names.LABEL)
        port_names.add(name)
        if not 0 < port.get("port", 0) < 65536:
            yield invalid(f"{here}.port", port.get("port", 0), PORT)
        target = port.get("targetPort")
        if isinstance(target, int) and not 0 < target < 65536:
            yield invalid(f"{here}.targetPort", target, PORT)
        key = (port.get("port"), port.get("protocol"))
        if key in seen:
            shown = {
                "Name": "", "Protocol": key[1], "AppProtocol": None, "Port": key[0], "TargetPort": 0, "NodePort": 0,
            }  # fmt: skip
            yield duplicate(here, shown)
        seen.add(key)
    if old is not None and old["spec"].get("clusterIP") not in (None, "", spec.get("clusterIP")):
        yield invalid("spec.clusterIPs[0]", [spec.get("clusterIP")], "may not change once set")


def _config_map(obj: Object, old: Object | None) -> Iterator[FieldError]:
    yield from _keys(obj, ("data", "binaryData"))
    for key in obj.get("data") or ():
        if key in (obj.get("binaryData") or ()):
            yield invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    if old is not None and old.get("immutable"):
        yield from _kept(obj, old, ("data", "binaryData"))


def _secret(obj: Object, old: Object | None) -> Iterator[FieldError]:
    yield from _keys(obj, ("data",))
    data = obj.get("data") or {}
    wanted, enough = _SECRET_KEYS.get(obj["type"], ((), 0))
    missing = [key for key in wanted if key not in data]
    if len(wanted) - len(missing) < enough:
        yield from (required(f"data[{key}]") for key in missing)
    for key in (".dockerconfigjson", ".dockercfg"):
        if key in wanted and key in data and (problem := _json_problem(data[key])):
            yield invalid(f"data[{key}]", "<secret contents redacted>", problem)
    if old is not None:
        if old.get("type") != obj.get("type"):
            yield invalid("type", obj.get("type"), _IMMUTABLE)
        if old.get("immutable"):
            yield from _kept(obj, old, ("data",))


# Type of a Secret: the keys that it is about, and how many of them it needs at least.
_SECRET_KEYS: dict[str, tuple[tuple[str, ...], int]] = {
    "kubernetes.io/basic-auth": (("username", "password"), 1),
    "kubernetes.io/ssh-auth": (("ssh-privatekey",), 1),
    "kubernetes.io/tls": (("tls.crt", "tls.key"), 2),
    "kubernetes.io/dockerconfigjson": ((".dockerconfigjson",), 1),
    "kubernetes.io/dockercfg": ((".dockercfg",), 1),
}


def _json_problem(encoded: str) -> str:
    try:
        decoding.decode(base64.b64decode(encoded), "application/json")
    except decoding.BadDocument as error:
        return str(error)
    return ""


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
    for mode in spec.get("accessModes") or ():
        if mode not in _ACCESS_MODES:
            yield not_supported("spec.accessModes", mode, *_ACCESS_MODES)
    if not ((spec.get("resources") or {}).get("requests") or {}).get("storage"):
        yield required("spec.resources[storage]")


def _lease(obj: Object, old: Object | None) -> Iterator[FieldError]:
    if (duration_s := obj["spec"].get("leaseDurationSeconds", 1)) <= 0:
        yield invalid("spec.leaseDurationSeconds", duration_s, "must be greater than 0")


def _event(obj: Object, old: Object | None) -> Iterator[FieldError]:
    about = obj.get("involvedObject") or obj.get("regarding") or {}
    namespace = obj["metadata"].get("namespace", "")
    if about.get("namespace", "") not in (namespace, "") or (not about.get("namespace") and namespace != "default"):
        yield invalid("involvedObject.namespace", about.get("namespace", ""), "does not match event.namespace")


def _role(obj: Object, old: Object | None) -> Iterator[FieldError]:
    for position, rule in enumerate(obj.get("rules") or ()):
        if not rule.get("verbs"):
            yield required(f"rules[{position}].verbs", "verbs must contain at least one value")


def _binding(obj: Object, old: Object | None) -> Iterator[FieldError]:
    role = obj.get("roleRef") or {}
    kinds = ("Role", "ClusterRole") if obj["kind"] == "RoleBinding" else ("ClusterRole",)
    if role.get("kind") not in kinds:
        yield not_supported("roleRef.kind", role.get("kind", ""), *kinds)
    if not role.get("name"):
        yield required("roleRef.name")
    if old is not None and old.get("roleRef") != role:
        shown = {"APIGroup": role.get("apiGroup"), "Kind": role.get("kind"), "Name": role.get("name")}
        yield invalid("roleRef", shown, "cannot change roleRef")


_CHECKS: dict[str, Callable[[Object, Object | None], Iterator[FieldError]]] = {
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "Pod": _pod,
    "Service": _service,
    "ConfigMap": _config_map,
    "Secret": _secret,
    "PersistentVolumeClaim": _claim,
    "Lease": _lease,
    "Event": _event,
    "Role": _role,
    "ClusterRole": _role,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
}
