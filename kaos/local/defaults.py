"""What the API server fills in for built-in kinds, where the published schemas do not say it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

Object = dict[str, Any]


def apply(kind: str, obj: Object) -> None:
    """Fill in the defaults of a built-in kind, in place: what its writer left open."""
    if filler := _FILLERS.get(kind):
        filler(obj)


def prepare(kind: str, obj: Object) -> None:
    """Fill in what the cluster itself gives a new object of a built-in kind, in place."""
    if filler := _NEW.get(kind):
        filler(obj)


def keep(kind: str, obj: Object, old: Object) -> None:
    """Carry over what the cluster once gave, where a replacement left it out."""
    if keeper := _KEPT.get(kind):
        keeper(obj, old)


def pod_containers(spec: Object) -> Iterator[Object]:
    for field in ("initContainers", "containers"):
        for container in spec.get(field) or ():
            if isinstance(container, dict):
                yield container


def _pod_spec(spec: Object) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    if "serviceAccountName" in spec:
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in pod_containers(spec):
        _container(container)
    for volume in spec.get("volumes") or ():
        for source in ("configMap", "secret", "projected", "downwardAPI"):
            if source in volume:
                volume[source].setdefault("defaultMode", 0o644)
        for field in _field_references(volume):
            field.setdefault("apiVersion", "v1")
        if "hostPath" in volume:
            volume["hostPath"].setdefault("type", "")
        if len(volume) == 1:
            volume["emptyDir"] = {}


def _field_references(volume: Object) -> Iterator[Object]:
    parts = [volume, *((volume.get("projected") or {}).get("sources") or ())]
    for item in [item for part in parts for item in (part.get("downwardAPI") or {}).get("items") or ()]:
        if "fieldRef" in item:
            yield item["fieldRef"]


def _container(container: Object) -> None:
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    image = container.get("image") or ""
    tag = image.rpartition("/")[2].partition(":")[2]
    container.setdefault("imagePullPolicy", "IfNotPresent" if "@" in image or tag not in ("", "latest") else "Always")
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        if "fieldRef" in source:
            source["fieldRef"].setdefault("apiVersion", "v1")
        if "resourceFieldRef" in source:
            source["resourceFieldRef"].setdefault("divisor", "0")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(probe := container.get(name), dict):
            for field, value in _PROBE.items():
                probe.setdefault(field, value)
            if isinstance(probe.get("httpGet"), dict):
                probe["httpGet"].setdefault("path", "/")
                probe["httpGet"].setdefault("scheme", "HTTP")


_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}


def _pod(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("enableServiceLinks", True)
    for container in pod_containers(spec):
        for name, amount in (container.get("resources", {}).get("limits") or {}).items():
            container["resources"].setdefault("requests", {}).setdefault(name, amount)
    _pod_spec(spec)


def _new_pod(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault("priority", 0)
    obj["status"] = {"phase": "Pending", "qosClass": _qos_class(spec)}


def _qos_class(spec: Object) -> str:
    containers = list(pod_containers(spec))
    resources = [container.get("resources") or {} for container in containers]
    if not any(resource.get("limits") or resource.get("requests") for resource in resources):
        return "BestEffort"
    for resource in resources:
        limits, requests = resource.get("limits") or {}, resource.get("requests") or {}
        if any(name not in limits or requests.get(name, limits[name]) != limits[name] for name in ("cpu", "memory")):
            return "Burstable"
    return "Guaranteed"


def _template(obj: Object) -> None:
    template = (obj.get("spec") or {}).get("template")
    if isinstance(template, dict) and isinstance(template.get("spec"), dict):
        _pod_spec(template["spec"])


def _deployment(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    _template(obj)


def _replica_set(obj: Object) -> None:
    obj["spec"].setdefault("replicas", 1)
    _template(obj)


def _service(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if spec["sessionAffinity"] == "ClientIP":
        config = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        config.setdefault("timeoutSeconds", 10800)
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port["port"]
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")


def _new_service(obj: Object) -> None:
    spec = obj["spec"]
    if spec["type"] == "ExternalName":
        return
    # Unlike a real one this address leads nowhere: callers take the Service's loopback port. It only has to be
    # stable and unique enough to tell Services apart.
    digest = hashlib.sha256(obj["metadata"]["uid"].encode()).digest()
    spec.setdefault("clusterIP", f"10.96.{digest[0]}.{digest[1] % 254 + 1}")
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")


def _kept_service(obj: Object, old: Object) -> None:
    if obj["spec"]["type"] != "ExternalName":
        _keep(obj["spec"], old["spec"], "clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


def _keep(obj: Object, old: Object, *names: str) -> None:
    for name in names:
        if name in old:
            obj.setdefault(name, old[name])


def _secret(obj: Object) -> None:
    obj.setdefault("type", "Opaque")
    plain = obj.pop("stringData", None)
    if plain:
        data = obj.setdefault("data", {})
        for key, value in plain.items():
            data[key] = base64.b64encode(value.encode()).decode()


def _namespace(obj: Object) -> None:
    if name := obj["metadata"].get("name"):
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name


def _new_namespace(obj: Object) -> None:
    finalizers = obj["spec"].setdefault("finalizers", [])
    if "kubernetes" not in finalizers:
        finalizers.append("kubernetes")
    obj["status"] = {"phase": "Active"}


def _kept_namespace(obj: Object, old: Object) -> None:
    obj["spec"] = old["spec"]


def _claim(obj: Object) -> None:
    obj["spec"].setdefault("volumeMode", "Filesystem")


def _new_claim(obj: Object) -> None:
    obj["status"] = {"phase": "Pending"}


def _network_policy(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("policyTypes", ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    for rule in [*(spec.get("ingress") or ()), *(spec.get("egress") or ())]:
        for port in rule.get("ports") or ():
            port.setdefault("protocol", "TCP")


def _endpoint_slice(obj: Object) -> None:
    for port in obj.get("ports") or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def _binding(obj: Object) -> None:
    reference = obj.get("roleRef")
    if isinstance(reference, dict):
        reference.setdefault("apiGroup", "rbac.authorization.k8s.io")
    for subject in obj.get("subjects") or ():
        subject.setdefault("apiGroup", "" if subject.get("kind") == "ServiceAccount" else "rbac.authorization.k8s.io")
        if not subject["apiGroup"]:
            del subject["apiGroup"]


def _definition(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    names = spec.setdefault("names", {})
    if isinstance(names.get("kind"), str):
        names.setdefault("singular", names["kind"].lower())
        names.setdefault("listKind", f"{names['kind']}List")
    spec.setdefault("conversion", {}).setdefault("strategy", "None")


_FILLERS: dict[str, Callable[[Object], None]] = {
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "Service": _service,
    "Secret": _secret,
    "Namespace": _namespace,
    "PersistentVolumeClaim": _claim,
    "NetworkPolicy": _network_policy,
    "EndpointSlice": _endpoint_slice,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
    "CustomResourceDefinition": _definition,
}
_NEW: dict[str, Callable[[Object], None]] = {
    "Pod": _new_pod,
    "Service": _new_service,
    "Namespace": _new_namespace,
    "PersistentVolumeClaim": _new_claim,
}
_KEPT: dict[str, Callable[[Object, Object], None]] = {
    "Service": _kept_service,
    "Namespace": _kept_namespace,
    "PersistentVolumeClaim": lambda obj, old: _keep(obj["spec"], old["spec"], "volumeName"),
}
