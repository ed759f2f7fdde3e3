"""Putting KAOS with its operator into a cluster, and taking it out again. Both may be cut anywhere and done again."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from kaos.actions import chart
from kaos.actions.refusals import explained
from kaos.actions.system import apply_crds, apply_namespace, apply_registry, await_gone, bundled_crds
from kaos.api.names import AGENTS, MCPSERVERS, MODELAPIS, OPERATOR_LEASE, REGISTRY_CONFIGMAP, SYSTEM_LABEL
from kaos.cluster import ApiError, Client, wait
from kaos.errors import KaosError, NotFound, NotReady, UsageError
from kaos.kube.resources import CONFIGMAPS, CUSTOMRESOURCEDEFINITIONS, DEPLOYMENTS, LEASES, NAMESPACES, PODS, Resource

Object = dict[str, Any]
OnStep = Callable[[str], None]
DECLARED = (AGENTS, MCPSERVERS, MODELAPIS)
LOOK_S = 5.0  # between two looks at why the operator does not start
GONE_S = 60.0
_MANAGED_BY = "app.kubernetes.io/managed-by"
_RELEASE = "meta.helm.sh/release-name"
# Of everything that the chart may consist of, CRDs aside.
_KINDS = (
    ("apps/v1", "Deployment"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
    ("gateway.networking.k8s.io/v1", "Gateway"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("v1", "ConfigMap"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("v1", "ServiceAccount"),
)
_QUOTA = re.compile(r"exceeded quota: ([^,\s]+)")
_PULLING = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")


def rendered(client: Client, namespace: str, values: chart.Values) -> list[Object]:
    """The chart's objects for this cluster. Raises UsageError."""
    response = client.request("GET", "/version")
    try:
        version = json.loads(response.read())["gitVersion"]
    finally:
        response.close()
    return chart.render(namespace, values, version)


def install(client: Client, namespace: str, objects: list[Object], on_step: OnStep, wait_s: float = 0) -> bool:
    """Make the cluster so, and remove what an earlier chart had besides. Returns whether an edited registry was kept.

    With `wait_s` the operator must be ready in so many seconds. Raises NotReady otherwise, and UsageError or NotFound
    before anything is written when it cannot work.
    """
    found = [(_resource(client, one), _ours(one)) for one in objects]
    _check(client, namespace, found)
    apply_crds(client)
    on_step("CRDs installed")
    with explained(client, NAMESPACES, namespace):
        apply_namespace(client, namespace)
    kept = False
    for resource, obj in sorted(found, key=lambda one: one[0] == DEPLOYMENTS):
        with explained(client, resource, obj["metadata"]["name"], obj["metadata"].get("namespace")):
            if _is_registry(resource, obj):
                kept = not apply_registry(client, obj)
            else:
                client.apply(resource, obj, obj["metadata"].get("namespace"))
    wanted = {_place(resource, obj) for resource, obj in found}
    _remove(client, [one for one in _present(client, namespace) if _place(*one) not in wanted])
    if wait_s:
        await_operator(client, namespace, wait_s)
    on_step("Operator deployed")
    on_step("Runtime registry kept as edited" if kept else "Runtime registry created")
    return kept


def _resource(client: Client, obj: Object) -> Resource:
    try:
        return client.resource_for(obj["apiVersion"], obj["kind"])
    except NotFound as missing:
        raise NotFound(
            f"The cluster knows no {obj['kind']}: {missing.cause}",
            "Install what brings it (the Gateway API's CRDs, for one), or leave out the value that asks for it.",
        ) from None


def _ours(obj: Object) -> Object:
    """The object as one that helm only rendered."""
    meta = obj["metadata"]
    return obj | {"metadata": meta | {"labels": meta["labels"] | {_MANAGED_BY: "kaos"}}}


def _check(client: Client, namespace: str, found: list[tuple[Resource, Object]]) -> None:
    for resource, obj in found:
        name, place = obj["metadata"]["name"], obj["metadata"].get("namespace")
        with explained(client, resource, name, place):
            live = client.find(resource, name, place)
        _leave_to_helm(live, namespace)
    for other in sorted({obj["metadata"].get("namespace", namespace) for _, obj in found} - {namespace}):
        if client.find(NAMESPACES, other) is None:
            raise NotFound(
                f"There is no namespace {other}, which watchNamespaces names.", f"kubectl create namespace {other}"
            )


def _leave_to_helm(live: Object | None, namespace: str) -> None:
    release = ((live or {}).get("metadata", {}).get("annotations") or {}).get(_RELEASE)
    if release:
        raise UsageError(
            f"KAOS in namespace {namespace} was installed with helm, as release {release}.",
            f"Go on with helm, or take it away first: helm uninstall {release} -n {namespace}",
        )


def _is_registry(resource: Resource, obj: Object) -> bool:
    return resource == CONFIGMAPS and obj["metadata"]["name"] == REGISTRY_CONFIGMAP


def _place(resource: Resource, obj: Object) -> tuple[str, str | None, str]:
    return resource.kind, obj["metadata"].get("namespace"), obj["metadata"]["name"]


