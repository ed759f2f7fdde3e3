"""Bodies of requests, JSON, YAML or protobuf: duplicate fields are noticed, hostile documents refused."""

from __future__ import annotations

import json
from typing import Any

from kaos.kube import manifests, yaml_limits
from kaos.local import protobuf, status

Object = dict[str, Any]
MAX_BYTES = 3 * 1024 * 1024
MAX_DEPTH = 200
YAML = ("application/yaml", "application/apply-patch+yaml")
_QUOTED = 30  # characters of a bad body that a message quotes
_ENDS_EARLY = "unexpected end of JSON input"
# What Python's decoder finds wrong, as Go's says it.
_GO_WORDS = {
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Expecting value": "looking for beginning of value",
    "Expecting ',' delimiter": "after object key:value pair",
    "Expecting ':' delimiter": "after object key",
    "Extra data": "after top-level value",
    "Invalid control character at": "in string literal",
    "Invalid \\escape": "in string escape code",
}


class BadDocument(ValueError):
    """The text is no document; the words are Go's."""


def decode(body: bytes, media_type: str) -> tuple[Any, list[str]]:
    """The document and the paths of duplicate fields. Raises BadDocument, and ApiStatus 413."""
    if len(body) > MAX_BYTES:
        raise status.too_large()
    if media_type == protobuf.MEDIA:
        try:
            return protobuf.decode(body), []
        except protobuf.BadProtobuf as error:
            raise BadDocument(str(error)) from None
    if media_type in YAML and not body.lstrip().startswith((b"{", b"[")):
        return _yaml(body), []
    duplicates: list[str] = []
    try:
        document = json.loads(body, object_pairs_hook=_Pairs, parse_constant=_refuse_constant)
        return _plain(document, "", duplicates, 0), duplicates
    except json.JSONDecodeError as error:
        raise BadDocument(_go(error)) from None
    except (ValueError, RecursionError) as error:
        raise BadDocument(str(error)) from None


class _Pairs(list):
    """An object's members as written, so that duplicates are seen."""


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


def _go(error: json.JSONDecodeError) -> str:
    where = next((words for python, words in _GO_WORDS.items() if error.msg.startswith(python)), None)
    rest = error.doc[error.pos :].lstrip()
    if not rest or where is None:
        return _ENDS_EARLY
    return f"invalid character '{rest[0]}' {where}"


def unrecognized(body: bytes, problem: str, kind: str) -> status.ApiStatus:
    """The failure of a body that is no object of the kind."""
    start = f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; "
    if not body.strip():
        return status.bad_request(f"{start}json parse error: {_ENDS_EARLY} (<empty>)")
    quoted = shortened(body.decode(errors="replace")) if body[:1] == b"{" else body[:_QUOTED].hex()
    return status.bad_request(f"{start}json parse error: {problem} ({quoted})")


def shortened(text: str) -> str:
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]} ..."


def _yaml(body: bytes) -> Any:
    import yaml

    try:
        yaml_limits.check(body)
        return json.loads(json.dumps(manifests.load(body), default=str))
    except (yaml.YAMLError, ValueError, RecursionError, UnicodeDecodeError) as error:
        raise BadDocument(" ".join(str(error).split())) from None
