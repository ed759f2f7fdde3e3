"""Server-side apply and the bookkeeping of `metadata.managedFields`.

Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

from kaos.kube import times
from kaos.local import fieldsets
from kaos.local.fieldsets import MISSING, FieldSet, Path
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
        return "".join(_readable(element) for element in self.path)

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
        noun = "conflict" if len(conflicts) == 1 else "conflicts"
        if len(owners) == 1:
            fields = [conflict.field for conflict in conflicts]
            listed = f": {fields[0]}" if len(fields) == 1 else ":\n" + "\n".join(f"- {field}" for field in fields)
            text = f"{len(conflicts)} {noun} with {owners[0]}{listed}"
        else:
            text = f"{len(conflicts)} {noun}:\n" + "\n".join(
                f"conflicts with {owner}:\n" + "\n".join(f"- {c.field}" for c in conflicts if c.owner == owner)
                for owner in owners
            )
        super().__init__(f"Apply failed with {text}")


def _readable(element: str) -> str:
    kind, value = element[0], element[2:]
    if kind == "f":
        return f".{value}"
    if kind == "k":
        import json

        pairs = (f"{name}={json.dumps(item)}" for name, item in json.loads(value).items())
        return f"[{','.join(pairs)}]"
    return f"[={value}]"


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
            "time": claim.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": fieldsets.to_fields(claim.fields),
        }
        listed.append(item | ({"subresource": claim.subresource} if claim.subresource else {}))
    if listed:
        obj["metadata"]["managedFields"] = listed
    else:
        obj["metadata"].pop("managedFields", None)


def record_update(
    before: Object | None, after: Object, *, manager: str, schema: Schema, subresource: str = "", now: str | None = None
) -> None:
    """Note in `after` that `manager` wrote what differs from `before`; it takes those fields from all others."""
    if after["metadata"].get("managedFields") == [{}] or after["metadata"].get("managedFields") == []:
        claims: list[Entry] = []  # the documented way to drop all claims
        base = None
    else:
        claims = entries(before) if before is not None else []
        base = before
    changed, removed = fieldsets.compare(_bare(base) if base is not None else MISSING, _bare(after), schema)
    changed.discard(())
    if not changed and not removed:
        write(after, claims)
        return
    claims = [replace(claim, fields=_without(claim.fields, changed, removed)) for claim in claims]
    mine = Entry(manager, "Update", after["apiVersion"], subresource, now or times.now(), frozenset(changed))
    own = next((claim for claim in claims if claim.key == mine.key), None)
    if own is not None:
        claims.remove(own)
        mine = replace(mine, fields=own.fields | mine.fields)
    write(after, [*claims, mine])


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
    """The object after `manager` applied its configuration. Raises ApplyConflict."""
    configuration = copy.deepcopy(applied)
    configuration.get("metadata", {}).pop("managedFields", None)
    wanted = fieldsets.of_applied(_bare(configuration), schema)
    claims = entries(live) if live is not None else []
    mine = Entry(manager, "Apply", applied["apiVersion"], subresource, now or times.now(), wanted)
    previous = next((claim for claim in claims if claim.key == mine.key), None)
    others = [claim for claim in claims if claim.key != mine.key]
    merged = merge(live, configuration, schema) if live is not None else configuration

    taken = _changed_fields(live, merged, wanted, schema)
    conflicts = [
        Conflict(claim.manager, claim.operation, claim.subresource, claim.api_version, path)
        for claim in others
        for path in sorted(claim.fields & taken)
    ]
    if conflicts and not force:
        raise ApplyConflict(conflicts)
    others = [replace(claim, fields=claim.fields - taken) for claim in others]
    if previous is not None:
        kept = frozenset().union(wanted, *(claim.fields for claim in others))
        for path in sorted(previous.fields - wanted, key=len):
            if path not in kept and not any(other[: len(path)] == path for other in kept):
                remove(merged, path, schema)
        if previous.fields == wanted and live is not None and _bare(live) == _bare(merged):
            mine = replace(mine, time=previous.time)
    write(merged, [*others, mine])
    return merged


def _changed_fields(live: Object | None, merged: Object, wanted: FieldSet, schema: Schema) -> FieldSet:
    if live is None:
        return frozenset()
    return frozenset(
        path
        for path in wanted
        if not _same(fieldsets.lookup(live, path, schema), fieldsets.lookup(merged, path, schema), schema)
    )


def _same(before: Any, after: Any, schema: Schema) -> bool:
    if before is MISSING:
        return False
    # A claim on a container ("." of an object or item) is not about its parts.
    return before == after or (isinstance(before, dict) and isinstance(after, dict) and bool(after))


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
