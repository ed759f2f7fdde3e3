"""The objects behind a resource that serves HTTP: Deployment, Service, NetworkPolicy, HTTPRoute, files and volumes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from kaos.api.names import (
    API_VERSION,
    HASH_ANNOTATION,
    KIND_LABEL,
    OPERATOR_LEASE,
    PART_OF,
    SERVICE_PORT,
    child_name,
    labels,
)
from kaos.kube.resources import (
    CONFIGMAPS,
    DEPLOYMENTS,
    HTTPROUTES,
    NETWORKPOLICIES,
    PERSISTENTVOLUMECLAIMS,
    SERVICES,
    Resource,
)
from kaos.operator.decide.world import Child, Settings

Object = dict[str, Any]

PORT_NAME = "http"
DRAIN_S = 2  # before SIGTERM: until then the endpoints no longer name the pod
ROUTE_WORDS = {"MCPServer": "mcp", "ModelAPI": "modelapi", "Agent": "agent"}


def probes(start_s: int) -> Object:
    """By TCP: what a server answers to plain HTTP is its own affair; the operator asks in the protocol.

    `start_s`: how long a start may take, in seconds.
    """
    socket = {"tcpSocket": {"port": PORT_NAME}}
    return {
        "startupProbe": socket | {"periodSeconds": 1, "failureThreshold": start_s, "timeoutSeconds": 2},
        "readinessProbe": socket | {"periodSeconds": 5, "failureThreshold": 2, "timeoutSeconds": 2},
        "livenessProbe": socket | {"periodSeconds": 20, "failureThreshold": 3, "timeoutSeconds": 5},
    }


def deployment(owner: Object, pod: Object, annotations: dict[str, str], recreate: bool = False) -> Child:
    """`annotations` go on the pod template, so that a change of theirs rolls the pods.

    With `recreate` the old pod ends before the new one starts: two must not write to one volume.
    """
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    template_meta: Object = {"labels": _labels(owner)}
    if annotations:
        template_meta["annotations"] = annotations
    return _child(
        DEPLOYMENTS,
        owner,
        {
            "spec": {
                "replicas": replicas(owner),
                "revisionHistoryLimit": 3,
                "selector": {"matchLabels": _selector(owner)},
                "strategy": {"type": "Recreate"} if recreate else rolling,
                "template": {"metadata": template_meta, "spec": pod},
            }
        },
    )


def replicas(owner: Object) -> int:
    """How many pods are to run."""
    spec = owner.get("spec") or {}
    return 0 if spec.get("suspend") else spec.get("replicas", 1)


def service(owner: Object, port_number: int = SERVICE_PORT) -> Child:
    port = {"name": PORT_NAME, "port": port_number, "targetPort": PORT_NAME, "protocol": "TCP"}
    # Sessions of the older MCP eras live in one pod.
    return _child(
        SERVICES, owner, {"spec": {"selector": _selector(owner), "ports": [port], "sessionAffinity": "ClientIP"}}
    )


def config_name(owner: Object) -> str:
    return f"{child_name(owner['kind'], owner['metadata']['name'])}-config"


def config_map(owner: Object, data: dict[str, str]) -> Child:
    """Files that the pods mount."""
    return _child(CONFIGMAPS, owner, {"data": data}, config_name(owner))


def claim(owner: Object, suffix: str, storage: Object) -> Child:
    """A volume called `<child>-<suffix>`. A retained one has no owner: it outlives the resource."""
    spec: Object = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": storage.get("size", "1Gi")}},
    }
    if storage.get("storageClassName"):
        spec["storageClassName"] = storage["storageClassName"]
    made = _child(PERSISTENTVOLUMECLAIMS, owner, {"spec": spec}, claim_name(owner, suffix))
    if storage.get("retain", True):
        del made.object["metadata"]["ownerReferences"]
    return made


def claim_name(owner: Object, suffix: str) -> str:
    return f"{child_name(owner['kind'], owner['metadata']['name'])}-{suffix}"


def network_policy(owner: Object, port: int, settings: Settings) -> Child:
    """Admits the served port and nothing else; from anywhere, or, strictly, from those who need it."""
    rule: Object = {"ports": [{"protocol": "TCP", "port": port}]}
    if settings.strict_network:
        rule["from"] = _callers(settings)
    spec = {"podSelector": {"matchLabels": _selector(owner)}, "policyTypes": ["Ingress"], "ingress": [rule]}
    return _child(NETWORKPOLICIES, owner, {"spec": spec})


def _callers(settings: Settings) -> list[Object]:
    system = {"matchLabels": {"kubernetes.io/metadata.name": settings.system_namespace}}
    operator = {"matchLabels": {"app.kubernetes.io/name": OPERATOR_LEASE}}
    return [
        {"podSelector": {"matchLabels": {PART_OF: "kaos"}}},  # of the same namespace
        {"namespaceSelector": system, "podSelector": operator},
        *({"ipBlock": {"cidr": address}} for address in settings.api_servers),
    ]


def http_route(owner: Object, settings: Settings, port: int = SERVICE_PORT) -> Child:
    """`/<namespace>/<kind>/<name>` at the Gateway leads to the Service's root."""
    gateway, meta = settings.gateway, owner["metadata"]
    timeout = ((owner.get("spec") or {}).get("gatewayRoute") or {}).get("timeout") or gateway.timeouts[owner["kind"]]
    prefix = f"/{meta['namespace']}/{ROUTE_WORDS[owner['kind']]}/{meta['name']}"
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": prefix}}],
        "filters": [
            {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
        ],
        "backendRefs": [{"name": child_name(owner["kind"], meta["name"]), "port": port}],
        "timeouts": {"request": timeout},
    }
    parent = {"name": gateway.name, "namespace": gateway.namespace}
    return _child(HTTPROUTES, owner, {"spec": {"parentRefs": [parent], "rules": [rule]}})


def _child(resource: Resource, owner: Object, body: Object, name: str | None = None) -> Child:
    meta = owner["metadata"]
    reference = {
        "apiVersion": API_VERSION,
        "kind": owner["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
    return Child(
        resource,
        {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {
                "name": name or child_name(owner["kind"], meta["name"]),
                "namespace": meta["namespace"],
                "labels": _labels(owner),
                "annotations": {HASH_ANNOTATION: digest},
                "ownerReferences": [reference],
            },
            **body,
        },
    )


def is_current(live: Object, child: Child) -> bool:
    """Whether the live object is the one that was last asked for, whatever others have done to it since."""
    annotations = live["metadata"].get("annotations") or {}
    return annotations.get(HASH_ANNOTATION) == child.object["metadata"]["annotations"][HASH_ANNOTATION]


def _labels(owner: Object) -> dict[str, str]:
    return labels(owner["kind"], owner["metadata"]["name"])


def _selector(owner: Object) -> dict[str, str]:
    return {KIND_LABEL: owner["kind"], owner["kind"].lower(): owner["metadata"]["name"]}
