"""PersistentVolumeClaims: each is a directory, bound at once and deleted with the claim."""

from __future__ import annotations

import shutil
from pathlib import Path

from kaos.kube.resources import PERSISTENTVOLUMECLAIMS
from kaos.local.controllers.base import Controller, NamespacedName, place
from kaos.local.machinery import Machinery, WatchEvent


def claim_directory(volumes: Path, namespace: str, name: str) -> Path:
    return volumes / f"{namespace}_{name}"


class ClaimController(Controller):
    watches = (PERSISTENTVOLUMECLAIMS,)

    def __init__(self, machinery: Machinery, volumes: Path) -> None:
        super().__init__(machinery)
        self._volumes = volumes

    def keys(self, event: WatchEvent) -> list[NamespacedName]:
        return [place(event.object)]

    def reconcile(self, namespace: str, name: str) -> float | None:
        directory = claim_directory(self._volumes, namespace, name)
        claim = self.machinery.find(PERSISTENTVOLUMECLAIMS, namespace, name)
        if claim is None:
            shutil.rmtree(directory, ignore_errors=True)
            return None
        if claim["metadata"].get("deletionTimestamp"):
            return None
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not claim["spec"].get("volumeName"):
            volume = f"pvc-{claim['metadata']['uid']}"
            self.machinery.mutate(
                PERSISTENTVOLUMECLAIMS, namespace, name, lambda obj: obj["spec"].update(volumeName=volume)
            )
        status = {
            "phase": "Bound",
            "accessModes": claim["spec"]["accessModes"],
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
        }
        if claim.get("status") != status:
            self.machinery.mutate_status(PERSISTENTVOLUMECLAIMS, namespace, name, lambda obj: obj.update(status=status))
        return None
