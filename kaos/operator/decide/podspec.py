"""From a generated pod and a person's overrides to the pod that is asked for.

Generated < runtime entry < container < podSpec. Lists of named things merge by name; an environment variable of the
person's replaces the generated one whole and comes last, so that no name stands twice.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from kaos.kube import quantities
from kaos.kube.strategic_merge import PatchError, merge

Object = dict[str, Any]

USER = 65532
DEPTH_LIMIT = 32
POD_SECURITY: Object = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
RESOURCES: Object = {
    "requests": {"cpu": "50m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
    "limits": {"memory": "512Mi", "ephemeral-storage": "1Gi"},
}
TMP = {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}}
TMP_MOUNT = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - a path inside the container


def env_list(*layers: Iterable[Object]) -> list[Object]:
    """One list of variables out of several; a later one of the same name wins and stands at its own place."""
    merged: dict[str, Object] = {}
    for layer in layers:
        for variable in layer:
            merged.pop(variable["name"], None)
            merged[variable["name"]] = copy.deepcopy(variable)
    return list(merged.values())


def plain_env(values: dict[str, str]) -> list[Object]:
    return [{"name": name, "value": value} for name, value in values.items()]


def container(pod: Object, name: str) -> Object:
    """The container of that name; it is there after `override`."""
    return next(one for one in pod["containers"] if one["name"] == name)


def override(pod: Object, main: str, own_container: Object | None, pod_spec: Object | None) -> Object:
    """The pod spec with `spec.container` merged into its main container and `spec.podSpec` into the whole.

    Raises PatchError for a patch that cannot be merged or does not have a pod's shape.
    """
    if own_container:
        _check_depth(own_container, "container")
        _check_shape(own_container, _CONTAINER, "container")
        pod = _merged(pod, {"containers": [{**own_container, "name": main}]})
    if pod_spec:
        _check_depth(pod_spec, "podSpec")
        _check_shape(pod_spec, _POD, "podSpec")
        pod = _merged(pod, pod_spec)
    _check_shape(pod, _POD, "podSpec")  # patches replace, and the runtime registry has its say in the pod too
    if not any(one.get("name") == main for one in pod.get("containers") or ()):
        raise PatchError(f"podSpec removes the container {main}")
    _secure(pod)
    _lower_requests(container(pod, main))
    return pod


def _check_depth(value: Any, where: str) -> None:
    """Without recursion, which is what endless nesting would exhaust."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEPTH_LIMIT:
            raise PatchError(f"{where} is nested more than {DEPTH_LIMIT} levels deep")
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]


_REFERENCE: Object = {"name": str, "key": str}
_KERNEL: Object = {  # settings of a pod or a container
    "seccompProfile": {"type": str},
    "appArmorProfile": {"type": str},
    "seLinuxOptions": {"type": str, "user": str, "role": str},
    "windowsOptions": {},
}
_HANDLER: Object = {"httpGet": {"host": str}, "tcpSocket": {"host": str}}
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_HOOKS = ("postStart", "preStop")
_CONTAINER: Object = {
    "name": str,
    "resources": {"requests": {}, "limits": {}},
    "env": [{"name": str, "valueFrom": {"configMapKeyRef": _REFERENCE, "secretKeyRef": _REFERENCE}}],
    "envFrom": [{"configMapRef": _REFERENCE, "secretRef": _REFERENCE}],
    "ports": [{}],
    "securityContext": _KERNEL | {"capabilities": {"add": [str]}},
    "lifecycle": dict.fromkeys(_HOOKS, _HANDLER),
    **dict.fromkeys(_PROBES, _HANDLER),
}
_SOURCE: Object = {
    "name": str,
    "configMap": {"name": str, "items": [{"key": str}]},
    "secret": {"name": str, "secretName": str, "items": [{"key": str}]},
}
_POD: Object = {
    "containers": [_CONTAINER],
    "initContainers": [_CONTAINER],
    "ephemeralContainers": [_CONTAINER],
    "volumes": [_SOURCE | {"projected": {"sources": [_SOURCE]}}],
    "securityContext": _KERNEL | {"sysctls": [{"name": str}]},
    "serviceAccountName": str,
    "serviceAccount": str,
}
_NAMED = ("containers", "initContainers", "volumes", "env")
_WORDS = {str: "text", list: "a list", dict: "an object"}


def _check_shape(value: Any, shape: Any, where: str) -> None:
    """Everything that is read here must be of its type; the API server judges the rest."""
    kind = shape if isinstance(shape, type) else type(shape)
    if not isinstance(value, kind):
        raise PatchError(f"{where} must be {_WORDS[kind]}")
    if isinstance(shape, dict):
        for field, inner in shape.items():
            if value.get(field) is not None:
                _check_shape(value[field], inner, f"{where}.{field}")
    elif isinstance(shape, list):
        for number, item in enumerate(value):
            _check_shape(item, shape[0], f"{where}[{number}]")
            if where.rpartition(".")[2] in _NAMED and not item.get("name") and "$patch" not in item:
                raise PatchError(f"{where}[{number}] has no name")


def _merged(pod: Object, patch: Object) -> Object:
    return merge(_without_env_of(pod, patch), patch)


def _without_env_of(pod: Object, patch: Object) -> Object:
    """The pod without the variables that the patch sets: they are replaced, not merged field by field."""
    pod = copy.deepcopy(pod)
    for field in ("containers", "initContainers"):
        named = {item.get("name"): item for item in patch.get(field) or ()}
        for container in pod.get(field) or ():
            env = named.get(container["name"], {}).get("env") or ()
            replaced = {variable.get("name") for variable in env if "$patch" not in variable}
            if replaced and container.get("env"):
                container["env"] = [one for one in container["env"] if one["name"] not in replaced]
    return pod


