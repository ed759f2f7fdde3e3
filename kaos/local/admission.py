"""What happens to an object between the request and the store: identity, types, pruning, defaults, validation, consent.

The steps of every write, in the order of a real server; `machinery.py` puts them together.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

from kaos.kube.resources import CUSTOMRESOURCEDEFINITIONS, NAMESPACES, SERVICEACCOUNTS, Resource
from kaos.local import defaults, definitions, scaling, schemas, status, typed, validation
from kaos.local.kinds import Kind
from kaos.local.requests import Request
from kaos.local.schema import FieldError

Object = dict[str, Any]
Find = Callable[[Resource, str | None, str], Object | None]

KEPT_BY_THE_SERVER = (
    "uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink",
)  # fmt: skip
_NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_GENERATED_BASE = 58  # of 63 characters, five of them random


def received(kind: Kind, obj: Object, request: Request) -> Object:
    """A copy that fits the kind's types, without unknown fields. Raises ApiStatus 400."""
    identity = {"apiVersion": kind.resource.api_version, "kind": kind.resource.kind}
    metadata = obj.get("metadata")
    made = identity | obj | identity | {"metadata": {} if metadata is None else metadata}
    try:
        if kind.custom:
            made = json.loads(json.dumps(made))
            made["metadata"] = typed.decode(schemas.object_meta(), made["metadata"], "metadata")
        else:
            made = typed.decode(kind.schema(), made)
    except typed.Mistyped as error:
        raise status.undecodable(kind.resource, str(error)) from None
    _prune(kind, made, request)
    return made


def _prune(kind: Kind, obj: Object, request: Request) -> None:
    unknown = [f"metadata.{path}" for path in schemas.object_meta().prune(obj["metadata"])]
    unknown += [path for path in kind.schema().prune(obj) if path not in ("apiVersion", "kind")]
    problems = [f'duplicate field "{path}"' for path in request.duplicates]
    problems += [f'unknown field "{path}"' for path in sorted(unknown)]
    if problems and request.field_validation == "Strict":
        raise status.undecodable(kind.resource, f"strict decoding error: {', '.join(problems)}")
    if request.field_validation == "Warn":
        request.warnings += problems


def place(kind: Kind, meta: Object, namespace: str | None) -> None:
    """Give the object the namespace of the URL. Raises ApiStatus 400."""
    if not kind.resource.namespaced:
        meta.pop("namespace", None)
        return
    if meta.setdefault("namespace", namespace) != namespace:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def generate_name(meta: Object) -> None:
    """A name from generateName where none was given."""
    if not meta.get("name") and meta.get("generateName"):
        ending = "".join(secrets.choice(_NAME_LETTERS) for _ in range(5))
        meta["name"] = meta["generateName"][:_GENERATED_BASE] + ending


def default(kind: Kind, obj: Object) -> None:
    """Fill in what the kind's defaults say; these fields count as given by the writer."""
    if kind.custom:
        kind.schema().default(obj)
    else:
        defaults.apply(kind.resource.kind, obj)


def blank(kind: Kind) -> Object:
    """What a new object's claims are counted from: an object of the kind with nothing in it."""
    return {"metadata": {}} if kind.custom else typed.blank(kind.schema())


def consent(kind: Kind, obj: Object, find: Find) -> None:
    """Refuse what a namespace or a missing account forbids. Raises ApiStatus."""
    meta = obj["metadata"]
    namespace = meta.get("namespace")
    if not kind.resource.namespaced:
        return
    found = find(NAMESPACES, None, namespace)
    if found is None:
        raise status.not_found(NAMESPACES, namespace)
    if found["status"].get("phase") == "Terminating":
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {namespace} is being terminated",
            "field": "metadata.namespace",
        }
        raise status.forbidden(kind.resource, meta["name"], why, [cause])
    account = obj.get("spec", {}).get("serviceAccountName") if kind.resource.kind == "Pod" else None
    # The account `default` comes a moment after its namespace; nobody should have to wait for it.
    if account not in (None, "", "default") and find(SERVICEACCOUNTS, namespace, account) is None:
        why = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
        raise status.forbidden(kind.resource, meta["name"], why)


def validate(kind: Kind, obj: Object, old: Object | None) -> None:
    """Raises ApiStatus 422 with everything that is wrong."""
    errors = validation.metadata(obj, "" if kind.custom else kind.resource.kind, old)
    errors += _custom_errors(kind, obj, old) if kind.custom else _builtin_errors(kind, obj, old)
    if errors:
        raise status.invalid(kind.resource, obj["metadata"].get("name", ""), errors)


def _custom_errors(kind: Kind, obj: Object, old: Object | None) -> list[FieldError]:
    return kind.schema().validate(obj, old) + scaling.check(kind, obj)


def _builtin_errors(kind: Kind, obj: Object, old: Object | None) -> list[FieldError]:
    if kind.resource == CUSTOMRESOURCEDEFINITIONS:
        return definitions.check(obj, old)
    special = validation.builtin(kind.resource.kind, obj, old)
    told = [error.field for error in special]
    found = kind.schema().validate({**obj, "metadata": {}}, None)
    return [error for error in found if not any(_overlap(error.field, field) for field in told)] + special


def _overlap(field: str, other: str) -> bool:
    """Whether one of the fields is the other or in it."""
    short, long = sorted((field, other), key=len)
    return long == short or long.startswith((f"{short}.", f"{short}["))


def generation(kind: Kind, obj: Object, old: Object) -> None:
    """Count a change of what is desired."""
    if kind.keeps_generation and _desired(kind, obj) != _desired(kind, old):
        obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def _desired(kind: Kind, obj: Object) -> Object:
    """What counts as a new generation: everything but identity, metadata and a status that has a place of its own."""
    left_out = {"apiVersion", "kind", "metadata"} | ({"status"} if kind.status or not kind.custom else set())
    return {key: value for key, value in obj.items() if key not in left_out}
