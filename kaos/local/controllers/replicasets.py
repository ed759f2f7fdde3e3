"""ReplicaSets: as many pods as asked for."""

from __future__ import annotations

import copy

from kaos.kube import selectors, times
from kaos.kube.resources import PODS, REPLICASETS
from kaos.local.controllers.base import Controller, NamespacedName, Object, controller_of, is_ready, owned, place
from kaos.local.controllers.base import owner_reference as reference
from kaos.local.events import EventRecorder
from kaos.local.machinery import Machinery, WatchEvent
from kaos.local.status import ApiStatus


class ReplicaSetController(Controller):
    watches = (REPLICASETS, PODS)

    def __init__(self, machinery: Machinery) -> None:
        super().__init__(machinery)
        self._events = EventRecorder(machinery, "replicaset-controller")

    def keys(self, event: WatchEvent) -> list[NamespacedName]:
        if event.object["kind"] == "ReplicaSet":
            return [place(event.object)] if event.type != "DELETED" else []
        owner = controller_of(event.object, "ReplicaSet")
        return [(event.object["metadata"]["namespace"], owner["name"])] if owner else []

    def reconcile(self, namespace: str, name: str) -> float | None:
        replica_set = self.machinery.find(REPLICASETS, namespace, name)
        if replica_set is None:
            return None
        selector = selectors.from_object(replica_set["spec"]["selector"])
        pods = owned(self.machinery.list(PODS, namespace, selector), replica_set)
        active = [pod for pod in pods if _is_active(pod)]
        if not replica_set["metadata"].get("deletionTimestamp"):
            self._scale(replica_set, active)
            active = [
                pod for pod in owned(self.machinery.list(PODS, namespace, selector), replica_set) if _is_active(pod)
            ]
        return self._report(replica_set, active)

    def _scale(self, replica_set: Object, active: list[Object]) -> None:
        wanted = replica_set["spec"].get("replicas", 1)
        for _ in range(wanted - len(active)):
            self._create_pod(replica_set)
        if len(active) > wanted:
            # Pods that do not serve go first, then the youngest.
            order = sorted(active, key=lambda pod: (is_ready(pod), pod["metadata"]["creationTimestamp"]))
            unready = [pod for pod in order if not is_ready(pod)]
            ready = [pod for pod in order if is_ready(pod)][::-1]
            for pod in (unready + ready)[: len(active) - wanted]:
                self.machinery.delete(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])
                self._events.record(
                    replica_set, "Normal", "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}"
                )

    def _create_pod(self, replica_set: Object) -> None:
        template = copy.deepcopy(replica_set["spec"]["template"])
        meta = {key: template.get("metadata", {}).get(key) for key in ("labels", "annotations", "finalizers")}
        pod = {
            "metadata": {
                **{key: value for key, value in meta.items() if value},
                "generateName": f"{replica_set['metadata']['name']}-",
                "ownerReferences": [reference(replica_set)],
            },
            "spec": template["spec"],
        }
        try:
            made = self.machinery.create(PODS, pod, replica_set["metadata"]["namespace"])
        except ApiStatus as refused:
            self._events.record(replica_set, "Warning", "FailedCreate", f"Error creating: {refused}")
            raise
        message = f"Created pod: {made['metadata']['name']}"
        self._events.record(replica_set, "Normal", "SuccessfulCreate", message)

    def _report(self, replica_set: Object, active: list[Object]) -> float | None:
        hold_s = replica_set["spec"].get("minReadySeconds", 0)
        ready = [pod for pod in active if is_ready(pod)]
        waits = [hold_s - _ready_for_s(pod) for pod in ready] if hold_s else []
        status = {
            "replicas": len(active),
            "fullyLabeledReplicas": len(active),
            "readyReplicas": len(ready),
            "availableReplicas": len(ready) if not hold_s else sum(wait <= 0 for wait in waits),
            "observedGeneration": replica_set["metadata"].get("generation", 1),
        }
        status = {key: value for key, value in status.items() if value or key == "replicas"}
        if replica_set.get("status") != status:
            meta = replica_set["metadata"]
            self.machinery.mutate_status(
                REPLICASETS, meta["namespace"], meta["name"], lambda obj: obj.update(status=status)
            )
        return min((wait for wait in waits if wait > 0), default=None)


def _is_active(pod: Object) -> bool:
    return not pod["metadata"].get("deletionTimestamp") and pod["status"].get("phase") not in ("Succeeded", "Failed")


def _ready_for_s(pod: Object) -> float:
    since = next(c["lastTransitionTime"] for c in pod["status"]["conditions"] if c["type"] == "Ready")
    return (times.parse(times.now()) - times.parse(since)).total_seconds()
