"""Rights on the cluster for an MCPServer: a ServiceAccount that it may use, and what this account may do.

`plan` says what should be, without asking anybody; `apply` makes it so, and takes away what an earlier plan gave.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kaos.actions import apply as applying
from kaos.actions.refusals import explain, explained
from kaos.actions.rights import READ, VERBS, Rule
from kaos.actions.served import Served, named
from kaos.api.names import ALLOW_ANNOTATION, PART_OF, child_name
from kaos.cluster import ApiError, Client
from kaos.errors import Forbidden, KaosError, NotFound, UsageError
from kaos.kube.names import is_dns_label, nearest
from kaos.kube.resources import NAMESPACES, SERVICEACCOUNTS, Resource

Object = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"
ROLES = Resource(RBAC, "v1", "roles", "Role")
ROLEBINDINGS = Resource(RBAC, "v1", "rolebindings", "RoleBinding")
CLUSTERROLES = Resource(RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTERROLEBINDINGS = Resource(RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)
KINDS = {kind.kind: kind for kind in (SERVICEACCOUNTS, ROLES, ROLEBINDINGS, CLUSTERROLES, CLUSTERROLEBINDINGS)}
# On everything made here: whose it is. A name alone does not tell once several namespaces are involved.
ACCOUNT_LABEL = "kaos.tools/account"
ACCOUNT_NAMESPACE_LABEL = "kaos.tools/account-namespace"
# What a server that looks at a cluster looks at; of these a cluster without one is given the others.
DEFAULT_RESOURCES = (
    "pods", "services", "events", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs",
)  # fmt: skip
DEFAULT_CLUSTER_RESOURCES = ("namespaces", "nodes")
REMOVED = "removed"
OnOutcome = Callable[[applying.Outcome], None]


@dataclass(frozen=True)
class Request:
    """What a person asks for; what is empty is as the documented defaults have it."""

    name: str
    namespace: str
    namespaces: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    read_only: bool = False
    cluster_wide: bool = False
    servers: tuple[str, ...] = ()  # the MCPServers that may use the account; none: that of this name


@dataclass(frozen=True)
class Plan:
    """What should be."""

    account: str
    namespace: str
    servers: tuple[str, ...]
    rules: tuple[Rule, ...]
    namespaces: tuple[str, ...]  # of the Roles; none: a ClusterRole

    @property
    def role(self) -> str:
        """Names of a cluster are everybody's, so that of a ClusterRole names the namespace too."""
        return self.account if self.namespaces else cluster_name(self.account, self.namespace)

    @property
    def objects(self) -> list[Object]:
        """In the order in which they are made."""
        return [self._service_account(), *self._roles(), *self._bindings()]

    def _service_account(self) -> Object:
        found = _object(SERVICEACCOUNTS, self.account, self._labels, self.namespace)
        allowed = ",".join(f"mcpserver/{server}" for server in self.servers)
        found["metadata"]["annotations"] = {ALLOW_ANNOTATION: allowed}
        return found

    def _roles(self) -> Iterator[Object]:
        for resource, namespace in self._places(ROLES, CLUSTERROLES):
            rules = [rule.manifest for rule in self.rules]
            yield _object(resource, self.role, self._labels, namespace) | {"rules": rules}

    def _bindings(self) -> Iterator[Object]:
        subject = {"kind": "ServiceAccount", "name": self.account, "namespace": self.namespace}
        for resource, namespace in self._places(ROLEBINDINGS, CLUSTERROLEBINDINGS):
            kind = resource.kind.removesuffix("Binding")
            reference = {"apiGroup": RBAC, "kind": kind, "name": self.role}
            yield _object(resource, self.role, self._labels, namespace) | {"roleRef": reference, "subjects": [subject]}

    def _places(self, in_namespace: Resource, in_cluster: Resource) -> list[tuple[Resource, str | None]]:
        return [(in_namespace, namespace) for namespace in self.namespaces] or [(in_cluster, None)]

    @property
    def _labels(self) -> dict[str, str]:
        return {PART_OF: "kaos", ACCOUNT_LABEL: self.account, ACCOUNT_NAMESPACE_LABEL: self.namespace}


