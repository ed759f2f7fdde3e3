"""Waiting for an object to become something: by watch, never by sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from kaos.cluster import requests
from kaos.cluster.client import Client
from kaos.cluster.errors import ApiError
from kaos.errors import NoConnection, NotReady
from kaos.kube.resources import Resource

Object = dict[str, Any]
_RECONNECT_S = 0.2


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
    deadline = time.monotonic() + timeout_s
    last: Object | None = None
    while (left_s := deadline - time.monotonic()) > 0:
        try:
            listed = client.list(resource, namespace, fields=requests.name_selector(name))
            last = listed.items[0] if listed.items else None
            on_change(last)
            if condition(last):
                return last
            for event in client.watch(resource, namespace, name, None, listed.resource_version, left_s):
                if event.type == "BOOKMARK":
                    continue
                last = None if event.type == "DELETED" else event.object
                on_change(last)
                if condition(last):
                    return last
        except NotReady:
            continue
        except ApiError as refused:
            if refused.code != 410:
                raise
        except NoConnection:
            if deadline - time.monotonic() < _RECONNECT_S:
                raise
            time.sleep(_RECONNECT_S)  # the server restarts, perhaps: nothing else announces that it is back
    what = f"{resource.kind} {namespace + '/' if namespace else ''}{name}"
    raise NotReady(f"{what} was not there yet after {timeout_s:g} s{_state(last)}.", "")


def _state(obj: Object | None) -> str:
    status = (obj or {}).get("status") or {}
    if not status.get("reason"):
        return ""
    return f": {status['reason']}" + (f", {status['message']}" if status.get("message") else "")
