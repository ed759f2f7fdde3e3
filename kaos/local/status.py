"""Failures of the API, as Kubernetes' `Status` objects, worded as the real server words them."""

from __future__ import annotations

import json
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


class PageNotFound(ApiStatus):
    """A path that belongs to no API: a real server answers it with plain text."""

    def __init__(self) -> None:
        super().__init__(404, "NotFound", "404 page not found\n")


def no_such_path(plain: bool = False) -> ApiStatus:
    if plain:
        return PageNotFound()
    return ApiStatus(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: Resource, name: str, present: dict[str, Any]) -> ApiStatus:
    going = "object is being deleted: " if present["metadata"].get("deletionTimestamp") else ""
    message = f'{going}{_qualified(resource)} "{name}" already exists'
    return ApiStatus(409, "AlreadyExists", message, _details(resource, name))


def conflict(resource: Resource, name: str, why: str = "") -> ApiStatus:
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {_qualified(resource)} "{name}": {why}'
    return ApiStatus(409, "Conflict", message, _details(resource, name))


def other_uid(resource: Resource, name: str, key: str, asked: str, held: str) -> ApiStatus:
    why = (
        f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
        f"Precondition failed: UID in precondition: {asked}, UID in object meta: {held}"
    )
    return conflict(resource, name, why)


def no_such_uid(resource: Resource, name: str, asked: str) -> ApiStatus:
    why = f"uid mismatch: the provided object specified uid {asked}, and no existing object was found"
    return conflict(resource, name, why)


def apply_conflict(message: str, causes: list[dict[str, str]]) -> ApiStatus:
    return ApiStatus(409, "Conflict", message, {"causes": causes})


def not_mergeable(applied: dict[str, Any], problem: str) -> ApiStatus:
    meta = applied.get("metadata") or {}
    api_version = str(applied.get("apiVersion", ""))
    shown = api_version if "/" in api_version else f"/{api_version}"
    what = f"{meta.get('namespace', '')}/{meta.get('name', '')}; {shown}, Kind={applied.get('kind', '')}"
    return ApiStatus(500, "", f"failed to create typed patch object ({what}): {problem}")


def invalid(resource: Resource, name: str, errors: Sequence[FieldError]) -> ApiStatus:
    return _invalid(resource.group, resource.kind, name, errors)


def invalid_options(kind: str, errors: Sequence[FieldError]) -> ApiStatus:
    return _invalid("meta.k8s.io", kind, "", errors)


def bad_patch(document: str, problem: str) -> ApiStatus:
    message = f"Invalid value: {json.dumps(document)}: {problem}"
    return _invalid("", "", "", [FieldError("patch", "FieldValueInvalid", message)])


def bad_scale(name: str, errors: Sequence[FieldError]) -> ApiStatus:
    return _invalid("autoscaling", "Scale", name, errors)


def version_needed(resource: Resource, name: str) -> ApiStatus:
    message = "Invalid value: 0: must be specified for an update"
    error = FieldError("metadata.resourceVersion", "FieldValueInvalid", message)
    return _invalid(resource.group, resource.plural, name, [error])


def _invalid(group: str, kind: str, name: str, errors: Sequence[FieldError]) -> ApiStatus:
    texts = [f"{error.field}: {error.message}" for error in errors]
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    told = {"name": name, "group": group, "kind": kind}
    details = {key: value for key, value in told.items() if value} | {"causes": [error.cause() for error in errors]}
    what = f"{kind}.{group}" if group else kind
    return ApiStatus(422, "Invalid", f'{what} "{name}" is invalid: {listed}', details)


class Undecodable(ApiStatus):
    """A body that does not fit its kind; `problem` is what is wrong with it."""

    def __init__(self, resource: Resource, problem: str) -> None:
        self.problem = problem
        name, version = resource.kind, resource.version
        super().__init__(400, "BadRequest", f'{name} in version "{version}" cannot be handled as a {name}: {problem}')


def undecodable(resource: Resource, problem: str) -> Undecodable:
    return Undecodable(resource, problem)


def other_name(given: str, asked: str) -> ApiStatus:
    return bad_request(f"the name of the object ({given}) does not match the name on the URL ({asked})")


def version_on_create() -> ApiStatus:
    return ApiStatus(500, "", "resourceVersion should not be set on objects to be created")


def terminating(resource: Resource) -> ApiStatus:
    message = "create not allowed while custom resource definition is terminating"
    return ApiStatus(405, "MethodNotAllowed", message, _details(resource, ""))


def unsupported(resource: Resource, verb: str) -> ApiStatus:
    message = f'{verb} is not supported on resources of kind "{_qualified(resource)}"'
    return ApiStatus(405, "MethodNotAllowed", message, _details(resource, ""))


def bad_request(message: str) -> ApiStatus:
    return ApiStatus(400, "BadRequest", message)


def forbidden(resource: Resource, name: str, why: str, causes: list[dict[str, str]] | None = None) -> ApiStatus:
    details = _details(resource, name, **({"causes": causes} if causes else {}))
    named = f' "{name}"' if name else ""
    return ApiStatus(403, "Forbidden", f"{_qualified(resource)}{named} is forbidden: {why}", details)


def refused(message: str) -> ApiStatus:
    """A request that no object is part of: a foreign Host or Origin."""
    return ApiStatus(403, "Forbidden", message)


def unauthorized() -> ApiStatus:
    return ApiStatus(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> ApiStatus:
    message = "the server does not allow this method on the requested resource"
    return ApiStatus(405, "MethodNotAllowed", message, {})


def rejected() -> ApiStatus:
    message = "the server rejected our request due to an error in our request"
    return ApiStatus(422, "Invalid", message, {})


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


def unsupported_media_type(accepted: Sequence[str]) -> ApiStatus:
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return ApiStatus(415, "UnsupportedMediaType", message)


def unsupported_media() -> ApiStatus:
    return ApiStatus(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


_MEDIA = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_STREAMS = ("application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch")


def not_acceptable(known: bool) -> ApiStatus:
    """`known`: a media type that is spoken was asked for, though not in a shape that is."""
    if known:
        message = f"only the following media types are accepted: {', '.join(_MEDIA)}"
        return ApiStatus(406, "NotAcceptable", message)
    message = f"406: Not Acceptable\n\nAvailable representations: {', '.join((*_MEDIA, *_STREAMS))}"
    return ApiStatus(406, "NotAcceptable", message, {})


def not_a_list(shape: str, resource: Resource) -> ApiStatus:
    what = f"you requested {shape}, but the requested object is not a list (*{_go_type(resource)})"
    return ApiStatus(406, "NotAcceptable", what)


def is_a_list(shape: str, resource: Resource) -> ApiStatus:
    what = f"you requested {shape}, but the requested object is a list (*{_go_type(resource)}List)"
    return ApiStatus(406, "NotAcceptable", what)


def _go_type(resource: Resource) -> str:
    return f"{resource.group.partition('.')[0] or 'core'}.{resource.kind}"


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
