"""Who asks: the holder of the token, or a ServiceAccount; from this machine, not from a web page."""

from __future__ import annotations

import hmac
import re
from dataclasses import replace
from typing import Any

from aiohttp import web

from kaos.kube import times
from kaos.local import status
from kaos.local.kinds import Kind
from kaos.local.rbac import Account, Asked, Rights, account_of
from kaos.local.schema import invalid

USER = "kaos-local"
GROUPS = ["system:masters", "system:authenticated"]
OPEN_PATHS = {"/livez", "/readyz", "/healthz", "/version"}
_IMPERSONATED = re.compile(r"system:serviceaccount:([^:]+):([^:]+)")
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]", "kubernetes.default.svc"}


def check(request: web.Request, token: str) -> Account | None:
    """The ServiceAccount that asks; None is the owner, who may do all, also ask in the name of a ServiceAccount.

    Raises ApiStatus 403 for a foreign Host or Origin, 401 without a token.
    """
    host = request.headers.get("Host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name not in _LOOPBACK:
        raise status.refused(f"Host {host!r} is not this cluster: it answers on the loopback interface only")
    if "Origin" in request.headers:
        raise status.refused("requests from web pages are refused")
    if request.path.split("/", 2)[1] in {path[1:] for path in OPEN_PATHS}:
        return None
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer":
        raise status.unauthorized()
    if hmac.compare_digest(given.encode(), token.encode()):
        found = _IMPERSONATED.fullmatch(request.headers.get("Impersonate-User", ""))
        return Account(found[1], found[2]) if found else None
    if account := account_of(given, token):
        return account
    raise status.unauthorized()


def review(kind: Kind, body: dict[str, Any], account: Account | None, rights: Rights) -> dict[str, Any]:
    """The answer to a self review: the owner may do everything. Raises ApiStatus 422."""
    identity = {"kind": kind.resource.kind, "apiVersion": kind.resource.api_version}
    answer = {**identity, "metadata": body.get("metadata") or {}, "spec": body.get("spec") or {}}
    match kind.resource.kind:
        case "SelfSubjectAccessReview":
            _check_question(kind, answer["spec"])
            answer["status"] = {"allowed": account is None or _allowed(account, rights, answer["spec"])}
        case "SelfSubjectRulesReview":
            everything = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
            urls = [{"verbs": ["get" if account else "*"], "nonResourceURLs": ["*"]}]
            rules = list(rights.rules(account, answer["spec"].get("namespace"))) if account else everything
            answer["spec"] = {}
            answer["status"] = {"resourceRules": rules, "nonResourceRules": urls, "incomplete": False}
        case "SelfSubjectReview":
            del answer["spec"]
            answer["metadata"] = {"creationTimestamp": times.now()}
            answer["status"] = {
                "userInfo": {"username": account.user, "groups": account.groups}
                if account
                else {"username": USER, "groups": GROUPS}
            }
    return answer


def _allowed(account: Account, rights: Rights, spec: dict[str, Any]) -> bool:
    if "nonResourceAttributes" in spec:
        return spec["nonResourceAttributes"].get("verb") == "get"
    asked = spec["resourceAttributes"]
    resource = "/".join(part for part in (asked.get("resource"), asked.get("subresource")) if part)
    return rights.may(
        account,
        Asked(asked.get("verb", ""), asked.get("group", ""), resource, asked.get("namespace"), asked.get("name", "")),
    )


def _check_question(kind: Kind, spec: dict[str, Any]) -> None:
    if ("resourceAttributes" in spec) != ("nonResourceAttributes" in spec):
        return
    detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
    nameless = replace(kind.resource, kind="")
    raise status.invalid(nameless, "", [invalid("spec.resourceAttributes", None, detail)])
