"""One look at a cluster: KAOS's resources and what belongs to them, in a few lists. What may not be read is named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kaos.actions import events, resources
from kaos.actions.events import EventLine
from kaos.actions.health import Ref, ref_of, state_of
from kaos.actions.kinds import KINDS
from kaos.actions.operators import OperatorState, operators
from kaos.actions.refusals import explained
from kaos.api.names import KIND_LABEL, OPERATOR_LEASE, PART_OF, SYSTEM_NAMESPACE
from kaos.cluster import ApiError, Client
from kaos.errors import Forbidden, NotFound
from kaos.kube.resources import CONFIGMAPS, DEPLOYMENTS, PODS, SECRETS, Resource

Object = dict[str, Any]
_REFERENCED = {"Secret": SECRETS, "ConfigMap": CONFIGMAPS}


@dataclass(frozen=True, order=True)
class Reference:
    """A Secret or ConfigMap that a resource names, and the key if it names one."""

    kind: str
    name: str
    key: str = ""


@dataclass(frozen=True)
class Survey:
    """What was found. `operators` is None when we may not know."""

    context: str
    installed: bool = True
    operators: list[OperatorState] | None = None
    resources: dict[Ref, Object] = field(default_factory=dict)
    deployments: dict[Ref, Object] = field(default_factory=dict)
    pods: dict[Ref, list[Object]] = field(default_factory=dict)
    events: dict[Ref, list[EventLine]] = field(default_factory=dict)
    keys: dict[tuple[str, str, str], frozenset[str] | None] = field(default_factory=dict)  # kind, namespace, name
    unread: tuple[str, ...] = ()  # which rights are missing, in the cluster's words
    operator_pods: tuple[int, int] | None = None  # ready and wanted, where one is to run in the cluster and none works

    @property
    def operator_runs(self) -> bool:
        """As far as we may know."""
        return self.operators is None or any(one.fresh for one in self.operators)


def declared(client: Client, namespace: str | None) -> Survey:
    """The resources alone. Raises Forbidden when none of them may be listed."""
    found, installed, refusals = {}, True, []
    for kind in KINDS:
        try:
            items = resources.listed(client, kind, namespace)
        except NotFound:
            installed = False
            continue
        except Forbidden as refused:
            refusals.append(refused)
            continue
        for item in items:
            item |= {"apiVersion": kind.resource.api_version, "kind": kind.title}
            found[ref_of(item)] = item
    if len(refusals) == len(KINDS):
        raise refusals[0]
    unread = tuple(refused.cause for refused in refusals)
    return Survey(client.connection.context, installed, resources=found, unread=unread)


def take(client: Client, namespace: str | None, wanted: Ref | None = None, secrets: bool = True) -> Survey:
    """Everything that a diagnosis needs. References are looked up for what is not healthy, and for `wanted`;
    without `secrets` no Secret is asked for."""
    first = declared(client, namespace)
    if not first.installed:
        return first
    deployments, no_deployments = _allowed(client, DEPLOYMENTS, namespace, f"{PART_OF}=kaos")
    pods, no_pods = _allowed(client, PODS, namespace, f"{PART_OF}=kaos")
    pods_of: defaultdict[Ref, list[Object]] = defaultdict(list)
    for pod in pods:
        if owner := owner_of(pod):
            pods_of[owner].append(pod)
    try:
        happened, no_events = events.listed(client, namespace), []
    except Forbidden as refused:
        happened, no_events = [], [refused.cause]
    asked = [ref for ref, obj in first.resources.items() if ref == wanted or not state_of(obj).healthy]
    keys, no_keys = _keys(client, {(ref.namespace, one.kind, one.name) for ref in asked
                                   for one in references(first.resources[ref])
                                   if secrets or one.kind != "Secret"})  # fmt: skip
    leases = operators(client)
    works = leases is None or any(one.fresh for one in leases)
    return Survey(
        first.context,
        True,
        leases,
        first.resources,
        {owner: one for one in deployments if (owner := owner_of(one))},
        dict(pods_of),
        _by_owner(happened, first.resources),
        keys,
        tuple(dict.fromkeys([*first.unread, *no_deployments, *no_pods, *no_events, *no_keys])),
        None if works else _operator_pods(client),
    )


def _operator_pods(client: Client) -> tuple[int, int] | None:
    try:
        found = client.find(DEPLOYMENTS, OPERATOR_LEASE, SYSTEM_NAMESPACE)
    except ApiError:
        return None  # not ours to see: then it is not known to be there
    return ((found.get("status") or {}).get("readyReplicas", 0), found["spec"].get("replicas", 1)) if found else None


def _allowed(client: Client, resource: Resource, namespace: str | None, labels: str) -> tuple[list[Object], list[str]]:
    try:
        with explained(client, resource):
            return client.list(resource, namespace, labels=labels).items, []
    except Forbidden as refused:
        return [], [refused.cause]


def _keys(
    client: Client, wanted: Iterable[tuple[str, str, str]]
) -> tuple[dict[tuple[str, str, str], frozenset[str] | None], list[str]]:
    """Which keys they hold; None for one that does not exist. Values are not kept."""
    found: dict[tuple[str, str, str], frozenset[str] | None] = {}
    refusals = []
    for namespace, kind, name in sorted(wanted):
        try:
            with explained(client, _REFERENCED[kind]):
                obj = client.find(_REFERENCED[kind], name, namespace)
        except Forbidden as refused:
            refusals.append(refused.cause)
        except ApiError:
            continue  # a name that no object can have; the resource's own status says so
        else:
            held = obj and {**(obj.get("data") or {}), **(obj.get("binaryData") or {})}
            found[kind, namespace, name] = frozenset(held) if held is not None else None
    return found, refusals


def owner_of(obj: Object) -> Ref | None:
    """The resource that an object belongs to, by its labels."""
    labels = obj["metadata"].get("labels") or {}
    kind = labels.get(KIND_LABEL, "")
    name = labels.get(kind.lower())
    known = name and any(kind == one.title for one in KINDS)
    return Ref(kind, obj["metadata"].get("namespace", ""), name) if known else None


def _by_owner(happened: list[EventLine], known: Iterable[Ref]) -> dict[Ref, list[EventLine]]:
    """Events of the resources and of their children, whose names begin with those of the owners."""
    children = {(ref.namespace, ref.handler.child(ref.name)): ref for ref in known}
    found: defaultdict[Ref, list[EventLine]] = defaultdict(list)
    for one in happened:
        kind, _, name = one.object.partition("/")
        owner = Ref(kind, one.namespace, name)
        if owner not in children.values():
            words = name.split("-")
            prefixes = ("-".join(words[:count]) for count in range(len(words), 0, -1))
            owner = next((children[one.namespace, prefix] for prefix in prefixes
                          if (one.namespace, prefix) in children), None)  # fmt: skip
        if owner is not None:
            found[owner].append(one)
    return dict(found)


def references(obj: Object, optional: bool = False) -> list[Reference]:
    """The Secrets and ConfigMaps that a resource's spec names and cannot do without; or all that it names."""
    return sorted(set(_references(obj.get("spec"), optional)))


_BY_FIELD = {
    "secretKeyRef": ("Secret", "name"), "fromSecretKeyRef": ("Secret", "name"), "secretRef": ("Secret", "name"),
    "secret": ("Secret", "secretName"), "configMapKeyRef": ("ConfigMap", "name"),
    "configMapRef": ("ConfigMap", "name"), "configMap": ("ConfigMap", "name"),
}  # fmt: skip


def _references(node: Any, optional: bool) -> Iterator[Reference]:
    if isinstance(node, list):
        for item in node:
            yield from _references(item, optional)
    elif isinstance(node, dict):
        for field_name, value in node.items():
            kind, name_field = _BY_FIELD.get(field_name, ("", ""))
            if kind and isinstance(value, dict) and isinstance(value.get(name_field), str):
                if optional or not value.get("optional"):
                    yield Reference(kind, value[name_field], str(value.get("key") or ""))
            else:
                yield from _references(value, optional)