def account_name(server: str) -> str:
    """`mcpserver-<name>`."""
    return child_name("MCPServer", server)


def cluster_name(account: str, namespace: str) -> str:
    """`mcpserver-<namespace>-<name>`."""
    return child_name("MCPServer", f"{namespace}-{account.removeprefix(account_name(''))}")


def _object(resource: Resource, name: str, labels: dict[str, str], namespace: str | None) -> Object:
    meta: Object = {"name": name} | ({"namespace": namespace} if namespace else {}) | {"labels": labels}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta}


def plan(request: Request, known: Iterable[Served]) -> Plan:
    """What should be, going by what the cluster serves. Raises UsageError for what contradicts itself."""
    account = account_name(request.name)
    if not is_dns_label(account):
        raise UsageError(
            f"{request.name!r} cannot be the name of an MCPServer.",
            "Use at most 53 lower-case letters, digits and inner hyphens.",
        )
    if request.cluster_wide and request.namespaces:
        raise UsageError("--cluster-wide is every namespace, --namespaces only some.", "Leave out one of them.")
    for name in (request.namespace, *request.namespaces):
        if not is_dns_label(name):
            raise UsageError(f"{name!r} cannot be a namespace.", "Use lower-case letters, digits and inner hyphens.")
    for server in request.servers:
        if server != "*" and not is_dns_label(server):
            raise UsageError(f"{server!r} cannot be the name of an MCPServer.", "Or all of the namespace: '*'")
    wanted = tuple(dict.fromkeys(request.namespaces)) or (request.namespace,)
    return Plan(
        account,
        request.namespace,
        tuple(dict.fromkeys(request.servers)) or (request.name,),
        tuple(_rules(request, tuple(known))),
        () if request.cluster_wide else wanted,
    )


def _rules(request: Request, known: tuple[Served, ...]) -> list[Rule]:
    """One a group, in the order in which they were named; logs of pods may be read where pods may."""
    verbs = _verbs(request)
    by_group: dict[str, list[str]] = {}
    for resource, name in _resources(request, known):
        names = by_group.setdefault(resource.group, [])
        if name not in names:
            names.append(name)
    found = [Rule(group, tuple(names), verbs) for group, names in by_group.items()]
    core = by_group.get("", [])
    if "pods" in core and "pods/log" not in core and {"get", "*"} & set(verbs):
        found.append(Rule("", ("pods/log",), ("get",)))
    return found


def _verbs(request: Request) -> tuple[str, ...]:
    verbs = tuple(dict.fromkeys(verb.lower() for verb in request.verbs)) or READ
    for verb in verbs:
        if verb not in VERBS:
            like = nearest(verb, VERBS)
            hint = f"Did you mean {like}?" if like else f"There are: {', '.join(VERBS)}"
            raise UsageError(f"There is no verb {verb!r}.", hint)
    if request.read_only and (more := [verb for verb in verbs if verb not in READ]):
        raise UsageError(f"--read-only does not go with --verbs {','.join(more)}.", "Leave out one of them.")
    return verbs


def _resources(request: Request, known: tuple[Served, ...]) -> Iterator[tuple[Served, str]]:
    if not request.resources:
        more = DEFAULT_CLUSTER_RESOURCES if request.cluster_wide else ()
        served = {one.plural for one in known}
        yield from (named(word, known) for word in (*DEFAULT_RESOURCES, *more) if word in served)
        return
    for word in request.resources:
        if word == "*":
            yield Served("*", "*", True), "*"
            continue
        found, name = named(word, known)
        if not (found.namespaced or request.cluster_wide):
            raise UsageError(
                f"{found.plural} belong to no namespace, so that no Role can grant them.",
                "If it is meant: --cluster-wide",
            )
        yield found, name


# Making it so.


