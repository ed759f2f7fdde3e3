"""Deployments: ReplicaSets by revision, rolled over without a gap."""

from __future__ import annotations

import copy
import hashlib
import json

from kaos.kube import times
from kaos.kube.resources import DEPLOYMENTS, PODS, REPLICASETS
from kaos.local.controllers.base import Controller, NamespacedName, Object, condition, controller_of, place
from kaos.local.controllers.base import owner_reference as reference
from kaos.local.events import EventRecorder
from kaos.local.machinery import DeleteOptions, Machinery, WatchEvent

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
_NOT_COPIED = {"kubectl.kubernetes.io/last-applied-configuration", REVISION}


class DeploymentController(Controller):
    watches = (DEPLOYMENTS, REPLICASETS)

    def __init__(self, machinery: Machinery) -> None:
        super().__init__(machinery)
        self._events = EventRecorder(machinery, "deployment-controller")

    def keys(self, event: WatchEvent) -> list[NamespacedName]:
        if event.object["kind"] == "Deployment":
            return [place(event.object)] if event.type != "DELETED" else []
        owner = controller_of(event.object, "Deployment")
        return [(event.object["metadata"]["namespace"], owner["name"])] if owner else []

    def reconcile(self, namespace: str, name: str) -> float | None:
        deployment = self.machinery.find(DEPLOYMENTS, namespace, name)
        if deployment is None or deployment["metadata"].get("deletionTimestamp"):
            return None
        sets = self.machinery.controlled_by(deployment, REPLICASETS)
        new = next((rs for rs in sets if _same_template(rs, deployment)), None)
        old = [rs for rs in sets if new is None or rs["metadata"]["uid"] != new["metadata"]["uid"]]
        if not deployment["spec"].get("paused"):
            new = self._new_set(deployment, new, old)
            if deployment["spec"]["strategy"]["type"] == "Recreate":
                self._recreate(deployment, new, old)
            else:
                self._roll(deployment, new, old)
            self._clean_up(deployment, old)
        elif new is not None and not any(_wanted(rs) for rs in old):
            self._scale(deployment, new, deployment["spec"]["replicas"])
        return self._report(deployment)

    # ReplicaSets.

    def _new_set(self, deployment: Object, new: Object | None, old: list[Object]) -> Object:
        meta = deployment["metadata"]
        revision = max((_revision(rs) for rs in old), default=0) + 1
        if new is None:
            new = self._create_set(deployment, revision)
        elif _revision(new) < revision and old:
            new = self._annotate(REPLICASETS, new, REVISION, str(revision))
        shown = str(max(_revision(new), 1))
        if (meta.get("annotations") or {}).get(REVISION) != shown:
            self._annotate(DEPLOYMENTS, deployment, REVISION, shown)
        return new

    def _create_set(self, deployment: Object, revision: int) -> Object:
        meta = deployment["metadata"]
        template = copy.deepcopy(deployment["spec"]["template"])
        digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
        labels = {**template.get("metadata", {}).get("labels", {}), HASH_LABEL: digest}
        template.setdefault("metadata", {})["labels"] = labels
        selector = copy.deepcopy(deployment["spec"]["selector"])
        selector.setdefault("matchLabels", {})[HASH_LABEL] = digest
        annotations = {k: v for k, v in (meta.get("annotations") or {}).items() if k not in _NOT_COPIED}
        body = {
            "metadata": {
                "name": f"{meta['name']}-{digest}",
                "labels": labels,
                "annotations": {**annotations, REVISION: str(revision)},
                "ownerReferences": [reference(deployment)],
            },
            "spec": {"replicas": 0, "selector": selector, "template": template},
        }
        if hold_s := deployment["spec"].get("minReadySeconds"):
            body["spec"]["minReadySeconds"] = hold_s
        return self.machinery.create(REPLICASETS, body, meta["namespace"])

    def _annotate(self, resource, obj: Object, key: str, value: str) -> Object:
        def change(live: Object) -> None:
            live["metadata"].setdefault("annotations", {})[key] = value

        return self.machinery.mutate(resource, obj["metadata"]["namespace"], obj["metadata"]["name"], change)

    def _scale(self, deployment: Object, replica_set: Object, replicas: int) -> None:
        before = _wanted(replica_set)
        if before == replicas:
            return
        meta = replica_set["metadata"]
        self.machinery.mutate(
            REPLICASETS, meta["namespace"], meta["name"], lambda obj: obj["spec"].update(replicas=replicas)
        )
        replica_set["spec"]["replicas"] = replicas
        direction = "up" if replicas > before else "down"
        message = f"Scaled {direction} replica set {meta['name']} from {before} to {replicas}"
        self._events.record(deployment, "Normal", "ScalingReplicaSet", message)

    # Strategies.

    def _recreate(self, deployment: Object, new: Object, old: list[Object]) -> None:
        for replica_set in old:
            self._scale(deployment, replica_set, 0)
        uids = {rs["metadata"]["uid"] for rs in old}
        pods = self.machinery.list(PODS, deployment["metadata"]["namespace"])
        if not any(o["uid"] in uids for pod in pods for o in pod["metadata"].get("ownerReferences") or ()):
            self._scale(deployment, new, deployment["spec"]["replicas"])
        else:
            # The old pods' end changes their ReplicaSet's pods, not the ReplicaSet: look again soon.
            import asyncio

            asyncio.get_running_loop().call_later(0.1, self.add, place(deployment))

    def _roll(self, deployment: Object, new: Object, old: list[Object]) -> None:
        wanted = deployment["spec"]["replicas"]
        surge, unavailable = _limits(deployment)
        total = sum(_wanted(rs) for rs in [new, *old])
        if _wanted(new) > wanted:
            self._scale(deployment, new, wanted)
        elif _wanted(new) < wanted:
            self._scale(deployment, new, min(wanted, _wanted(new) + max(wanted + surge - total, 0)))
        available = sum(_available(rs) for rs in [new, *old])
        spare = available - (wanted - unavailable)
        for replica_set in sorted(old, key=_revision):
            # Old pods that do not serve are no loss.
            idle = max(_wanted(replica_set) - _available(replica_set), 0)
            serving = min(_wanted(replica_set) - idle, max(spare, 0))
            spare -= serving
            self._scale(deployment, replica_set, _wanted(replica_set) - idle - serving)

    def _clean_up(self, deployment: Object, old: list[Object]) -> None:
        limit = deployment["spec"].get("revisionHistoryLimit", 10)
        idle = [rs for rs in old if not _wanted(rs) and not rs.get("status", {}).get("replicas")]
        for replica_set in sorted(idle, key=_revision)[: max(len(idle) - limit, 0)]:
            meta = replica_set["metadata"]
            self.machinery.delete(REPLICASETS, meta["namespace"], meta["name"], DeleteOptions())

    # Status.

    def _report(self, deployment: Object) -> float | None:
        namespace, name = place(deployment)
        live = self.machinery.get(DEPLOYMENTS, namespace, name)
        sets = self.machinery.controlled_by(live, REPLICASETS)
        new = next((rs for rs in sets if _same_template(rs, live)), None)
        wanted = live["spec"]["replicas"]
        counts = {
            "observedGeneration": live["metadata"]["generation"],
            "replicas": sum(rs.get("status", {}).get("replicas", 0) for rs in sets),
            "updatedReplicas": (new or {}).get("status", {}).get("replicas", 0),
            "readyReplicas": sum(rs.get("status", {}).get("readyReplicas", 0) for rs in sets),
            "availableReplicas": sum(_available(rs) for rs in sets),
        }
        counts["unavailableReplicas"] = max(wanted - counts["availableReplicas"], 0)
        status = {key: value for key, value in counts.items() if value}
        conditions, again_s = _conditions(live, new, counts, wanted)
        status["conditions"] = conditions
        if live.get("status") != status:
            self.machinery.mutate_status(DEPLOYMENTS, namespace, name, lambda obj: obj.update(status=status))
        return again_s


