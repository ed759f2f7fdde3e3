"""Sets of field paths, as `metadata.managedFields` stores them (FieldsV1).

A path is a tuple of elements: `f:<name>` for a field, `k:<json>` for an item of a list keyed by fields, `v:<json>` for
an item of a set. Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from kaos.kube import gotext
from kaos.local.schema import Schema

Path = tuple[str, ...]
FieldSet = frozenset[Path]
MISSING = object()

# What no manager owns: identity and what the server keeps itself.
UNOWNED = {("f:apiVersion",), ("f:kind",), ("f:metadata",)} | {
    ("f:metadata", f"f:{name}")
    for name in (
        "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
        "deletionGracePeriodSeconds", "selfLink", "managedFields",
    )
}  # fmt: skip


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def item_key(schema: Schema, item: Any) -> str | None:
    """The path element of an item of a list that is a map or a set; None when the item lacks its keys."""
    if schema.list_type == "set":
        return f"v:{_json(item)}"
    if not isinstance(item, dict):
        return None
    keys = {}
    for name in schema.list_keys:
        value = item.get(name, MISSING)
        if value is MISSING:
            child = schema.items.child(name) if schema.items else None
            value = child.node.get("default", MISSING) if child is not None else MISSING
        if value is not MISSING:
            keys[name] = value
    return f"k:{_json(keys)}" if keys else None


def is_keyed_list(schema: Schema | None) -> bool:
    return schema is not None and schema.node.get("type") == "array" and schema.list_type in ("map", "set")


def is_granular(value: Any, schema: Schema | None) -> bool:
    """Whether the parts of `value` are owned one by one rather than as a whole."""
    if isinstance(value, dict):
        return not (schema is not None and schema.is_atomic_map)
    return isinstance(value, list) and is_keyed_list(schema)


def children(value: Any, schema: Schema | None) -> Iterator[tuple[str, Any, Schema | None]]:
    """The parts of a granular value: (path element, part, its schema)."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield f"f:{name}", part, schema.child(name) if schema is not None else None
    elif schema is not None:
        for item in value:
            if (key := item_key(schema, item)) is not None:
                yield key, item, schema.items


def of_applied(value: Any, schema: Schema | None) -> FieldSet:
    """The fields that an applied configuration claims."""
    return frozenset(path for path in _applied(value, schema, ()) if path not in UNOWNED)


def _applied(value: Any, schema: Schema | None, path: Path) -> Iterator[Path]:
    if not is_granular(value, schema) or not value:
        yield path
        return
    declared = (schema.node.get("properties") or {}) if schema is not None else {}
    if path and (path[-1][0] in "kv"):
        yield path
    for element, part, part_schema in children(value, schema):
        here = (*path, element)
        if here in UNOWNED and here != ("f:metadata",):
            continue
        yield from _applied(part, part_schema, here)
        if isinstance(value, dict) and element[2:] not in declared and is_granular(part, part_schema) and part:
            yield here


def compare(before: Any, after: Any, schema: Schema | None, path: Path = ()) -> tuple[set[Path], set[Path]]:
    """(changed or added, removed) paths from `before` to `after`; MISSING stands for what is not there."""
    changed: set[Path] = set()
    removed: set[Path] = set()
    if path in UNOWNED and path != ("f:metadata",):
        return changed, removed
    if before is not MISSING and not is_granular(before, schema):
        before, was = MISSING, before
    else:
        was = before
    if not is_granular(after, schema) or not (after or (before is not MISSING and before)):
        return ({path} if was is MISSING or was != after else set()) - UNOWNED, removed
    old = {element: part for element, part, _ in children(before, schema)} if before is not MISSING else {}
    if before is MISSING and path:
        changed.add(path)  # a container is claimed with the first thing in it
    seen = set()
    for element, part, part_schema in children(after, schema):
        seen.add(element)
        more = compare(old.get(element, MISSING), part, part_schema, (*path, element))
        changed |= more[0]
        removed |= more[1]
    removed |= {(*path, element) for element in old.keys() - seen}
    return changed - UNOWNED, removed - UNOWNED


