"""Failures of the API, as Kubernetes' `Status` objects, worded as the real server words them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kaos.kube.resources import Resource
from kaos.local.schema import FieldError


class ApiStatus(Exception):
    """A request that failed: HTTP code, reason, message and details."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def body(self) -> dict[str, Any]:
        status: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        status["message"] = self.message
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        return status | {"code": self.code}


def _qualified(resource: Resource) -> str:
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def _details(resource: Resource, name: str, **more: Any) -> dict[str, Any]:
    group = {"group": resource.group} if resource.group else {}
    named = {"name": name} if name else {}
    return {**named, **group, "kind": resource.plural, **more}


def not_found(resource: Resource, name: str) -> ApiStatus:
    return ApiStatus(404, "NotFound", f'{_qualified(resource)} "{name}" not found', _details(resource, name))


def no_such_path() -> ApiStatus:
    return ApiStatus(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: Resource, name: str) -> ApiStatus:
    return ApiStatus(409, "AlreadyExists", f'{_qualified(resource)} "{name}" already exists', _details(resource, name))


def conflict(resource: Resource, name: str, why: str = "") -> ApiStatus:
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {_qualified(resource)} "{name}": {why}'
    return ApiStatus(409, "Conflict", message, _details(resource, name))


def apply_conflict(message: str, causes: list[dict[str, str]]) -> ApiStatus:
    return ApiStatus(409, "Conflict", message, {"causes": causes})


def invalid(resource: Resource, name: str, errors: Sequence[FieldError]) -> ApiStatus:
    texts = [f"{error.field}: {error.message}" for error in errors]
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    group = {"group": resource.group} if resource.group else {}
    details = {"name": name, **group, "kind": resource.kind, "causes": [error.cause() for error in errors]}
    return ApiStatus(422, "Invalid", f'{kind} "{name}" is invalid: {listed}', details)


def bad_request(message: str) -> ApiStatus:
    return ApiStatus(400, "BadRequest", message)


def forbidden(resource: Resource, name: str, why: str, causes: list[dict[str, str]] | None = None) -> ApiStatus:
    details = _details(resource, name, **({"causes": causes} if causes else {}))
    return ApiStatus(403, "Forbidden", f'{_qualified(resource)} "{name}" is forbidden: {why}', details)


def refused(message: str) -> ApiStatus:
    """A request that no object is part of: a foreign Host or Origin."""
    return ApiStatus(403, "Forbidden", message)


def unauthorized() -> ApiStatus:
    return ApiStatus(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> ApiStatus:
    message = "the server does not allow this method on the requested resource"
    return ApiStatus(405, "MethodNotAllowed", message, {})


def expired(oldest: int, asked: int) -> ApiStatus:
    return ApiStatus(410, "Expired", f"too old resource version: {asked} ({oldest})")


def expired_continue() -> ApiStatus:
    message = (
        "The provided continue parameter is too old to display a consistent list result. "
        "You must start a new list without the continue parameter."
    )
    return ApiStatus(410, "Expired", message)


def too_large_version(asked: int, current: int) -> ApiStatus:
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return ApiStatus(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1})


def unsupported_media_type(given: str, accepted: Sequence[str]) -> ApiStatus:
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return ApiStatus(415, "UnsupportedMediaType", message)


def not_acceptable(accepted: Sequence[str]) -> ApiStatus:
    message = f"only the following media types are accepted: {', '.join(accepted)}"
    return ApiStatus(406, "NotAcceptable", message)


def too_large() -> ApiStatus:
    return ApiStatus(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")


def unavailable(message: str) -> ApiStatus:
    return ApiStatus(503, "ServiceUnavailable", message)


def storage_failed(message: str) -> ApiStatus:
    return ApiStatus(507, "InternalError", message)


def internal(message: str) -> ApiStatus:
    return ApiStatus(500, "InternalError", f"Internal error occurred: {message}")


def not_implemented(what: str) -> ApiStatus:
    return ApiStatus(501, "NotImplemented", f"the local cluster does not offer {what}; it needs a real cluster", {})
