"""JSON patch (RFC 6902) and JSON merge patch (RFC 7386)."""

from __future__ import annotations

import copy
from typing import Any


class PatchFailed(ValueError):
    """An operation cannot be carried out; nothing was changed."""


def merge_patch(target: Any, patch: Any) -> Any:
    """`target` with the merge patch applied; neither is changed."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def json_patch(target: Any, operations: list[dict[str, Any]]) -> Any:
    """`target` with all operations applied in order; `target` is not changed. Raises PatchFailed."""
    result = copy.deepcopy(target)
    for operation in operations:
        result = _apply(result, operation)
    return result


def _apply(document: Any, operation: dict[str, Any]) -> Any:
    verb, path = operation.get("op"), operation.get("path")
    if not isinstance(path, str):
        raise PatchFailed(f"operation {verb!r} has no path")
    match verb:
        case "add":
            return _add(document, path, copy.deepcopy(operation.get("value")))
        case "remove":
            return _remove(document, path)
        case "replace":
            value = copy.deepcopy(operation.get("value"))
            if path == "":
                return value
            return _set(document, path, value)
        case "move" | "copy":
            source = operation.get("from")
            value = copy.deepcopy(_find(document, source, verb))
            return _add(_remove(document, source) if verb == "move" else document, path, value)
        case "test":
            if _find(document, path, verb) != operation.get("value"):
                raise PatchFailed(f"testing value {path} failed: test failed")
            return document
    raise PatchFailed(f"unexpected kind: {verb}")


def _tokens(path: str) -> list[str]:
    if path == "":
        return []
    if not path.startswith("/"):
        raise PatchFailed(f"path {path!r} does not start with /")
    return [token.replace("~1", "/").replace("~0", "~") for token in path[1:].split("/")]


def _missing(verb: str, path: str) -> PatchFailed:
    return PatchFailed(f"{verb} operation does not apply: doc is missing path: {path}: missing value")


def _find(document: Any, path: Any, verb: str) -> Any:
    if not isinstance(path, str):
        raise PatchFailed(f"operation {verb!r} has no source path")
    for token in _tokens(path):
        if isinstance(document, dict) and token in document:
            document = document[token]
        elif isinstance(document, list) and token.isdecimal() and int(token) < len(document):
            document = document[int(token)]
        else:
            raise _missing(verb, path)
    return document


def _parent(document: Any, path: str, verb: str) -> tuple[Any, str]:
    around, _, _ = path.rpartition("/")
    return _find(document, around, verb), _tokens(path)[-1]


def _set(document: Any, path: str, value: Any) -> Any:
    holder, token = _parent(document, path, "replace")
    if isinstance(holder, dict):
        holder[token] = value  # as the library of the real server does, also where nothing was
    else:
        _find(document, path, "replace")
        holder[int(token)] = value
    return document


def _add(document: Any, path: str, value: Any) -> Any:
    if path == "":
        return value
    holder, token = _parent(document, path, "add")
    if isinstance(holder, dict):
        holder[token] = value
    elif isinstance(holder, list) and token == "-":
        holder.append(value)
    elif isinstance(holder, list) and token.isdecimal() and int(token) <= len(holder):
        holder.insert(int(token), value)
    else:
        raise PatchFailed(f"add operation does not apply: doc is missing path: {path!r}: missing value")
    return document


def _remove(document: Any, path: str) -> Any:
    _find(document, path, "remove")
    holder, token = _parent(document, path, "remove")
    del holder[int(token) if isinstance(holder, list) else token]
    return document
