"""Everything about one resource that helps to understand its state: itself, its children, its events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kaos.actions import events, graph, resources, survey
from kaos.actions.health import Ref, ref_of
from kaos.actions.kinds import Kind
from kaos.actions.refusals import explained
from kaos.api.names import PART_OF
from kaos.cluster import Client
from kaos.errors import Forbidden
from kaos.kube.resources import DEPLOYMENTS, PODS, REPLICASETS, SERVICES, Resource

Object = dict[str, Any]


@dataclass(frozen=True)
class Child:
    """One object that belongs to the resource, with its state in a few words."""

    kind: str
    name: str
    state: str
    created: str
    pod: bool = False


@dataclass(frozen=True)
class Use:
    """Another resource that this one uses, and how that is; or one that uses it."""

    used: Ref
    does: str
    state: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Description:
    """What `describe` tells."""

    object: Object
    uses: tuple[Use, ...]
    used_by: tuple[Use, ...]
    children: tuple[Child, ...]
    events: tuple[events.EventLine, ...]


def describe(client: Client, kind: Kind, name: str, namespace: str) -> Description:
    obj = resources.get(client, kind, name, namespace)
    children, uids = [], [obj["metadata"]["uid"]]
    for resource in (DEPLOYMENTS, REPLICASETS, PODS, SERVICES):
        try:
            items = _labelled(client, resource, kind, name, namespace)
        except Forbidden:
            children.append(Child(resource.kind, "?", "no right to list them", ""))
            continue
        uids += [item["metadata"]["uid"] for item in items]
        if resource != REPLICASETS:  # a person need not know of them; their events tell why pods are missing
            children += [_child(resource, item) for item in items]
    try:
        happened = events.about(client, namespace, uids)
    except Forbidden:
        happened = []
    return Description(obj, *_uses(client, obj), tuple(children), tuple(happened))


def _uses(client: Client, obj: Object) -> tuple[tuple[Use, ...], tuple[Use, ...]]:
    """Whom it uses, and who uses it. What may not be listed is of no known state."""
    try:
        found = survey.declared(client, obj["metadata"]["namespace"])
    except Forbidden:
        return (), ()
    ref, all_of_them = ref_of(obj), graph.graph(found.resources)
    uses = []
    for edge in all_of_them.uses(ref):
        if edge.used not in found.resources and found.unread:
            uses.append(Use(edge.used, edge.does, "cannot be seen"))
        else:
            uses.append(Use(edge.used, edge.does, str(all_of_them.nodes[edge.used].state), edge.problem))
    return tuple(uses), tuple(Use(edge.user, edge.does + " it") for edge in all_of_them.used_by(ref))


def _labelled(client: Client, resource: Resource, kind: Kind, name: str, namespace: str) -> list[Object]:
    with explained(client, resource):
        return client.list(resource, namespace, labels=f"{PART_OF}=kaos,{kind.selector(name)}").items


def _child(resource: Resource, item: Object) -> Child:
    meta = item["metadata"]
    state = {"Deployment": _of_deployment, "Pod": pod_state, "Service": _of_service}[resource.kind](item)
    return Child(resource.kind, meta["name"], state, meta.get("creationTimestamp", ""), resource == PODS)


def _of_deployment(item: Object) -> str:
    status, wanted = item.get("status") or {}, item["spec"].get("replicas", 1)
    return f"{status.get('readyReplicas', 0)} of {wanted} ready, {status.get('updatedReplicas', 0)} up to date"


def _of_service(item: Object) -> str:
    spec = item["spec"]
    ports = ", ".join(f"{port['port']} -> {port.get('targetPort', port['port'])}" for port in spec.get("ports") or ())
    return f"{spec.get('clusterIP') or 'no address'}, {ports}"


def pod_state(item: Object) -> str:
    """As `kubectl get pods` says it: the first trouble of a container, else the phase."""
    status = item.get("status") or {}
    if item["metadata"].get("deletionTimestamp"):
        return "ending"
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    restarts = sum(one.get("restartCount", 0) for one in containers)
    told = status.get("reason") or status.get("phase") or "unknown"
    for one in containers:
        state = one.get("state") or {}
        trouble = state.get("waiting") or (state.get("terminated") if status.get("phase") != "Succeeded" else None)
        if trouble and trouble.get("reason") not in (None, "Completed"):
            told = trouble["reason"]
            break
    ready = sum(bool(one.get("ready")) for one in status.get("containerStatuses") or ())
    wanted = len(item["spec"].get("containers") or ())
    return f"{told}, {ready} of {wanted} ready" + (
        f", {restarts} restart{'s' if restarts > 1 else ''}" if restarts else ""
    )
