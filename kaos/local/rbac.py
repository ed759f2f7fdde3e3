"""What ServiceAccounts may do: the Roles that are bound to them, and nothing else. The owner of the cluster may do all.

This shows early what another cluster would refuse. It is no wall: pods run with the user's own rights on this machine.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from kaos.kube.resources import SERVICEACCOUNTS, Resource
from kaos.local import options, status
from kaos.local.kinds import Kind
from kaos.local.machinery import Machinery
from kaos.local.patching import APPLY
from kaos.local.paths import ResourcePath

Object = dict[str, Any]
GROUP = "rbac.authorization.k8s.io"
_ROLES = {
    "Role": Resource(GROUP, "v1", "roles", "Role"),
    "ClusterRole": Resource(GROUP, "v1", "clusterroles", "ClusterRole", namespaced=False),
}
_ROLE_BINDINGS = Resource(GROUP, "v1", "rolebindings", "RoleBinding")
_CLUSTER_ROLE_BINDINGS = Resource(GROUP, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get", "HEAD": "get"}


@dataclass(frozen=True)
class Account:
    """A ServiceAccount that asks."""

    namespace: str
    name: str

    @property
    def user(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    @property
    def groups(self) -> list[str]:
        return ["system:serviceaccounts", f"system:serviceaccounts:{self.namespace}", "system:authenticated"]

    def token(self, secret: str) -> str:
        """What it shows; of no use to anyone who lacks the cluster's own token."""
        signed = hmac.new(secret.encode(), self.user.encode(), hashlib.sha256).hexdigest()
        return f"{self.namespace}.{self.name}.{signed}"


def account_of(token: str, secret: str) -> Account | None:
    """Who shows this token; None when it is not one of ours."""
    namespace, _, rest = token.partition(".")
    name, _, _ = rest.rpartition(".")
    account = Account(namespace, name)
    return account if hmac.compare_digest(account.token(secret).encode(), token.encode()) else None


@dataclass(frozen=True)
class Asked:
    """One request, as rules speak of it."""

    verb: str
    group: str
    resource: str  # with its subresource: pods/log
    namespace: str | None
    name: str = ""

    def matches(self, rule: Object) -> bool:
        """Whether a rule grants it."""
        below = self.resource.partition("/")[2]
        named = {"*", self.resource, *([f"*/{below}"] if below else [])}
        return (
            not {"*", self.verb}.isdisjoint(rule.get("verbs") or ())
            and not {"*", self.group}.isdisjoint(rule.get("apiGroups") or ())
            and not named.isdisjoint(rule.get("resources") or ())
            and (not rule.get("resourceNames") or self.name in rule["resourceNames"])
        )


class Rights:
    """Answers from the Roles and bindings of one machinery."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    def check(self, account: Account, request: web.Request, kind: Kind, where: ResourcePath) -> None:
        """Raises ApiStatus 401 for an account that is gone, 403 for what it may not do."""
        if self._machinery.find(SERVICEACCOUNTS, account.namespace, account.name) is None:
            raise status.unauthorized()
        for asked in self._asked(request, kind, where):
            if not self.may(account, asked):
                raise status.forbidden(kind.resource, asked.name, _why(account, asked))

    def _asked(self, request: web.Request, kind: Kind, where: ResourcePath) -> Iterator[Asked]:
        if "list" not in kind.verbs:
            return  # everyone may ask what they may do
        verb = _VERBS.get(request.method, request.method.lower())
        if not where.name and verb in ("get", "delete"):
            watched = where.watch or options.is_true(request.query.get("watch"))
            verb = "deletecollection" if verb == "delete" else "watch" if watched else "list"
        resource = f"{where.plural}/{where.subresource}" if where.subresource else where.plural
        namespace = where.namespace if kind.resource.namespaced else None
        yield Asked(verb, where.group, resource, namespace, where.name)
        applies = verb == "patch" and request.content_type == APPLY and not where.subresource
        if applies and self._machinery.find(kind.resource, namespace, where.name) is None:
            yield Asked("create", where.group, resource, namespace, where.name)

    def may(self, account: Account, asked: Asked) -> bool:
        return any(asked.matches(rule) for rule in self.rules(account, asked.namespace))

    def rules(self, account: Account, namespace: str | None) -> Iterator[Object]:
        """What holds for the account there; without a namespace, in all of them."""
        bindings = self._machinery.list(_CLUSTER_ROLE_BINDINGS)
        if namespace:
            bindings += self._machinery.list(_ROLE_BINDINGS, namespace)
        for binding in bindings:
            if any(_is(subject, account, namespace) for subject in binding.get("subjects") or ()):
                reference = binding["roleRef"]
                within = namespace if reference["kind"] == "Role" else None
                role = self._machinery.find(_ROLES[reference["kind"]], within, reference["name"])
                yield from (role or {}).get("rules") or ()


def _is(subject: Object, account: Account, namespace: str | None) -> bool:
    match subject.get("kind"):
        case "ServiceAccount":
            return (subject.get("namespace") or namespace, subject["name"]) == (account.namespace, account.name)
        case "User":
            return subject["name"] == account.user
        case "Group":
            return subject["name"] in account.groups
    return False


def _why(account: Account, asked: Asked) -> str:
    place = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    return f'User "{account.user}" cannot {asked.verb} resource "{asked.resource}" in API group "{asked.group}" {place}'