def _secure(pod: Object) -> None:
    """Containers that the person added get the generated security context unless they bring their own."""
    for container in [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]:
        if container.get("securityContext") is None:
            container["securityContext"] = copy.deepcopy(CONTAINER_SECURITY)


def _lower_requests(main: Object) -> None:
    """A generated request gives way to a person's lower limit, which Kubernetes would refuse otherwise."""
    resources = main.get("resources") or {}
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    lower = {
        name: limits[name]
        for name, generated in RESOURCES["requests"].items()
        if requests.get(name) == generated and _is_less(limits.get(name), generated)
    }
    if lower:
        main["resources"] = {**resources, "requests": requests | lower}


def _is_less(limit: Any, request: str) -> bool:
    try:
        return limit is not None and quantities.parse(limit) < quantities.parse(request)
    except ValueError:
        return False  # the API server says so in better words


def refused(pod: Object) -> str | None:
    """The first thing in the pod that gives rights a person with only KAOS resources must not take, or None.

    These are what the `baseline` Pod Security Standard forbids, and tokens of service accounts in volumes.
    """
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            return f"podSpec.{field} is not allowed"
    security = pod.get("securityContext") or {}
    if why := _refused_settings(security):
        return f"podSpec.securityContext: {why}"
    for sysctl in security.get("sysctls") or ():
        if sysctl.get("name") not in _SAFE_SYSCTLS:
            return f"sysctl {sysctl.get('name')} is not allowed"
    for volume in pod.get("volumes") or ():
        if "hostPath" in volume:
            return f"volume {volume.get('name')}: hostPath is not allowed"
        for source in (volume.get("projected") or {}).get("sources") or ():
            if "serviceAccountToken" in source:
                return f"volume {volume.get('name')}: a projected service account token is not allowed"
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in pod.get(field) or ():
            if why := _refused_container(container):
                return f"container {container.get('name')}: {why}"
    return None


# As of Kubernetes 1.34.
_SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}
_SELINUX_TYPES = {"container_t", "container_init_t", "container_kvm_t", "container_engine_t"}


def _refused_container(container: Object) -> str | None:
    security = container.get("securityContext") or {}
    if security.get("privileged"):
        return "privileged is not allowed"
    if security.get("allowPrivilegeEscalation"):
        return "allowPrivilegeEscalation is not allowed"
    if added := (security.get("capabilities") or {}).get("add"):
        return f"added capabilities ({', '.join(added)}) are not allowed"
    if security.get("procMount") not in (None, "Default"):
        return "procMount is not allowed"
    if why := _refused_settings(security):
        return why
    for port in container.get("ports") or ():
        if port.get("hostPort"):
            return f"hostPort {port['hostPort']} is not allowed"
    lifecycle = container.get("lifecycle") or {}
    handlers = {field: container.get(field) for field in _PROBES} | {field: lifecycle.get(field) for field in _HOOKS}
    for field, handler in handlers.items():
        for way in ("httpGet", "tcpSocket"):
            if ((handler or {}).get(way) or {}).get("host"):
                return f"a host in {field} is not allowed"
    return None


def _refused_settings(security: Object) -> str | None:
    for field in ("seccompProfile", "appArmorProfile"):
        if (security.get(field) or {}).get("type") == "Unconfined":
            return f"{field} Unconfined is not allowed"
    selinux = security.get("seLinuxOptions") or {}
    if selinux.get("user") or selinux.get("role") or selinux.get("type") not in (None, "", *_SELINUX_TYPES):
        return "such seLinuxOptions are not allowed"
    if (security.get("windowsOptions") or {}).get("hostProcess"):
        return "windowsOptions.hostProcess is not allowed"
    return None


def references(pod: Object, kind: str) -> dict[str, set[str] | None]:
    """ConfigMaps or Secrets that the pod cannot start without: name -> keys that must be there (None: only the object).

    `kind` is ConfigMap or Secret. Optional references are left out; see `mentioned` for all of them.
    """
    needed: dict[str, set[str]] = {}
    for name, key, optional in _all_references(pod, kind):
        if not optional:
            needed.setdefault(name, set()).update({key} if key else set())
    return {name: keys or None for name, keys in needed.items()}


def mentioned(pod: Object, kind: str) -> set[str]:
    """Every ConfigMap or Secret that the pod refers to, optional ones too."""
    return {name for name, _, _ in _all_references(pod, kind)}


def _all_references(pod: Object, kind: str) -> Iterable[tuple[str, str | None, bool]]:
    """(name, key or None, optional)."""
    key_ref, from_ref, volume_field, volume_name = {
        "ConfigMap": ("configMapKeyRef", "configMapRef", "configMap", "name"),
        "Secret": ("secretKeyRef", "secretRef", "secret", "secretName"),
    }[kind]
    for container in [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]:
        for variable in container.get("env") or ():
            if found := (variable.get("valueFrom") or {}).get(key_ref):
                yield found.get("name") or "", found.get("key"), bool(found.get("optional"))
        for source in container.get("envFrom") or ():
            if found := source.get(from_ref):
                yield found.get("name") or "", None, bool(found.get("optional"))
    for volume in pod.get("volumes") or ():
        sources = [(volume.get(volume_field), volume_name)]
        sources += [(part.get(volume_field), "name") for part in (volume.get("projected") or {}).get("sources") or ()]
        for found, name_field in sources:
            if not isinstance(found, dict):
                continue
            keys = [item.get("key") for item in found.get("items") or ()] or [None]
            for key in keys:
                yield found.get(name_field) or "", key, bool(found.get("optional"))
