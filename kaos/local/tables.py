"""The Table representation: rows and columns as `kubectl get` shows them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kaos.kube import jsonpath, selectors, times
from kaos.local.kinds import Kind

Object = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """One column; priority 1 shows only in wide output."""

    name: str
    cell: Callable[[Object], Any]
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""

    def definition(self) -> Object:
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


def table(
    kind: Kind, objects: Iterable[Object], meta: Object, include_object: str = "Metadata", version: str = "v1"
) -> Object:
    """A Table of the objects. `include_object` is None, Metadata or Object."""
    columns = columns_of(kind)
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": meta,
        "columnDefinitions": [column.definition() for column in columns],
        "rows": [row(columns, obj, include_object) for obj in objects],
    }


def row(columns: list[Column], obj: Object, include_object: str) -> Object:
    shown = {"Object": obj, "Metadata": partial(obj), "None": None}[include_object]
    return {"cells": [column.cell(obj) for column in columns], "object": shown}


def partial(obj: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def columns_of(kind: Kind) -> list[Column]:
    if kind.custom:
        return [_NAME, *(_custom(column) for column in kind.columns)] if kind.columns else [_NAME, _CREATED_AGO]
    return _COLUMNS.get(kind.resource.kind) or [_NAME, _CREATED]


def _custom(column: Any) -> Column:
    path, kind = column["jsonPath"], column["type"]

    def cell(obj: Object) -> Any:
        found = jsonpath.evaluate(path, obj)
        if not found:
            return None
        value = found[0]
        if kind == "date":
            return times.age(value if isinstance(value, str) else None)
        if kind == "string" and not isinstance(value, str):
            return json.dumps(value, separators=(",", ":"))
        return value

    description = column.get("description") or f"Custom resource definition column (in JSONPath format): {path}"
    return Column(column["name"], cell, kind, column.get("format", ""), column.get("priority", 0), description)


def _age(obj: Object) -> str:
    return times.age(obj["metadata"].get("creationTimestamp"))


def _at(path: str, absent: Any = "") -> Callable[[Object], Any]:
    keys = path.split(".")

    def cell(obj: Any) -> Any:
        for key in keys:
            obj = obj.get(key) if isinstance(obj, dict) else None
        return absent if obj is None else obj

    return cell


_NAME = Column("Name", _at("metadata.name"), format="name")
_AGE = Column("Age", _age)
_CREATED_AGO = Column("Age", _age, "date")
_CREATED = Column("Created At", _at("metadata.creationTimestamp"), "date")


def _containers(obj: Object, field: str) -> str:
    spec = obj["spec"].get("template", {}).get("spec", {})
    return ",".join(container.get(field, "") for container in spec.get("containers") or ())


def _labels(labels: dict[str, str] | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or "<none>"


def _selector(field: str) -> Callable[[Object], str]:
    return lambda obj: selectors.text_of(obj["spec"].get(field)) or "<none>"


def _pod_ready(obj: Object) -> str:
    states = obj.get("status", {}).get("containerStatuses") or ()
    return f"{sum(bool(state.get('ready')) for state in states)}/{len(obj['spec'].get('containers') or ())}"


def pod_status(obj: Object) -> str:
    """The one word that `kubectl get pods` shows."""
    status = obj.get("status", {})
    word = status.get("reason") or status.get("phase", "")
    for position, state in enumerate(status.get("initContainerStatuses") or ()):
        now = state.get("state", {})
        if now.get("terminated", {}).get("exitCode") == 0 or (state.get("started") and now.get("running")):
            continue
        if "terminated" in now:
            return f"Init:{now['terminated'].get('reason') or 'ExitCode:' + str(now['terminated'].get('exitCode'))}"
        if now.get("waiting", {}).get("reason") not in (None, "PodInitializing"):
            return f"Init:{now['waiting']['reason']}"
        return f"Init:{position}/{len(status['initContainerStatuses'])}"
    for state in reversed(status.get("containerStatuses") or ()):
        now = state.get("state", {})
        if now.get("waiting", {}).get("reason"):
            word = now["waiting"]["reason"]
        elif "terminated" in now:
            word = now["terminated"].get("reason") or f"ExitCode:{now['terminated'].get('exitCode')}"
    return "Terminating" if obj["metadata"].get("deletionTimestamp") else word


def _pod_restarts(obj: Object) -> str:
    states = obj.get("status", {}).get("containerStatuses") or ()
    count = sum(state.get("restartCount", 0) for state in states)
    ended = [state.get("lastState", {}).get("terminated", {}).get("finishedAt") for state in states]
    latest = max((moment for moment in ended if moment), default=None)
    return f"{count} ({times.age(latest)} ago)" if count and latest else str(count)


def _service_ports(obj: Object) -> str:
    ports = []
    for port in obj["spec"].get("ports") or ():
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        ports.append(f"{port.get('port')}{node_port}/{port.get('protocol', 'TCP')}")
    return ",".join(ports) or "<none>"


def _node_status(obj: Object) -> str:
    conditions = obj.get("status", {}).get("conditions") or ()
    ready = next((item for item in conditions if item["type"] == "Ready"), {})
    return "Ready" if ready.get("status") == "True" else "NotReady"


def _node_address(kind: str) -> Callable[[Object], str]:
    def cell(obj: Object) -> str:
        addresses = obj.get("status", {}).get("addresses") or ()
        return next((item["address"] for item in addresses if item["type"] == kind), "<none>")

    return cell


def _node_roles(obj: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    roles = sorted(key.removeprefix(prefix) for key in obj["metadata"].get("labels") or () if key.startswith(prefix))
    return ",".join(roles) or "<none>"


def _event_seen(obj: Object) -> str:
    moment = (
        (obj.get("series") or {}).get("lastObservedTime") or obj.get("lastTimestamp") or obj.get("eventTime")
        or obj.get("deprecatedLastTimestamp") or obj["metadata"].get("creationTimestamp")
    )  # fmt: skip
    return times.age(moment)


def _event_first_seen(obj: Object) -> str:
    return times.age(obj.get("firstTimestamp") or obj.get("deprecatedFirstTimestamp") or obj.get("eventTime"))


def _event_about(obj: Object) -> Object:
    return obj.get("involvedObject") or obj.get("regarding") or {}


def _event_object(obj: Object) -> str:
    about = _event_about(obj)
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def _event_message(obj: Object) -> str:
    return (obj.get("message") or obj.get("note", "")).strip()


def _event_source(obj: Object) -> str:
    source = obj.get("source") or obj.get("deprecatedSource") or {}
    component = source.get("component") or obj.get("reportingComponent") or obj.get("reportingController") or ""
    host = source.get("host") or obj.get("reportingInstance") or ""
    return f"{component}, {host}" if host else component


def _slice_ports(obj: Object) -> str:
    return ",".join(str(port.get("port")) for port in obj.get("ports") or ()) or "<unset>"


def _slice_addresses(obj: Object) -> str:
    found = [address for endpoint in obj.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    return ",".join(found[:3]) + more or "<unset>"


def _claim_status(obj: Object) -> str:
    return "Terminating" if obj["metadata"].get("deletionTimestamp") else _at("status.phase")(obj)


def _modes(obj: Object) -> str:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    return ",".join(short.get(mode, mode) for mode in obj.get("status", {}).get("accessModes") or ())


def _subjects(kind: str) -> Callable[[Object], str]:
    def cell(obj: Object) -> str:
        found = [subject for subject in obj.get("subjects") or () if subject.get("kind") == kind]
        scope = "{namespace}/{name}" if kind == "ServiceAccount" else "{name}"
        return ", ".join(scope.format(namespace=item.get("namespace"), name=item["name"]) for item in found)

    return cell


def _wide(name: str, cell: Callable[[Object], Any], **more: Any) -> Column:
    return Column(name, cell, priority=1, **more)


def _workload(*middle: Column) -> list[Column]:
    return [
        _NAME, *middle, _AGE,
        _wide("Containers", lambda obj: _containers(obj, "name")),
        _wide("Images", lambda obj: _containers(obj, "image")),
        _wide("Selector", _selector("selector")),
    ]  # fmt: skip


def _number(name: str, path: str) -> Column:
    return Column(name, _at(path, 0), "integer")


def _binding() -> list[Column]:
    role = Column("Role", lambda obj: f"{obj['roleRef']['kind']}/{obj['roleRef']['name']}")
    wide = [_wide("Users", _subjects("User")), _wide("Groups", _subjects("Group"))]
    return [_NAME, role, _AGE, *wide, _wide("ServiceAccounts", _subjects("ServiceAccount"))]


def _count(*fields: str) -> Callable[[Object], int]:
    return lambda obj: sum(len(obj.get(field) or ()) for field in fields)


_COLUMNS: dict[str, list[Column]] = {
    "Pod": [
        _NAME, Column("Ready", _pod_ready), Column("Status", pod_status), Column("Restarts", _pod_restarts), _AGE,
        _wide("IP", _at("status.podIP", "<none>")), _wide("Node", _at("spec.nodeName", "<none>")),
        _wide("Nominated Node", _at("status.nominatedNodeName", "<none>")),
        _wide("Readiness Gates", lambda obj: "<none>"),
    ],
    "Deployment": _workload(
        Column("Ready", lambda obj: f"{obj['status'].get('readyReplicas', 0)}/{obj['spec'].get('replicas', 1)}"),
        Column("Up-to-date", _at("status.updatedReplicas", 0)),
        Column("Available", _at("status.availableReplicas", 0)),
    ),
    "ReplicaSet": _workload(
        _number("Desired", "spec.replicas"), _number("Current", "status.replicas"),
        _number("Ready", "status.readyReplicas"),
    ),
    "Service": [
        _NAME, Column("Type", _at("spec.type")), Column("Cluster-IP", _at("spec.clusterIP", "<none>")),
        Column("External-IP", _at("spec.externalName", "<none>")), Column("Port(s)", _service_ports), _AGE,
        _wide("Selector", lambda obj: _labels(obj["spec"].get("selector"))),
    ],
    "Node": [
        _NAME, Column("Status", _node_status), Column("Roles", _node_roles), _AGE,
        Column("Version", _at("status.nodeInfo.kubeletVersion")),
        _wide("Internal-IP", _node_address("InternalIP")), _wide("External-IP", _node_address("ExternalIP")),
        _wide("OS-Image", _at("status.nodeInfo.osImage", "<unknown>")),
        _wide("Kernel-Version", _at("status.nodeInfo.kernelVersion", "<unknown>")),
        _wide("Container-Runtime", _at("status.nodeInfo.containerRuntimeVersion", "<unknown>")),
    ],
    "Namespace": [_NAME, Column("Status", _at("status.phase")), _AGE],
    "ConfigMap": [_NAME, Column("Data", _count("data", "binaryData")), _AGE],
    "Secret": [_NAME, Column("Type", _at("type")), Column("Data", _count("data")), _AGE],
    "ServiceAccount": [_NAME, Column("Secrets", _count("secrets")), _AGE],
    "Event": [
        Column("Last Seen", _event_seen), Column("Type", _at("type")), Column("Reason", _at("reason")),
        Column("Object", _event_object), _wide("Subobject", lambda obj: _event_about(obj).get("fieldPath", "")),
        _wide("Source", _event_source), Column("Message", _event_message),
        _wide("First Seen", _event_first_seen),
        _wide("Count", lambda obj: obj.get("count") or obj.get("deprecatedCount") or 1),
        _wide("Name", _at("metadata.name"), format="name"),
    ],
    "PersistentVolumeClaim": [
        _NAME, Column("Status", _claim_status),
        Column("Volume", _at("spec.volumeName")), Column("Capacity", _at("status.capacity.storage")),
        Column("Access Modes", _modes), Column("StorageClass", _at("spec.storageClassName")),
        Column("VolumeAttributesClass", lambda obj: "<unset>"), _AGE, _wide("VolumeMode", _at("spec.volumeMode")),
    ],
    "Lease": [_NAME, Column("Holder", _at("spec.holderIdentity")), _AGE],
    "EndpointSlice": [
        _NAME, Column("AddressType", _at("addressType")), Column("Ports", _slice_ports),
        Column("Endpoints", _slice_addresses), _AGE,
    ],
    "NetworkPolicy": [
        _NAME, Column("Pod-Selector", _selector("podSelector")), _AGE,
    ],
    "RoleBinding": _binding(),
    "ClusterRoleBinding": _binding(),
    "Endpoints": [_NAME, Column("Endpoints", lambda obj: "<none>"), _AGE],
    "ResourceQuota": [_NAME, Column("Request", lambda obj: ""), Column("Limit", lambda obj: ""), _AGE],
}  # fmt: skip


def watch_tables(kind: Kind, include_object: str, version: str) -> Callable[[Object], Object]:
    """Events of a watch as Tables: the columns come once, with the first."""
    columns = columns_of(kind)
    definitions: Iterator[list[Object]] = iter([[column.definition() for column in columns]])

    def one(obj: Object) -> Object:
        return {
            "kind": "Table",
            "apiVersion": f"meta.k8s.io/{version}",
            "metadata": {"resourceVersion": obj["metadata"].get("resourceVersion", "")},
            "columnDefinitions": next(definitions, None),
            "rows": [row(columns, obj, include_object)],
        }

    return one
