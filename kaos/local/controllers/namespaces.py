"""Namespaces: each gets the ServiceAccount `default`, as on every cluster."""

from __future__ import annotations

from kaos.kube.resources import NAMESPACES, SERVICEACCOUNTS
from kaos.local.controllers.base import Controller, NamespacedName
from kaos.local.machinery import WatchEvent


class NamespaceController(Controller):
    watches = (NAMESPACES,)

    def keys(self, event: WatchEvent) -> list[NamespacedName]:
        return [("", event.object["metadata"]["name"])] if event.type == "ADDED" else []

    def reconcile(self, namespace: str, name: str) -> float | None:
        found = self.machinery.find(NAMESPACES, None, name)
        active = found is not None and found["status"].get("phase") == "Active"
        if active and self.machinery.find(SERVICEACCOUNTS, name, "default") is None:
            self.machinery.create(SERVICEACCOUNTS, {"metadata": {"name": "default"}}, name)
        return None
