"""KAOS itself on a cluster: installing what the operator needs, its state, the runtimes it knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import kaos
from kaos.actions import chart
from kaos.actions.operators import OperatorState, operators
from kaos.actions.refusals import explained
from kaos.api import registry
from kaos.api.names import (
    ALIASES,
    CUSTOM,
    OPERATOR_LEASE,
    PART_OF,
    REGISTRY_CONFIGMAP,
    REGISTRY_LABEL,
    SYSTEM_NAMESPACE,
)
from kaos.cluster import ApiError, Client, wait
from kaos.errors import Forbidden, NotFound, UsageError
from kaos.kube.names import nearest
from kaos.kube.resources import CONFIGMAPS, CUSTOMRESOURCEDEFINITIONS, DEPLOYMENTS, NAMESPACES, Resource

Object = dict[str, Any]
ESTABLISHED_TIMEOUT_S = 60.0
_GATEWAYS = Resource("gateway.networking.k8s.io", "v1", "gateways", "Gateway")
_VERSION_LABEL = "app.kubernetes.io/version"
# What the registry need not say: a server may always bring its own image.
_CUSTOM = registry.Runtime(CUSTOM, type="-", description="User-provided container image", source="-")


@dataclass(frozen=True)
class Installed:
    """What `install_prerequisites` found and did."""

    crds: tuple[str, ...]
    namespace: str
    registry_kept: bool  # someone else had changed the registry, so it was left as it is


def install_prerequisites(
    client: Client,
    system_namespace: str = SYSTEM_NAMESPACE,
    on_step: Callable[[str], None] = lambda step: None,
) -> Installed:
    """Put on a bare cluster what `kaos operator run` needs: CRDs, system namespace, runtime registry. Idempotent."""
    crds = apply_crds(client)
    on_step("CRDs installed")
    apply_namespace(client, system_namespace)
    kept = not apply_registry(client, registry.configmap(system_namespace))
    on_step("Runtime registry kept as edited" if kept else "Runtime registry created")
    return Installed(tuple(crd["metadata"]["name"] for crd in crds), system_namespace, kept)


def bundled_crds() -> list[Object]:
    """The CRDs of this version."""
    return chart.crds()


def apply_crds(client: Client) -> list[Object]:
    """Returns when objects of their kinds can be made."""
    crds = bundled_crds()
    for crd in crds:
        _check_stored(client, crd)
    for crd in crds:
        with explained(client, CUSTOMRESOURCEDEFINITIONS, crd["metadata"]["name"]):
            client.apply(CUSTOMRESOURCEDEFINITIONS, crd)
    for crd in crds:
        await_established(client, crd["metadata"]["name"])
    return crds


def _check_stored(client: Client, crd: Object) -> None:
    """Whether the cluster may hold objects in a version that we no longer have. Raises UsageError."""
    name = crd["metadata"]["name"]
    with explained(client, CUSTOMRESOURCEDEFINITIONS, name):
        live = client.find(CUSTOMRESOURCEDEFINITIONS, name)
    stored = ((live or {}).get("status") or {}).get("storedVersions") or ()
    if unknown := sorted(set(stored) - {version["name"] for version in crd["spec"]["versions"]}):
        raise UsageError(
            f"The cluster may hold {crd['spec']['names']['kind']}s of version {', '.join(unknown)}, "
            f"which KAOS {kaos.__version__} does not know.",
            f"Save them (kubectl get {name} -A -o yaml), then take them away: kubectl delete crd {name}",
        )


def apply_namespace(client: Client, name: str) -> None:
    meta = {"name": name, "labels": {PART_OF: "kaos"}}
    client.apply(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})


def await_established(client: Client, name: str) -> None:
    """Return when objects of a new kind can be made."""
    wait.until(client, CUSTOMRESOURCEDEFINITIONS, name, condition=_established, timeout_s=ESTABLISHED_TIMEOUT_S)


def _established(crd: Object | None) -> bool:
    conditions = ((crd or {}).get("status") or {}).get("conditions") or ()
    return any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions)


def apply_registry(client: Client, configmap: Object) -> bool:
    """False when someone has edited the registry: their entries are worth more than ours."""
    namespace = configmap["metadata"]["namespace"]
    try:
        client.apply(CONFIGMAPS, configmap, namespace, force=False)
    except ApiError as refused:
        if refused.code != 409 or client.find(CONFIGMAPS, REGISTRY_CONFIGMAP, namespace) is None:
            raise
        return False
    return True


def await_gone(client: Client, resource: Resource, name: str, namespace: str | None, timeout_s: float) -> None:
    wait.until(client, resource, name, namespace, lambda obj: obj is None, timeout_s)


@dataclass(frozen=True)
class SystemStatus:
    """KAOS on one cluster. `operators` is None when we may not know, `gateways` when there is no Gateway API."""

    namespace: str
    installed: bool
    version: str | None  # of the operator in the cluster
    operators: list[OperatorState] | None
    pods: tuple[int, int] | None  # ready and wanted, of the operator in the cluster
    pods_known: bool  # whether we may look at them
    runtimes: list[registry.Runtime]
    problems: tuple[str, ...]
    gateways: list[str] | None

    @property
    def operator(self) -> OperatorState | None:
        """The one that works."""
        return next((one for one in self.operators or () if one.fresh), None)


def status(client: Client, system_namespace: str = SYSTEM_NAMESPACE) -> SystemStatus:
    """Who runs the operator, what servers may run, and whether there is a gateway."""
    deployment = _if_allowed(client, DEPLOYMENTS, OPERATOR_LEASE, system_namespace)
    crds = [_if_allowed(client, CUSTOMRESOURCEDEFINITIONS, crd["metadata"]["name"]) for crd in bundled_crds()]
    try:
        known, problems = runtimes(client, system_namespace)
    except (NotFound, Forbidden) as missing:
        known, problems = [], (missing.cause,)
    return SystemStatus(
        system_namespace,
        None not in crds,
        (deployment["metadata"].get("labels") or {}).get(_VERSION_LABEL) if deployment else None,
        operators(client, system_namespace),
        _pods(deployment) if deployment else None,
        deployment != {},
        known,
        problems,
        _gateways(client),
    )


def _if_allowed(client: Client, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
    """The object; None when there is none; empty when we may not look."""
    try:
        return client.find(resource, name, namespace)
    except ApiError as refused:
        if refused.code != 403:
            raise
        return {}


def _pods(deployment: Object) -> tuple[int, int]:
    return (deployment.get("status") or {}).get("readyReplicas", 0), deployment["spec"].get("replicas", 1)


def _gateways(client: Client) -> list[str] | None:
    try:
        found = client.list(_GATEWAYS).items
    except ApiError:
        return None  # no such API, or not ours to see: KAOS makes no routes for us either way
    return [f"{one['metadata']['name']} ({one['metadata']['namespace']})" for one in found]


def runtimes(
    client: Client, system_namespace: str = SYSTEM_NAMESPACE
) -> tuple[list[registry.Runtime], tuple[str, ...]]:
    """What an MCPServer's `runtime` may name, `custom` last, and what of the registry is broken. Raises NotFound."""
    with explained(client, CONFIGMAPS, REGISTRY_CONFIGMAP, system_namespace):
        labelled = client.list(CONFIGMAPS, system_namespace, labels=f"{REGISTRY_LABEL}=true").items
        main = client.find(CONFIGMAPS, REGISTRY_CONFIGMAP, system_namespace)
    configmaps = [one for one in labelled if one["metadata"]["name"] != REGISTRY_CONFIGMAP]
    found = registry.read([*configmaps, main] if main else configmaps)
    if found is None:
        raise NotFound(
            f"There is no runtime registry in namespace {system_namespace}.",
            "Install it: kaos system install --no-operator",
        )
    return [*found.runtimes.values(), _CUSTOM], found.problems


def runtime(client: Client, name: str, system_namespace: str = SYSTEM_NAMESPACE) -> registry.Runtime:
    """One of them. Raises NotFound with the nearest."""
    known = {one.name: one for one in runtimes(client, system_namespace)[0]}
    wanted = ALIASES.get(name, name)
    if wanted not in known:
        like = nearest(name, known)
        hint = f"Did you mean {like}?" if like else f"There are: {', '.join(known)}"
        raise NotFound(f"There is no runtime {name}.", hint)
    return known[wanted]