def _conditions(live: Object, new: Object | None, counts: Object, wanted: int) -> tuple[list[Object], float | None]:
    _, unavailable = _limits(live)
    enough = counts["availableReplicas"] >= wanted - unavailable
    available = (
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        if enough
        else ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    )
    conditions = [_condition(live, "Available", *available)]
    deadline_s = live["spec"].get("progressDeadlineSeconds", 600)
    name = new["metadata"]["name"] if new else ""
    done = new is not None and counts["updatedReplicas"] == counts["replicas"] == wanted == counts["availableReplicas"]
    before = condition(live, "Progressing")
    progress = {key: live.get("status", {}).get(key, 0) for key in ("updatedReplicas", "readyReplicas", "replicas")}
    moved = any(counts[key] != value for key, value in progress.items())
    if done:
        verdict = ("True", "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
    elif new is None:
        verdict = ("Unknown", "DeploymentPaused", "Deployment is paused")
    elif before and not moved and before["reason"] != "NewReplicaSetAvailable" and _since_s(before) >= deadline_s:
        verdict = ("False", "ProgressDeadlineExceeded", f'ReplicaSet "{name}" has timed out progressing.')
    else:
        verdict = ("True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
    progressing = _condition(live, "Progressing", *verdict)
    if before is None or moved or before["reason"] != progressing["reason"]:
        progressing["lastUpdateTime"] = times.now()
    conditions.append(progressing)
    waits = not done and verdict[0] == "True"
    return conditions, max(deadline_s - _since_s(progressing), 0) + 1 if waits else None


def _condition(live: Object, kind: str, status: str, reason: str, message: str) -> Object:
    before = condition(live, kind)
    moment = times.now()
    changed = before is None or before["status"] != status
    same = before is not None and (before["status"], before["reason"], before["message"]) == (status, reason, message)
    return {
        "type": kind,
        "status": status,
        "lastUpdateTime": before["lastUpdateTime"] if same else moment,
        "lastTransitionTime": moment if changed else before["lastTransitionTime"],
        "reason": reason,
        "message": message,
    }


def _since_s(progressing: Object) -> float:
    return (times.parse(times.now()) - times.parse(progressing["lastUpdateTime"])).total_seconds()


def _same_template(replica_set: Object, deployment: Object) -> bool:
    mine = copy.deepcopy(replica_set["spec"]["template"])
    mine["metadata"]["labels"].pop(HASH_LABEL, None)
    return mine == deployment["spec"]["template"]


def _revision(replica_set: Object) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION, 0))


def _wanted(replica_set: Object) -> int:
    return replica_set["spec"].get("replicas", 0)


def _available(replica_set: Object) -> int:
    return replica_set.get("status", {}).get("availableReplicas", 0)


def _limits(deployment: Object) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods; at least one of them lets the rollout move."""
    rolling = deployment["spec"]["strategy"].get("rollingUpdate")
    if rolling is None:
        return 0, 0
    wanted = deployment["spec"]["replicas"]
    surge = _share(rolling.get("maxSurge", "25%"), wanted, up=True)
    unavailable = _share(rolling.get("maxUnavailable", "25%"), wanted, up=False)
    return (surge, unavailable) if surge or unavailable else (0, 1)


def _share(value: int | str, of: int, up: bool) -> int:
    if isinstance(value, int):
        return value
    share = of * int(value.rstrip("%"))
    return -(-share // 100) if up else share // 100