def _present(client: Client, namespace: str) -> Iterator[tuple[Resource, Object]]:
    """What an installation in that namespace has put into the cluster, in the order in which it can go."""
    for api_version, kind in _KINDS:
        try:
            resource = client.resource_for(api_version, kind)
        except NotFound:
            continue  # a cluster without this API
        with explained(client, resource):
            for obj in client.list(resource, labels=f"{SYSTEM_LABEL}={namespace},{_MANAGED_BY}=kaos").items:
                yield resource, obj


def _remove(client: Client, objects: list[tuple[Resource, Object]]) -> None:
    for resource, obj in objects:
        name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace")
        with explained(client, resource, name, namespace):
            _delete(client, resource, name, namespace)


def _delete(client: Client, resource: Resource, name: str, namespace: str | None) -> None:
    # A Deployment goes after its pods: the operator needs its rights to give the lead back.
    propagation = "Foreground" if resource == DEPLOYMENTS else "Background"
    try:
        client.delete(resource, name, namespace, propagation)
    except ApiError as refused:
        if refused.code != 404:
            raise
        return
    if resource == DEPLOYMENTS:
        await_gone(client, resource, name, namespace, GONE_S)


# Waiting.


def await_operator(client: Client, namespace: str, timeout_s: float) -> None:
    """Return when the operator's pods are ready. Raises NotReady, at once when they cannot become so."""
    deadline = time.monotonic() + timeout_s
    while (left_s := deadline - time.monotonic()) > 0:
        try:
            slice_s = min(LOOK_S, left_s)
            wait.until(client, DEPLOYMENTS, OPERATOR_LEASE, namespace, _is_rolled_out, slice_s)
            return
        except NotReady:
            if hopeless := _hopeless(client, namespace):
                raise hopeless from None
    raise NotReady(
        f"The operator in namespace {namespace} was not ready within {timeout_s:g} s.",
        f"See: kubectl describe pods -n {namespace} -l app.kubernetes.io/name=kaos-operator",
    )


def _is_rolled_out(deployment: Object | None) -> bool:
    if deployment is None:
        return False
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
        return False
    return all((status.get(count) or 0) == wanted for count in ("replicas", "updatedReplicas", "availableReplicas"))


def _hopeless(client: Client, namespace: str) -> KaosError | None:
    """Why the operator will not start by itself."""
    deployment = client.find(DEPLOYMENTS, OPERATOR_LEASE, namespace)
    for condition in ((deployment or {}).get("status") or {}).get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return _pods_refused(condition.get("message") or "", namespace)
    for pod in client.list(PODS, namespace, labels=f"app.kubernetes.io/name={OPERATOR_LEASE}").items:
        for container in (pod.get("status") or {}).get("containerStatuses") or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in _PULLING:
                return NotReady(
                    f"The operator's image {container.get('image')} cannot be pulled: {waiting.get('message')}",
                    "Give the cluster access to it, or name another: --set image=IMAGE",
                )
            if waiting.get("reason") == "CrashLoopBackOff":
                return NotReady("The operator ends as soon as it starts.", f"kubectl logs -n {namespace} "
                                f"{pod['metadata']['name']} --previous")  # fmt: skip
    return None


def _pods_refused(why: str, namespace: str) -> NotReady:
    quota = _QUOTA.search(why)
    cure = f"Raise it: kubectl edit resourcequota {quota[1]} -n {namespace}" if quota else "Lift what refuses them."
    return NotReady(f"The operator's pods are refused: {why}", cure)


# Taking it out.


def declared(client: Client) -> dict[str, int]:
    """How many resources of each kind the whole cluster has; of those kinds that it knows."""
    counts = {}
    for resource in DECLARED:
        try:
            counts[resource.kind] = len(client.list(resource).items)
        except ApiError as refused:
            if refused.code != 404:
                raise
    return counts


def uninstall(client: Client, namespace: str, on_step: OnStep) -> None:
    """Take out the operator and its rights; the registry stays.

    Raises NotFound when there is no operator, UsageError when it is helm's.
    """
    present = [one for one in _present(client, namespace) if not _is_registry(*one)]
    if not present:
        _leave_to_helm(client.find(DEPLOYMENTS, OPERATOR_LEASE, namespace), namespace)
        raise NotFound(f"kaos has put no operator into namespace {namespace}.", "Another namespace: -n NAMESPACE")
    _remove(client, present)
    for lease in client.list(LEASES, namespace).items:
        name = lease["metadata"]["name"]
        if name.startswith(OPERATOR_LEASE) and not (lease.get("spec") or {}).get("holderIdentity"):
            _delete(client, LEASES, name, namespace)
    on_step("Operator removed")


def purge(client: Client, namespace: str, on_step: OnStep) -> None:
    """Take out every resource of the cluster that KAOS knows, the CRDs and the registry."""
    for resource in DECLARED:
        if resource.kind in declared(client):
            for obj in client.list(resource).items:
                _delete(client, resource, obj["metadata"]["name"], obj["metadata"]["namespace"])
    on_step("Resources removed")
    for crd in bundled_crds():
        name = crd["metadata"]["name"]
        _delete(client, CUSTOMRESOURCEDEFINITIONS, name, None)
        await_gone(client, CUSTOMRESOURCEDEFINITIONS, name, None, GONE_S)
    on_step("CRDs removed")
    _delete(client, CONFIGMAPS, REGISTRY_CONFIGMAP, namespace)
    on_step("Runtime registry removed")