def apply(client: Client, wanted: Plan, on_outcome: OnOutcome = lambda outcome: None) -> list[applying.Outcome]:
    """Make the cluster so. Again and again does no harm; what an earlier plan for this account gave besides is gone.

    Raises KaosError before anything is written when a namespace is missing, something of this name is another's, or
    a right is lacking.
    """
    _check(client, wanted)
    outcomes = []
    for obj in wanted.objects:
        outcome = applying.apply_object(client, obj, None, KINDS[obj["kind"]])
        outcomes.append(outcome)
        on_outcome(outcome)
    for resource, obj in left_over(client, wanted):
        name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace")
        with explained(client, resource, name, namespace):
            client.delete(resource, name, namespace)
        outcomes.append(applying.Outcome(resource.kind, name, namespace, REMOVED))
        on_outcome(outcomes[-1])
    return outcomes


def _check(client: Client, wanted: Plan) -> None:
    for namespace in dict.fromkeys((wanted.namespace, *wanted.namespaces)):
        try:
            missing = client.find(NAMESPACES, namespace) is None
        except ApiError as refused:
            if refused.code != 403:
                raise
            missing = False  # not ours to see; what is written next tells
        if missing:
            raise NotFound(f"There is no namespace {namespace}.", f"Make it: kubectl create namespace {namespace}")
    for obj in wanted.objects:
        resource, meta = KINDS[obj["kind"]], obj["metadata"]
        with _granting(client, resource, meta["name"], meta.get("namespace")):
            found = client.find(resource, meta["name"], meta.get("namespace"))
            if found is not None and not _is_of(found, wanted):
                raise KaosError(
                    f"{resource.kind} {meta['name']} exists and is not of this account.",
                    "Choose another --name, or delete it if nobody needs it.",
                )
            # A binding is refused where its Role is not there yet: only what comes before can be tried.
            if not resource.kind.endswith("Binding"):
                client.apply(resource, obj, meta.get("namespace"), dry_run=True)


def _is_of(obj: Object, wanted: Plan) -> bool:
    labels = obj["metadata"].get("labels") or {}
    return (labels.get(ACCOUNT_LABEL), labels.get(ACCOUNT_NAMESPACE_LABEL)) == (wanted.account, wanted.namespace)


@contextlib.contextmanager
def _granting(client: Client, resource: Resource, name: str, namespace: str | None) -> Iterator[None]:
    """Nobody can grant what they do not have: a refusal because of that says which right it is."""
    try:
        yield
    except ApiError as refused:
        if refused.code != 403 or "attempting to grant" not in refused.message:
            raise explain(refused, client, resource, name, namespace) from refused
        lacking = " ".join(refused.message.partition("not currently held:")[2].split())
        raise Forbidden(
            f"You cannot grant rights that you do not have yourself: {lacking}.",
            "Grant less, or let somebody do it who has them: --dry-run prints the manifests.",
        ) from refused


def left_over(client: Client, wanted: Plan) -> list[tuple[Resource, Object]]:
    """What was given to this account before and is not asked for now; bindings first, so that rights end at once."""
    kept = {(obj["kind"], obj["metadata"].get("namespace"), obj["metadata"]["name"]) for obj in wanted.objects}
    return [
        (resource, obj)
        for resource in (ROLEBINDINGS, CLUSTERROLEBINDINGS, ROLES, CLUSTERROLES)
        for obj in _given(client, resource, wanted)
        if (resource.kind, obj["metadata"].get("namespace"), obj["metadata"]["name"]) not in kept
    ]


def _given(client: Client, resource: Resource, wanted: Plan) -> list[Object]:
    """All of this kind that were made for the account, as far as one may look."""
    labels = f"{ACCOUNT_LABEL}={wanted.account},{ACCOUNT_NAMESPACE_LABEL}={wanted.namespace}"
    try:
        return client.list(resource, None, labels=labels).items
    except ApiError as refused:
        if refused.code != 403:
            raise
    if not resource.namespaced:
        return []
    places = dict.fromkeys((wanted.namespace, *wanted.namespaces))
    return [obj for namespace in places for obj in client.list(resource, namespace, labels=labels).items]
