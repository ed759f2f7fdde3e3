"""Server-side apply and the bookkeeping of `metadata.managedFields`.

Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

from kaos.kube import times
from kaos.local import fieldsets
from kaos.local.fieldsets import FieldSet, Path
from kaos.local.schema import Schema

Object = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One manager's claim."""

    manager: str
    operation: str  # Apply or Update
    api_version: str
    subresource: str
    time: str
    fields: FieldSet

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Two claims with the same key are one. An applier's version may change, an updater's may not."""
        return (self.manager, self.operation, "" if self.operation == "Apply" else self.api_version, self.subresource)


@dataclass(frozen=True)
class Conflict:
    """A field that another manager owns with another value."""

    manager: str
    operation: str
    subresource: str
    api_version: str
    path: Path

    @property
    def field(self) -> str:
        return fieldsets.readable(self.path)

    @property
    def owner(self) -> str:
        owner = f'"{self.manager}"'
        if self.subresource:
            owner += f' with subresource "{self.subresource}"'
        return owner + (f" using {self.api_version}" if self.operation == "Update" else "")


class ApplyConflict(Exception):
    """The applied configuration would take fields from others, and was not forced to."""

    def __init__(self, conflicts: list[Conflict]) -> None:
        self.conflicts = conflicts
        owners = sorted({conflict.owner for conflict in conflicts})
        if len(conflicts) == 1:
            text = f"1 conflict: conflict with {owners[0]}: {conflicts[0].field}"
        else:
            text = f"{len(conflicts)} conflicts: " + "\n".join(
                f"conflicts with {owner}:\n" + "\n".join(f"- {c.field}" for c in conflicts if c.owner == owner)
                for owner in owners
            )
        super().__init__(f"Apply failed with {text}")


class NotMergeable(Exception):
    """The applied configuration does not fit the kind's schema; the text says where."""


def entries(obj: Object) -> list[Entry]:
    return [
        Entry(
            item.get("manager", ""),
            item.get("operation", "Update"),
            item.get("apiVersion", ""),
            item.get("subresource", ""),
            item.get("time", ""),
            fieldsets.from_fields(item.get("fieldsV1") or {}),
        )
        for item in obj.get("metadata", {}).get("managedFields") or ()
    ]


def write(obj: Object, claims: list[Entry]) -> None:
    """Store the claims in the object: appliers first, then by time, as the server lists them."""
    listed = []
    for claim in sorted(claims, key=lambda claim: (claim.operation != "Apply", claim.time, claim.manager)):
        if not claim.fields:
            continue
        item = {
            "manager": claim.manager,
            "operation": claim.operation,
            "apiVersion": claim.api_version,
            **({"time": claim.time} if claim.time else {}),
            "fieldsType": "FieldsV1",
            "fieldsV1": fieldsets.to_fields(claim.fields),
        }
        listed.append(item | ({"subresource": claim.subresource} if claim.subresource else {}))
    if listed:
        obj["metadata"]["managedFields"] = listed
    else:
        obj["metadata"].pop("managedFields", None)


def record_update(
    before: Object, after: Object, *, manager: str, schema: Schema, subresource: str = "", now: str | None = None
) -> None:
    """Note in `after` that `manager` wrote what differs from `before`; it takes those fields from all others."""
    dropped = after["metadata"].get("managedFields") in ([], [{}])  # the documented way to drop all claims
    claims = [] if dropped else entries(before)
    changed, removed = fieldsets.compare(_bare(before), _bare(after), schema)
    claims = [replace(claim, fields=_without(claim.fields, changed, removed)) for claim in claims]
    if changed:
        mine = Entry(
            manager, "Update", after["apiVersion"], subresource, times.now() if now is None else now, frozenset(changed)
        )
        own = next((claim for claim in claims if claim.key == mine.key), None)
        if own is not None:
            claims.remove(own)
            mine = replace(mine, fields=own.fields | mine.fields)
        claims.append(mine)
    write(after, claims)


def _bare(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key not in ("apiVersion", "kind")}


