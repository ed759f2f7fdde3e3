"""Stored objects as one served version shows them: versions of a CRD, and the two faces of Events."""

from __future__ import annotations

import json
from typing import Any

from kaos.local.kinds import Kind
from kaos.local.responses import encode
from kaos.local.store import Stored

Object = dict[str, Any]

# (core/v1 field, events.k8s.io/v1 field)
_EVENT_FIELDS = (
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("source", "deprecatedSource"),
    ("reportingComponent", "reportingController"),
)


def served(kind: Kind, obj: Object) -> Object:
    """The object in the version of `kind`; the same object when it is stored so."""
    if obj.get("apiVersion") == kind.resource.api_version:
        return obj
    shown = {**obj, "apiVersion": kind.resource.api_version}
    if kind.custom:
        shown = json.loads(json.dumps(shown))
        kind.schema().prune(shown)
        return shown
    if kind.resource.plural != "events":
        return shown
    to_core = kind.resource.group == ""
    for core, new in _EVENT_FIELDS:
        old, target = (new, core) if to_core else (core, new)
        if old in shown:
            shown[target] = shown.pop(old)
    if not to_core:
        for name in ("reportingController", "reportingInstance"):
            if not shown.get(name):
                shown.pop(name, None)
    return shown


def encoded(kind: Kind, stored: Stored) -> bytes | Object:
    """The stored encoding where it can be used as it is."""
    if stored.obj.get("apiVersion") == kind.resource.api_version:
        return stored.encoded
    return served(kind, stored.obj)


def encoded_item(kind: Kind, stored: Stored) -> bytes:
    """The object as an item of a list; of built-in kinds the list alone says what they are."""
    if kind.custom:
        shown = encoded(kind, stored)
        return shown if isinstance(shown, bytes) else encode(shown)
    head = encode({"apiVersion": kind.resource.api_version, "kind": kind.resource.kind})[:-1] + b","
    if stored.encoded.startswith(head):
        return b"{" + stored.encoded[len(head) :]
    return encode(without_identity(served(kind, stored.obj)))


def without_identity(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key not in ("apiVersion", "kind")}
