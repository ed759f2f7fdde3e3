"""Which account a resource has, and what that account may do: read from the Roles that are bound to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kaos.actions.rbac import CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES
from kaos.actions.rights import Risk, Rule, by_danger, rules_of
from kaos.api.names import ALLOW_ANNOTATION
from kaos.cluster import ApiError, Client
from kaos.kube.resources import SERVICEACCOUNTS, Resource

Object = dict[str, Any]


@dataclass(frozen=True)
class Grant:
    """One rule that holds for an account."""

    rule: Rule
    risks: tuple[Risk, ...]
    namespace: str | None  # None: everywhere
    by: str  # Role or ClusterRole, and its name


@dataclass(frozen=True)
class AccountRights:
    """What an account may do; the most dangerous first."""

    name: str
    exists: bool
    allows: tuple[str, ...]  # mcpserver/NAME, of those that may use it
    grants: tuple[Grant, ...]
    complete: bool  # whether all bindings could be read

    def lets(self, kind: str, name: str) -> bool:
        return bool({f"{kind}/{name}", f"{kind}/*"} & set(self.allows))


def account_of(server: Object) -> str:
    """The ServiceAccount that a resource's pods run as; empty when they have none."""
    spec = server.get("spec") or {}
    pod = spec.get("podSpec") or {}
    return pod.get("serviceAccountName") or spec.get("serviceAccountName") or ""


def rights_of(client: Client, account: str, namespace: str) -> AccountRights:
    """What is bound to the account, as far as one may look."""
    found = client.find(SERVICEACCOUNTS, account, namespace)
    text = ((found or {}).get("metadata", {}).get("annotations") or {}).get(ALLOW_ANNOTATION, "")
    everywhere, wide = _bindings(client, CLUSTERROLEBINDINGS, None), True
    some = _bindings(client, ROLEBINDINGS, None)
    if some is None:
        some, wide = _bindings(client, ROLEBINDINGS, namespace), False
    grants = [
        grant
        for binding in [*(everywhere or ()), *(some or ())]
        if _is_bound(binding, account, namespace)
        for grant in _grants(client, binding)
    ]
    ordered = {id(grant.rule): grant for grant in grants}
    return AccountRights(
        account,
        found is not None,
        tuple(word.strip() for word in text.split(",") if word.strip()),
        tuple(ordered[id(rule)] for rule, _ in by_danger(grant.rule for grant in grants)),
        wide and everywhere is not None,
    )


def _bindings(client: Client, resource: Resource, namespace: str | None) -> list[Object] | None:
    """None when one may not look."""
    try:
        return client.list(resource, namespace).items
    except ApiError as refused:
        if refused.code != 403:
            raise
        return None


def _is_bound(binding: Object, account: str, namespace: str) -> bool:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    for subject in binding.get("subjects") or ():
        match subject.get("kind"):
            case "ServiceAccount":
                where = subject.get("namespace") or binding["metadata"].get("namespace")
                if (where, subject["name"]) == (namespace, account):
                    return True
            case "User" if subject["name"] == f"system:serviceaccount:{namespace}:{account}":
                return True
            case "Group" if subject["name"] in groups:
                return True
    return False


def _grants(client: Client, binding: Object) -> list[Grant]:
    reference, namespace = binding["roleRef"], binding["metadata"].get("namespace")
    resource = ROLES if reference["kind"] == "Role" else CLUSTERROLES
    try:
        role = client.find(resource, reference["name"], namespace if resource is ROLES else None)
    except ApiError as refused:
        if refused.code != 403:
            raise
        role = None
    by = f"{reference['kind']} {reference['name']}"
    return [Grant(rule, tuple(risks), namespace, by) for rule, risks in by_danger(rules_of(role or {"rules": []}))]
