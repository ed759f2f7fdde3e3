"""Who may ask: the holder of the token, from this machine, not from a web page."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Any

from aiohttp import web

from kaos.kube import times
from kaos.local import status
from kaos.local.kinds import Kind
from kaos.local.schema import invalid

USER = "kaos-local"
GROUPS = ["system:masters", "system:authenticated"]
OPEN_PATHS = {"/livez", "/readyz", "/healthz", "/version"}
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]", "kubernetes.default.svc"}


def check(request: web.Request, token: str) -> None:
    """Raises ApiStatus 403 for a foreign Host or Origin, 401 without the token."""
    host = request.headers.get("Host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name not in _LOOPBACK:
        raise status.refused(f"Host {host!r} is not this cluster: it answers on the loopback interface only")
    if "Origin" in request.headers:
        raise status.refused("requests from web pages are refused")
    if request.path.split("/", 2)[1] in {path[1:] for path in OPEN_PATHS}:
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not hmac.compare_digest(given.encode(), token.encode()):
        raise status.unauthorized()


def review(kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a self review: the one user may do everything. Raises ApiStatus 422."""
    identity = {"kind": kind.resource.kind, "apiVersion": kind.resource.api_version}
    answer = {**identity, "metadata": body.get("metadata") or {}, "spec": body.get("spec") or {}}
    match kind.resource.kind:
        case "SelfSubjectAccessReview":
            _check_question(kind, answer["spec"])
            answer["status"] = {"allowed": True}
        case "SelfSubjectRulesReview":
            answer["spec"] = {}
            answer["status"] = {
                "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                "incomplete": False,
            }
        case "SelfSubjectReview":
            del answer["spec"]
            answer["metadata"] = {"creationTimestamp": times.now()}
            answer["status"] = {"userInfo": {"username": USER, "groups": GROUPS}}
    return answer


def _check_question(kind: Kind, spec: dict[str, Any]) -> None:
    if ("resourceAttributes" in spec) != ("nonResourceAttributes" in spec):
        return
    detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
    nameless = replace(kind.resource, kind="")
    raise status.invalid(nameless, "", [invalid("spec.resourceAttributes", None, detail)])
