"""Query parameters and delete options, checked as a real server checks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from kaos.local import decoding, status
from kaos.local.requests import DeleteOptions, Request
from kaos.local.schema import FieldError, not_supported, required

Object = dict[str, Any]
Query = Mapping[str, str]

_MANAGER_LIMIT = 128
_POLICIES = ("Foreground", "Background", "Orphan")


def is_true(text: str | None) -> bool:
    """As Go reads a boolean parameter: given at all, unless it says no."""
    return text is not None and text.lower() not in ("false", "0")


def number(query: Query, name: str) -> int | None:
    """A whole number, None when it is not given. Raises ApiStatus 400."""
    text = query.get(name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def for_write(request: web.Request, duplicates: list[str], kind: str, *, forced: bool = False) -> Request:
    """How a write is asked for; `kind` names the options (CreateOptions, ...). Raises ApiStatus 422."""
    query = request.query
    errors = []
    dry_run = query.getall("dryRun", [])
    if any(value not in ("", "All") for value in dry_run):
        errors.append(not_supported("dryRun", dry_run, "All"))
    validation = query.get("fieldValidation", "")
    if validation not in ("", "Ignore", "Warn", "Strict"):
        errors.append(not_supported("fieldValidation", validation, "", "Ignore", "Strict", "Warn"))
    manager = query.get("fieldManager", "")
    if len(manager) > _MANAGER_LIMIT:
        message = f"Too long: may not be more than {_MANAGER_LIMIT} bytes"
        errors.append(FieldError("fieldManager", "FieldValueTooLong", message))
    if forced and "force" in query:
        message = "Forbidden: may not be specified for non-apply patch"
        errors.append(FieldError("force", "FieldValueForbidden", message))
    if errors:
        raise status.invalid_options(kind, errors)
    manager = manager or request.headers.get("User-Agent", "").split("/")[0] or "unknown"
    return Request(manager[:_MANAGER_LIMIT], "All" in dry_run, validation or "Warn", tuple(duplicates))


def for_apply(request: web.Request) -> Request:
    """How an apply is asked for. Raises ApiStatus 422 when it names no field manager."""
    if not request.query.get("fieldManager"):
        raise status.invalid_options("PatchOptions", [required("fieldManager", "is required for apply patch")])
    return for_write(request, [], "PatchOptions")


def check_list(query: Query) -> None:
    """Raises ApiStatus for parameters that do not go together in a list."""
    errors = []
    match, version = query.get("resourceVersionMatch", ""), query.get("resourceVersion", "")
    if match:
        if not version:
            errors.append(_forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if query.get("continue"):
            errors.append(_forbidden("resourceVersionMatch is forbidden when continue is provided"))
        if match not in ("Exact", "NotOlderThan"):
            errors.append(not_supported("resourceVersionMatch", match, "Exact", "NotOlderThan", ""))
        if match == "Exact" and version == "0":
            errors.append(_forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if "sendInitialEvents" in query:
        message = "Forbidden: sendInitialEvents is forbidden for list"
        errors.append(FieldError("sendInitialEvents", "FieldValueForbidden", message))
    if errors:
        raise status.invalid_options("ListOptions", errors)
    if query.get("continue") and version not in ("", "0"):
        raise status.bad_request("specifying resource version is not allowed when using continue")
    if version and not version.isdecimal():
        raise status.bad_request(f"invalid resource version: {_not_a_version(version)}")


def check_watch(query: Query) -> None:
    """Raises ApiStatus for parameters that do not go together in a watch."""
    errors = []
    match, version = query.get("resourceVersionMatch", ""), query.get("resourceVersion", "")
    if "sendInitialEvents" in query and match != "NotOlderThan":
        errors.append(_forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
    if match and "sendInitialEvents" not in query:
        errors.append(_forbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"))
    if match not in ("", "NotOlderThan"):
        errors.append(not_supported("resourceVersionMatch", match, "NotOlderThan"))
    if errors:
        raise status.invalid_options("ListOptions", errors)
    if version and not version.isdecimal():
        raise status.ApiStatus(500, "", _not_a_version(version))


def _forbidden(why: str) -> FieldError:
    return FieldError("resourceVersionMatch", "FieldValueForbidden", f"Forbidden: {why}")


def _not_a_version(text: str) -> str:
    return f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'


async def for_delete(request: web.Request) -> DeleteOptions:
    """How a deletion is asked for, in the body or the query. Raises ApiStatus."""
    body = await _delete_body(request)
    query = request.query
    policy = body.get("propagationPolicy") or query.get("propagationPolicy")
    orphan = body.get("orphanDependents", is_true(query["orphanDependents"]) if "orphanDependents" in query else None)
    errors = []
    if policy is not None and orphan is not None:
        message = f'Invalid value: "{policy}": orphanDependents and deletionPropagation cannot be both set'
        errors.append(FieldError("propagationPolicy", "FieldValueInvalid", message))
    elif policy is not None and policy not in _POLICIES:
        errors.append(not_supported("propagationPolicy", policy, *_POLICIES, "nil"))
    dry_run = body.get("dryRun") or query.getall("dryRun", [])
    if any(value not in ("", "All") for value in dry_run):
        errors.append(not_supported("dryRun", dry_run, "All"))
    if errors:
        raise status.invalid_options("DeleteOptions", errors)
    grace_s = body.get("gracePeriodSeconds")
    preconditions = body.get("preconditions") or {}
    return DeleteOptions(
        propagation=policy or {True: "Orphan", False: "Background", None: None}[orphan],
        grace_period_s=number(query, "gracePeriodSeconds") if grace_s is None else int(grace_s),
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
        dry_run="All" in dry_run,
    )


async def _delete_body(request: web.Request) -> Object:
    raw = await request.read()
    if not raw.strip():
        return {}
    try:
        body, _ = decoding.decode(raw, request.content_type)
    except decoding.BadDocument as error:
        raise status.ApiStatus(500, "", f"couldn't get version/kind; json parse error: {error}") from None
    return body if isinstance(body, dict) else {}
