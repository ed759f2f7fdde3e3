"""Bodies of requests: JSON or YAML to objects, with duplicate fields noticed and hostile documents refused."""

from __future__ import annotations

import json
from typing import Any

from kaos.local import status

Object = dict[str, Any]
MAX_BYTES = 3 * 1024 * 1024
MAX_DEPTH = 200
JSON = "application/json"
YAML = ("application/yaml", "application/apply-patch+yaml")


def decode(body: bytes, media_type: str, expected: str = "") -> tuple[Any, list[str]]:
    """The document and the paths of duplicate fields. Raises ApiStatus 400 or 413."""
    if len(body) > MAX_BYTES:
        raise status.too_large()
    if media_type in YAML and not body.lstrip().startswith((b"{", b"[")):
        return _yaml(body), []
    duplicates: list[str] = []
    try:
        document = json.loads(body, object_pairs_hook=_pairs, parse_constant=_refuse_constant)
        return _plain(document, "", duplicates, 0), duplicates
    except (ValueError, RecursionError) as error:
        raise status.bad_request(_wording(body, str(error), expected)) from None


class _Pairs(list):
    """An object's members as written, so that duplicates are seen."""


def _pairs(pairs: list[tuple[str, Any]]) -> _Pairs:
    return _Pairs(pairs)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"invalid character '{name[0]}' looking for beginning of value")


def _plain(value: Any, path: str, duplicates: list[str], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError("exceeded max depth")
    if isinstance(value, _Pairs):
        made: Object = {}
        for key, item in value:
            here = f"{path}.{key}" if path else key
            if key in made and here not in duplicates:
                duplicates.append(here)
            made[key] = _plain(item, here, duplicates, depth + 1)
        return made
    if isinstance(value, list):
        return [_plain(item, f"{path}[{position}]", duplicates, depth + 1) for position, item in enumerate(value)]
    return value


def _wording(body: bytes, problem: str, expected: str) -> str:
    unrecognized = f"the object provided is unrecognized (must be of type {expected}): couldn't get version/kind; "
    if not body.strip():
        return f"{unrecognized}json parse error: unexpected end of JSON input (<empty>)"
    quoted = body[:20].decode(errors="replace") if body[:1] == b"{" else body[:20].hex()
    return f"{unrecognized}json parse error: {problem} ({quoted})"


def _yaml(body: bytes) -> Any:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    if body.count(b"*") > 1000 or body.count(b"&") > 1000:
        raise status.bad_request("error parsing YAML: too many aliases")
    try:
        document = yaml.load(body, Loader=loader)
        encoded = json.dumps(document, default=str)
    except (yaml.YAMLError, ValueError, RecursionError, UnicodeDecodeError) as error:
        raise status.bad_request(f"error parsing YAML: {' '.join(str(error).split())}") from None
    if len(encoded) > 4 * MAX_BYTES:
        raise status.bad_request("error parsing YAML: the document is too large once its aliases are expanded")
    return json.loads(encoded)
