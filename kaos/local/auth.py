"""Who may ask: the holder of the token, from this machine, not from a web page."""

from __future__ import annotations

import hmac
from typing import Any

from aiohttp import web

from kaos.local import status

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


def review(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a self review: the one user may do everything."""
    answer = {**body, "metadata": {"creationTimestamp": None, **(body.get("metadata") or {})}}
    match kind:
        case "SelfSubjectAccessReview":
            answer["status"] = {"allowed": True, "reason": "the local cluster has one user, who may do everything"}
        case "SelfSubjectRulesReview":
            answer["status"] = {
                "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                "incomplete": False,
            }
        case "SelfSubjectReview":
            answer["status"] = {"userInfo": {"username": USER, "groups": GROUPS}}
    return answer
