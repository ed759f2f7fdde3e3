"""A small hand on a live cluster: create, look, and wait by watching, never by sleeping."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx

Object = dict[str, Any]
Holds = Callable[[Object | None], Any]

COLLECTIONS = {
    "Pod": "/api/v1/namespaces/{ns}/pods",
    "ConfigMap": "/api/v1/namespaces/{ns}/configmaps",
    "Secret": "/api/v1/namespaces/{ns}/secrets",
    "Service": "/api/v1/namespaces/{ns}/services",
    "Event": "/api/v1/namespaces/{ns}/events",
    "PersistentVolumeClaim": "/api/v1/namespaces/{ns}/persistentvolumeclaims",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices",
    "Deployment": "/apis/apps/v1/namespaces/{ns}/deployments",
    "ReplicaSet": "/apis/apps/v1/namespaces/{ns}/replicasets",
    "Widget": "/apis/parity.example.com/v1/namespaces/{ns}/widgets",
}


class Kube:
    """One namespace of a live cluster."""

    def __init__(self, http: httpx.Client, namespace: str) -> None:
        self.http = http
        self.namespace = namespace

    def path(self, kind: str, name: str = "") -> str:
        return "/".join(filter(None, [COLLECTIONS[kind].format(ns=self.namespace), name]))

    def create(self, obj: Object) -> Object:
        made = self.http.post(self.path(obj["kind"]), json=obj)
        assert made.status_code == 201, made.text
        return made.json()

    def get(self, kind: str, name: str) -> Object:
        found = self.http.get(self.path(kind, name))
        assert found.status_code == 200, found.text
        return found.json()

    def list(self, kind: str, **query: str) -> list[Object]:
        return self.http.get(self.path(kind), params=query).json()["items"]

    def patch(self, kind: str, name: str, patch: Object, media: str = "application/merge-patch+json") -> Object:
        made = self.http.patch(self.path(kind, name), content=json.dumps(patch), headers={"Content-Type": media})
        assert made.status_code == 200, made.text
        return made.json()

    def delete(self, kind: str, name: str, **options: Any) -> None:
        gone = self.http.request("DELETE", self.path(kind, name), json=options)
        assert gone.status_code == 200, gone.text

    def logs(self, pod: str, **query: str) -> str:
        found = self.http.get(f"{self.path('Pod', pod)}/log", params=query)
        assert found.status_code == 200, found.text
        return found.text

    def until(self, kind: str, name: str, holds: Holds, timeout_s: float = 20) -> Object | None:
        """Follow the object until `holds` says so (None: it is gone) and return it."""
        chosen = {"fieldSelector": f"metadata.name={name}"}
        now = self.http.get(self.path(kind), params=chosen).json()
        seen = next(iter(now["items"]), None)
        if holds(seen):
            return seen
        since = {"resourceVersion": now["metadata"]["resourceVersion"], "timeoutSeconds": str(int(timeout_s))}
        query = chosen | since | {"watch": "true"}
        with self.http.stream("GET", self.path(kind), params=query, timeout=timeout_s + 5) as events:
            for line in events.iter_lines():
                event = json.loads(line)
                seen = None if event["type"] == "DELETED" else event["object"]
                if holds(seen):
                    return seen
        raise AssertionError(f"{kind} {name} did not come to what was wanted within {timeout_s} s: {seen}")

    def gone(self, kind: str, name: str, timeout_s: float = 20) -> None:
        self.until(kind, name, lambda obj: obj is None, timeout_s)


def pod(name: str, *programs: str, **spec: Any) -> Object:
    """A pod whose containers `main`, `second`, ... each run a Python program; `main` may be given as `container`."""
    names = ("main", "second", "third")
    extra = spec.pop("container", {})
    annotations = {
        f"local.kaos.tools/command.{container}": json.dumps(["python", "-c", program])
        for container, program in zip(names, programs, strict=False)
    }
    containers = [{"name": container, "image": "example.com/x:1"} for container in names[: len(programs)]]
    containers[0] |= extra
    full = {"terminationGracePeriodSeconds": 1, "restartPolicy": "Never", "containers": containers, **spec}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}, "annotations": annotations},
        "spec": full,
    }


def container(obj: Object | None, name: str = "main") -> Object:
    """The status of one container."""
    status = (obj or {}).get("status", {})
    listed = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    return next((c for c in listed if c["name"] == name), {"state": {}, "restartCount": 0, "ready": False})


def phase(*wanted: str) -> Holds:
    return lambda obj: obj is not None and obj["status"].get("phase") in wanted


def is_ready(obj: Object | None) -> bool:
    conditions = (obj or {}).get("status", {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def moment() -> float:
    return time.monotonic()
