"""Events: what a person should know, counted rather than repeated."""

from __future__ import annotations

import hashlib
from typing import Any

from kaos.kube import times
from kaos.kube.resources import EVENTS
from kaos.local.machinery import Machinery
from kaos.local.status import ApiStatus

Object = dict[str, Any]
KEPT_PER_NAMESPACE = 1000


class EventRecorder:
    """Writes events for one component."""

    def __init__(self, machinery: Machinery, component: str) -> None:
        self._machinery = machinery
        self._component = component

    def record(self, about: Object, kind: str, reason: str, message: str, field_path: str = "") -> None:
        """Note it, or count it when it has been noted before. An event that cannot be written is no failure."""
        meta = about["metadata"]
        namespace = meta.get("namespace") or "default"
        digest = hashlib.sha256(f"{meta.get('uid')}{kind}{reason}{message}{field_path}".encode()).hexdigest()[:16]
        name = f"{meta['name'][:230]}.{digest}"
        now = times.now()
        try:
            if self._machinery.find(EVENTS, namespace, name) is not None:
                self._machinery.mutate(
                    EVENTS, namespace, name,
                    lambda obj: obj.update(count=obj.get("count", 1) + 1, lastTimestamp=now),
                )  # fmt: skip
                return
            self._make_room(namespace)
            self._machinery.create(
                EVENTS,
                {
                    "metadata": {"name": name},
                    "involvedObject": {
                        "apiVersion": about["apiVersion"],
                        "kind": about["kind"],
                        "name": meta["name"],
                        "namespace": meta.get("namespace", ""),
                        "uid": meta.get("uid", ""),
                        **({"fieldPath": field_path} if field_path else {}),
                    },
                    "type": kind,
                    "reason": reason,
                    "message": message[:1024],
                    "count": 1,
                    "firstTimestamp": now,
                    "lastTimestamp": now,
                    "source": {"component": self._component},
                    "reportingComponent": self._component,
                    "reportingInstance": "",
                },
                namespace,
            )
        except ApiStatus:
            return

    def _make_room(self, namespace: str) -> None:
        stored = self._machinery.select(EVENTS, namespace)
        if len(stored) < KEPT_PER_NAMESPACE:
            return
        oldest = sorted(stored, key=lambda s: s.revision)[: KEPT_PER_NAMESPACE // 10]
        for one in oldest:
            self._machinery.delete(EVENTS, namespace, one.obj["metadata"]["name"])
