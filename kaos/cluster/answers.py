"""What the API server answers, as both clients read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from kaos.cluster import requests
from kaos.cluster.errors import ApiError
from kaos.errors import NoConnection

Object = dict[str, Any]


@dataclass(frozen=True)
class ObjectList:
    """The items of a list and the version of the collection it shows."""

    items: list[Object]
    resource_version: str


@dataclass(frozen=True)
class WatchEvent:
    """ADDED, MODIFIED, DELETED or BOOKMARK, and the object."""

    type: str
    object: Object


def refusal(status: int, content: bytes, server: str) -> ApiError | NoConnection:
    """What an answer that is not 2xx means. An API server never redirects."""
    return ApiError.of(status, content) if status >= 400 else _other_server(server)


def decode(content: bytes, server: str) -> Object:
    """The object that the API server answered with. Raises NoConnection: something else answers there."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _other_server(server)
    return found


def page_of(found: Object, server: str) -> tuple[list[Object], str, str | None]:
    """Items, resource version and token of the next page. Raises NoConnection."""
    meta, items = found.get("metadata"), found.get("items") or []
    if not isinstance(meta, dict) or not isinstance(items, list):
        raise _other_server(server)
    return items, meta.get("resourceVersion") or "", meta.get("continue") or None


def event_of(line: bytes, server: str) -> WatchEvent:
    """One line of a watch. Raises ApiError for an ERROR event, NoConnection for what is no event."""
    found = decode(line, server)
    kind, obj = found.get("type"), found.get("object")
    if not isinstance(kind, str) or not isinstance(obj, dict):
        raise _other_server(server)
    if kind == "ERROR":
        code = obj.get("code")
        raise ApiError.of(code if isinstance(code, int) else 500, requests.encode(obj))
    return WatchEvent(kind, obj)


def _other_server(server: str) -> NoConnection:
    return NoConnection(
        f"{server} answers, but not as a Kubernetes API server does.",
        "Is the address right? Another one: kaos context list",
    )
