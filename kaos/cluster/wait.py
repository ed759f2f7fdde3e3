"""Waiting for an object to become something: by watch, never by sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from kaos.cluster import requests
from kaos.cluster.client import Client
from kaos.cluster.errors import ApiError
from kaos.errors import NoConnection, NotReady
from kaos.kube.resources import Resource

Object = dict[str, Any]
_RECONNECT_S = 0.2
_PASSING = (429, 500, 502, 503, 504)  # a server that is busy, or starting


def until(
    client: Client,
    resource: Resource,
    name: str,
    namespace: str | None = None,
    condition: Callable[[Object | None], bool] = lambda obj: obj is not None,
    timeout_s: float = 60.0,
    on_change: Callable[[Object | None], None] = lambda obj: None,
) -> Object | None:
    """The object once the condition holds; None stands for one that does not exist. Raises NotReady in time."""
    last: Object | None = None
    with closing(_states(client, resource, name, namespace, time.monotonic() + timeout_s)) as states:
        for last in states:
            on_change(last)
            if condition(last):
                return last
    what = f"{resource.kind} {namespace + '/' if namespace else ''}{name}"
    raise NotReady(f"{what} was not there yet after {timeout_s:g} s{_state(last)}.", "")


def _states(
    client: Client, resource: Resource, name: str, namespace: str | None, deadline: float
) -> Iterator[Object | None]:
    """The object as it is and each time it changes, until the deadline, through whatever befalls the connection."""
    while (left_s := deadline - time.monotonic()) > 0:
        try:
            listed = client.list(resource, namespace, fields=requests.name_selector(name), timeout_s=left_s)
            yield listed.items[0] if listed.items else None
            began = time.monotonic()
            left_s = max(deadline - began, 0.1)
            for event in client.watch(resource, namespace, name, None, listed.resource_version, left_s):
                if event.type != "BOOKMARK":
                    yield None if event.type == "DELETED" else event.object
                if time.monotonic() > deadline:
                    return
            if time.monotonic() - began < _RECONNECT_S:
                time.sleep(_RECONNECT_S)  # something ends every watch at once; asking without pause helps nobody
        except NotReady:
            continue
        except (ApiError, NoConnection) as error:
            if isinstance(error, ApiError) and error.code not in (410, *_PASSING):
                raise
            if deadline - time.monotonic() < _RECONNECT_S:
                if isinstance(error, NoConnection):
                    raise
                return
            time.sleep(_RECONNECT_S)  # the server restarts, perhaps: nothing else announces that it is back


def _state(obj: Object | None) -> str:
    status = (obj or {}).get("status") or {}
    if not status.get("reason"):
        return ""
    return f": {status['reason']}" + (f", {status['message']}" if status.get("message") else "")
