"""Which kinds the local cluster serves: the built-in ones, and those that CRDs add."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kaos.kube import resources as r
from kaos.kube.resources import Resource
from kaos.local import schemas
from kaos.local.schema import Schema

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")  # in this order


@dataclass(frozen=True)
class ScalePaths:
    """Where a kind keeps what its scale subresource shows, as dotted paths."""

    spec: str
    status: str
    selector: str = ""


@dataclass(frozen=True)
class Kind:
    """One served version of a kind."""

    resource: Resource
    schema: Callable[[], Schema]
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    status: bool = False
    scale: ScalePaths | None = None
    columns: tuple[Mapping[str, Any], ...] = ()  # a CRD's additionalPrinterColumns
    selectable_fields: tuple[str, ...] = ()
    custom: bool = False
    storage_version: bool = True
    list_kind: str = ""

    def __post_init__(self) -> None:
        if not self.list_kind:
            object.__setattr__(self, "list_kind", f"{self.resource.kind}List")

    @property
    def collection(self) -> str:
        """The store's name for all versions of this kind. Events of both groups are one."""
        if self.resource.plural == "events":
            return "events"
        return f"{self.resource.plural}.{self.resource.group}" if self.resource.group else self.resource.plural

    @property
    def keeps_generation(self) -> bool:
        return self.custom or self.resource.kind in _WITH_GENERATION

    @property
    def keeps_status(self) -> bool:
        """Nodes and volumes are made by those who know how they are: their status may come with the creation."""
        return self.resource.kind in ("Node", "PersistentVolume")

    @property
    def updates_need_a_version(self) -> bool:
        return self.custom or self.resource.kind in ("Lease", "CustomResourceDefinition")


_WITH_GENERATION = {
    "Deployment", "ReplicaSet", "Pod", "NetworkPolicy", "CustomResourceDefinition", "EndpointSlice",
}  # fmt: skip


def _builtin(resource: Resource, *short_names: str, **more: Any) -> Kind:
    return Kind(
        resource,
        schema=lambda: schemas.builtin(resource.group, resource.version, resource.kind),
        singular="endpoints" if resource.plural == "endpoints" else resource.kind.lower(),
        short_names=short_names,
        **more,
    )


def _rbac(plural: str, kind: str, namespaced: bool) -> Kind:
    return _builtin(Resource("rbac.authorization.k8s.io", "v1", plural, kind, namespaced))


def _review(group: str, plural: str, kind: str) -> Kind:
    return _builtin(Resource(group, "v1", plural, kind, namespaced=False), verbs=("create",))


_WORKLOAD_SCALE = ScalePaths("spec.replicas", "status.replicas", "status.selector")

# Groups in the order in which a real server tells of them.
BUILTIN: tuple[Kind, ...] = (
    _builtin(r.NAMESPACES, "ns", status=True, verbs=tuple(v for v in ALL_VERBS if v != "deletecollection")),
    _builtin(r.NODES, "no", status=True),
    _builtin(r.PODS, "po", categories=("all",), status=True),
    _builtin(r.SERVICES, "svc", categories=("all",), status=True),
    _builtin(Resource("", "v1", "endpoints", "Endpoints"), "ep"),
    _builtin(r.CONFIGMAPS, "cm"),
    _builtin(r.SECRETS),
    _builtin(r.SERVICEACCOUNTS, "sa"),
    _builtin(r.EVENTS, "ev"),
    _builtin(r.PERSISTENTVOLUMECLAIMS, "pvc", status=True),
    _builtin(Resource("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False), "pv", status=True),
    _builtin(Resource("", "v1", "resourcequotas", "ResourceQuota"), "quota", status=True),
    _builtin(Resource("", "v1", "limitranges", "LimitRange"), "limits"),
    _builtin(r.DEPLOYMENTS, "deploy", categories=("all",), status=True, scale=_WORKLOAD_SCALE),
    _builtin(r.REPLICASETS, "rs", categories=("all",), status=True, scale=_WORKLOAD_SCALE),
    _builtin(Resource("events.k8s.io", "v1", "events", "Event"), "ev", storage_version=False),
    _review("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
    _review("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    _review("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    _builtin(r.NETWORKPOLICIES, "netpol"),
    _rbac("roles", "Role", True),
    _rbac("rolebindings", "RoleBinding", True),
    _rbac("clusterroles", "ClusterRole", False),
    _rbac("clusterrolebindings", "ClusterRoleBinding", False),
    _builtin(r.CUSTOMRESOURCEDEFINITIONS, "crd", "crds", categories=("api-extensions",), status=True),
    _builtin(r.LEASES),
    _builtin(r.ENDPOINTSLICES),
)


@dataclass
class Kinds:
    """Every served kind by its coordinates."""

    by_path: dict[tuple[str, str, str], Kind] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind in BUILTIN:
            self.add(kind)

    def add(self, kind: Kind) -> None:
        self.by_path[kind.resource.group, kind.resource.version, kind.resource.plural] = kind

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self.by_path.get((group, version, plural))

    def of(self, resource: Resource) -> Kind:
        return self.by_path[resource.group, resource.version, resource.plural]

    def of_object(self, api_version: str, kind: str) -> Kind | None:
        group, _, version = api_version.rpartition("/")
        found = (k for k in self.by_path.values() if k.resource.kind == kind and k.resource.version == version)
        return next((k for k in found if k.resource.group == group), None)

    def of_group_kind(self, group: str, kind: str) -> Kind | None:
        found = (k for k in self.by_path.values() if k.resource.kind == kind and k.resource.group == group)
        return next((k for k in found if k.storage_version), None)

    def stored(self) -> Iterable[Kind]:
        """One kind a collection, without reviews, which nobody stores."""
        seen: dict[str, Kind] = {}
        for kind in self.by_path.values():
            if "list" in kind.verbs and (kind.collection not in seen or kind.storage_version):
                seen[kind.collection] = kind
        return seen.values()

    def storage(self, kind: Kind) -> Kind:
        """The version in which objects of this kind are stored."""
        if kind.storage_version:
            return kind
        return next(stored for stored in self.stored() if stored.collection == kind.collection)

    def is_builtin_group(self, group: str) -> bool:
        return any(kind.resource.group == group for kind in BUILTIN)

    def replace_custom(self, kinds: Iterable[Kind]) -> None:
        """The custom kinds are now these."""
        self.by_path = {path: kind for path, kind in self.by_path.items() if not kind.custom}
        for kind in kinds:
            self.add(kind)

    def groups(self) -> dict[str, list[str]]:
        """Served versions by group; the group's storage version first."""
        found: dict[str, list[str]] = {}
        for group, version, _ in self.by_path:
            versions = found.setdefault(group, [])
            if version not in versions:
                versions.append(version)
        return {group: sorted(versions, key=version_rank, reverse=True) for group, versions in found.items()}


def version_rank(version: str) -> tuple[int, int, int]:
    """Kubernetes' order of versions: v2 before v1 before v1beta2 before v1alpha1."""
    import re

    match = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if not match:
        return (-1, 0, 0)
    stability = {None: 2, "beta": 1, "alpha": 0}[match[2]]
    return (stability, int(match[1]), int(match[3] or 0))