def with_parents(paths: FieldSet, schema: Schema) -> set[Path]:
    """The paths and the declared fields around them; keys of maps and items of lists stand for themselves only."""
    found = set(paths)
    for path in paths:
        here: Schema | None = schema
        for length, element in enumerate(path[:-1], 1):
            if here is None:
                break
            if element[0] != "f":
                here = here.items
                continue
            if element[2:] in (here.node.get("properties") or {}):
                found.add(path[:length])
            here = here.child(element[2:])
    return found - UNOWNED


def in_order(paths: Iterable[Path]) -> list[Path]:
    """As the real server walks a set: at each level what ends there, then what goes on."""
    ending = sorted(path for path in paths if len(path) == 1)
    below: dict[str, list[Path]] = {}
    for path in paths:
        if len(path) > 1:
            below.setdefault(path[0], []).append(path[1:])
    return ending + [(first, *rest) for first in sorted(below) for rest in in_order(below[first])]


def check(value: Any, schema: Schema | None, path: str = "") -> Iterator[str]:
    """What keeps an applied configuration from being merged: undeclared fields, wrong shapes, items given twice."""
    if schema is None or value is None:
        return
    node = schema.node
    if isinstance(value, dict):
        if node.get("type") not in (None, "object"):
            yield f"{path}: expected {_SHAPES.get(node['type'], 'scalar')}, got &{gotext.shown(value)}"
            return
        for name, part in value.items():
            child = schema.child(name)
            if child is not None:
                yield from check(part, child, f"{path}.{name}")
            elif not schema.preserves_unknown and name not in ("apiVersion", "kind", "metadata"):
                yield f"{path}.{name}: field not declared in schema"
    elif node.get("type") == "object":
        yield f"{path}: expected map, got &{{{gotext.shown(value)}}}"
    elif isinstance(value, list):
        yield from _check_items(value, schema, path)


_SHAPES = {"array": "list", "string": "string", "boolean": "boolean"}


def _check_items(value: list[Any], schema: Schema, path: str) -> Iterator[str]:
    seen: set[str] = set()
    for position, item in enumerate(value):
        key = item_key(schema, item) if schema.list_type in ("map", "set") else None
        if key is not None and key in seen:
            yield f"{path}: duplicate entries for key {readable((key,))}"
        if key is not None:
            seen.add(key)
        where = f"{path}{readable((key,))}" if key is not None else f"{path}[{position}]"
        yield from check(item, schema.items, where)


def readable(path: Path) -> str:
    """The path as messages show it: `.spec.containers[name="main"].image`."""
    return "".join(_readable(element) for element in path)


def _readable(element: str) -> str:
    kind, value = element[0], element[2:]
    if kind == "f":
        return f".{value}"
    if kind == "k":
        pairs = (f"{name}={json.dumps(item)}" for name, item in json.loads(value).items())
        return f"[{','.join(pairs)}]"
    return f"[={value}]"


def children_or_none(value: Any, schema: Schema | None) -> Iterator[tuple[str, Any, Schema | None]]:
    return children(value, schema) if is_granular(value, schema) else iter(())


def from_fields(fields: dict[str, Any], path: Path = ()) -> FieldSet:
    """The set that a FieldsV1 object means."""
    found: set[Path] = set()
    for element, below in fields.items():
        if element == ".":
            found.add(path)
        elif not below:
            found.add((*path, element))
        else:
            found |= from_fields(below, (*path, element))
    return frozenset(found)


def to_fields(paths: FieldSet) -> dict[str, Any]:
    """The FieldsV1 object of a set."""
    root: dict[str, Any] = {}
    for path in sorted(paths, key=len, reverse=True):
        node = root
        for element in path:
            node = node.setdefault(element, {})
        if node:
            node["."] = {}
    return _sorted(root)


def _sorted(node: dict[str, Any]) -> dict[str, Any]:
    return {key: _sorted(node[key]) for key in sorted(node)}
