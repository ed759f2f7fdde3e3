"""What the API server refuses, in words that name the cause and the cure for a person who works with KAOS."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from kaos.api.names import GROUP
from kaos.cluster import ApiError, Client
from kaos.errors import Forbidden, KaosError, NotFound, UsageError
from kaos.kube.names import nearest
from kaos.kube.resources import Resource

# `Invalid value: "object": runtime custom needs container.image`: the value says nothing that the rule does not.
_VALUE_NOISE = re.compile(r'^Invalid value: (?:"object"|"string"|null|\[\]|\{\}): ')
_IN_BODY = re.compile(r"^Invalid value: (.+): \S+ in body (should|must) ", re.DOTALL)
_FORBIDDEN = re.compile(r"^\S+(?: \S+)? is forbidden: ")
_UNKNOWN_FIELD = re.compile(r'unknown field "([^"]+)"|(?:^|\s)\.?(\S+): field not declared in schema')
_WRONG_TYPE = re.compile(r"\s\.?(\S+): (expected .+)$", re.MULTILINE)
_TWICE = re.compile(r': \.?(\S+): duplicate entries for key \[\w*="(.*)"\]$')
_EXAMPLE = re.compile(r" \(e\.g\. .*\)$", re.DOTALL)
_ABBREVIATED = 80


@contextlib.contextmanager
def explained(client: Client, resource: Resource, name: str = "", namespace: str | None = None) -> Iterator[None]:
    """Turn a refusal about this object into one that a person understands."""
    try:
        yield
    except ApiError as refused:
        raise explain(refused, client, resource, name, namespace) from refused


def explain(
    refused: ApiError, client: Client, resource: Resource, name: str = "", namespace: str | None = None
) -> KaosError:
    """The refusal as a person should read it."""
    where = f"{resource.kind} {f'{namespace}/' if namespace else ''}{name}".rstrip("/ ")
    if refused.code == 404:
        return _missing(refused, client, resource, name, namespace)
    if refused.code == 403:
        return _forbidden(refused)
    if refused.code == 422:
        return UsageError(f"{where} is not valid: {_invalid(refused.details.get('causes') or (), refused.message)}", "")
    if fields := _unknown_fields(refused.message):
        return UsageError(
            f"{where} is not valid: unknown field {', '.join(fields)}.", _nearest_field(resource, fields[0])
        )
    if wrong := _WRONG_TYPE.search(refused.message):
        return UsageError(f"{where} is not valid: {wrong[1]}: {wrong[2]}", "")
    if twice := _TWICE.search(refused.message):
        return UsageError(f"{where} is not valid: {twice[1]} lists {twice[2]} twice.", "")
    if refused.code == 413 or "request is too large" in refused.message or "limit is 3145728" in refused.message:
        return UsageError(f"{where} is too large for the API server.", "Put bigger programs into an image.")
    if refused.code == 409 and refused.reason == "AlreadyExists":
        return KaosError(f"{where} exists already.", "")
    if refused.code == 409 and "has been modified" in refused.message:
        return KaosError(f"{where} was changed by someone else meanwhile.", "Nothing was written; do it again.")
    return refused


def _missing(refused: ApiError, client: Client, resource: Resource, name: str, namespace: str | None) -> KaosError:
    details = refused.details
    if details.get("kind") == "namespaces" and resource.kind != "Namespace":
        return NotFound(
            f"There is no namespace {details.get('name') or namespace}.",
            "Create it by adding --create-namespace, or choose another: -n NAME",
        )
    if not details.get("name"):
        cure = "Install it there: kaos system install" if resource.group == GROUP else ""
        return NotFound(f"The cluster of context {client.connection.context} knows no {resource.kind}.", cure)
    place = f" in namespace {namespace}" if namespace else ""
    like = nearest(name, _names(client, resource, namespace))
    return NotFound(f"There is no {resource.kind} {name}{place}.", f"Did you mean {like}?" if like else "")


def _names(client: Client, resource: Resource, namespace: str | None) -> list[str]:
    try:
        return [row["cells"][0] for row in client.table(resource, namespace, include_object="None")["rows"]]
    except KaosError:
        return []  # only a suggestion is lost


def _forbidden(refused: ApiError) -> KaosError:
    why = _FORBIDDEN.sub("", refused.message)
    if "cannot" in why:
        return Forbidden(f"No right to do this: {why}.", refused.cure)
    if "is being terminated" in why:
        return KaosError(f"Nothing can be made in that namespace: {why}.", "Wait until it is gone, or use another.")
    return KaosError(f"The cluster refuses this: {why}", "")


def _invalid(causes: Any, message: str) -> str:
    told = []
    for cause in causes:
        field, text = cause.get("field", ""), cause.get("message", "")
        if "some validation rules were not checked" in text:
            continue
        if cause.get("reason") == "FieldValueTooLong" and field == "spec.params":
            text = "may hold at most 96 KiB; put bigger programs into an image"
        text = _EXAMPLE.sub("", _VALUE_NOISE.sub("", text))
        text = _IN_BODY.sub(lambda found: f"{_short(found[1])} {found[2]} ", text)
        told.append(text if field in ("", "<nil>", "spec") else f"{field}: {text}")
    return "; ".join(dict.fromkeys(told)) or message


def _short(value: str) -> str:
    return value if len(value) <= _ABBREVIATED else value[:_ABBREVIATED] + "..."


def _nearest_field(resource: Resource, path: str) -> str:
    """What may have been meant, going by the schema of our own kinds."""
    from kaos.actions.system import bundled_crds

    crd = next((one for one in bundled_crds() if one["spec"]["names"]["kind"] == resource.kind), None)
    if crd is None or resource.group != GROUP:
        return ""
    node = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    *parents, field = re.sub(r"\[\d+\]", ".[]", path).split(".")
    for key in parents:
        node = node.get("items", {}) if key == "[]" else node.get("properties", {}).get(key, {})
    like = nearest(field, node.get("properties", {}))
    return f"Did you mean {like}?" if like else ""


def _unknown_fields(message: str) -> list[str]:
    return [one or other for one, other in _UNKNOWN_FIELD.findall(message)]