def _without(fields: FieldSet, changed: set[Path], removed: set[Path]) -> FieldSet:
    def lost(path: Path) -> bool:
        return path in changed or any(path[: len(gone)] == gone for gone in removed)

    return frozenset(path for path in fields if not lost(path))


def apply(
    live: Object | None, applied: Object, *, manager: str, force: bool, schema: Schema, subresource: str = "",
    now: str | None = None,
) -> Object:  # fmt: skip
    """The object after `manager` applied its configuration. Raises ApplyConflict and NotMergeable."""
    configuration = copy.deepcopy(applied)
    configuration.get("metadata", {}).pop("managedFields", None)
    if problems := list(fieldsets.check(_bare(configuration), schema)):
        raise NotMergeable(problems[0] if len(problems) == 1 else "errors:" + "".join(f"\n  {p}" for p in problems))
    wanted = fieldsets.of_applied(_bare(configuration), schema)
    mine = Entry(manager, "Apply", applied["apiVersion"], subresource, now or times.now(), wanted)
    if live is None:
        write(configuration, [mine])
        return configuration
    claims = entries(live)
    previous = next((claim for claim in claims if claim.key == mine.key), None)
    others = [claim for claim in claims if claim.key != mine.key]
    merged = merge(live, configuration, schema)
    if previous is not None:
        _give_up(merged, previous.fields, frozenset().union(wanted, *(claim.fields for claim in others)), schema)
    changed, removed = fieldsets.compare(_bare(live), _bare(merged), schema)
    conflicts = [
        Conflict(claim.manager, claim.operation, claim.subresource, claim.api_version, path)
        for claim in others
        for path in fieldsets.in_order(claim.fields & changed)
    ]
    if conflicts and not force:
        raise ApplyConflict(conflicts)
    others = [replace(claim, fields=_without(claim.fields, changed, removed)) for claim in others]
    if not changed and not removed:
        mine = replace(mine, time=previous.time if previous is not None else "")
    write(merged, [*others, mine])
    return merged


def _give_up(merged: Object, before: FieldSet, owned: FieldSet, schema: Schema) -> None:
    """Take out what the manager applied before and nobody owns now."""
    gone = fieldsets.with_parents(before, schema) - fieldsets.with_parents(owned, schema)
    for path in sorted(gone, key=len):
        remove(merged, path, schema)


def merge(live: Any, applied: Any, schema: Schema | None) -> Any:
    """The applied value laid over the live one, list by list and field by field as the schema says."""
    if isinstance(live, dict) and isinstance(applied, dict) and fieldsets.is_granular(applied, schema):
        result = dict(live)
        for name, value in applied.items():
            child = schema.child(name) if schema is not None else None
            result[name] = merge(live[name], value, child) if name in live else copy.deepcopy(value)
        return result
    if isinstance(live, list) and isinstance(applied, list) and fieldsets.is_keyed_list(schema):
        return _merge_list(live, applied, schema)
    return copy.deepcopy(applied)


def _merge_list(live: list[Any], applied: list[Any], schema: Schema) -> list[Any]:
    wanted = {fieldsets.item_key(schema, item): item for item in applied}
    result = []
    for item in live:
        key = fieldsets.item_key(schema, item)
        result.append(merge(item, wanted.pop(key), schema.items) if key in wanted else item)
    return result + [copy.deepcopy(item) for item in wanted.values()]


def remove(obj: Any, path: Path, schema: Schema | None) -> None:
    """Take the field at `path` out of `obj`, and with it the lists that this leaves empty."""
    element, *below = path
    found = next(((part, s) for name, part, s in fieldsets.children_or_none(obj, schema) if name == element), None)
    if found is None:
        return
    if below:
        part, part_schema = found
        remove(part, tuple(below), part_schema)
        if part == [] and isinstance(obj, dict):
            del obj[element[2:]]
    elif isinstance(obj, dict):
        del obj[element[2:]]
    elif schema is not None:
        obj[:] = [item for item in obj if fieldsets.item_key(schema, item) != element]
