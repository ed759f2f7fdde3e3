"""A pod's status from what is known of its containers: phase, conditions, addresses."""

from __future__ import annotations

from typing import Any

from kaos.kube import times
from kaos.local.node.container import Container

Object = dict[str, Any]
_HERE = "127.0.0.1"


class PodStatus:
    """Remembers since when each condition holds."""

    def __init__(self, pod: Object) -> None:
        before = pod["status"]
        self._conditions: dict[str, Object] = {c["type"]: c for c in before.get("conditions") or ()}
        self._started_at = before.get("startTime") or times.now()

    def of(self, pod: Object, containers: list[Container], *, initialized: bool, prepared: bool) -> Object:
        mains = [c for c in containers if not c.init]
        inits = [c for c in containers if c.init]
        ready = bool(mains) and all(c.ready for c in mains)
        unready = " ".join(c.name for c in mains if not c.ready)
        why = ("ContainersNotReady", f"containers with unready status: [{unready}]")
        status = {
            "phase": _phase(pod["spec"]["restartPolicy"], inits, mains, initialized),
            "conditions": [
                self._condition("PodReadyToStartContainers", prepared),
                self._condition("Initialized", initialized or not inits),
                self._condition("Ready", ready, *(() if ready else why)),
                self._condition("ContainersReady", ready, *(() if ready else why)),
                self._condition("PodScheduled", True),
            ],
            "hostIP": _HERE,
            "hostIPs": [{"ip": _HERE}],
            "podIP": _HERE,
            "podIPs": [{"ip": _HERE}],
            "startTime": self._started_at,
            "observedGeneration": pod["metadata"].get("generation", 1),
            "containerStatuses": [c.status() for c in mains],
        }
        return status | ({"initContainerStatuses": [c.status() for c in inits]} if inits else {})

    def _condition(self, kind: str, holds: bool, reason: str = "", message: str = "") -> Object:
        wanted = {"type": kind, "status": str(holds), "reason": reason, "message": message}
        wanted = {key: value for key, value in wanted.items() if value}
        before = self._conditions.get(kind, {})
        since = before.get("lastTransitionTime") if before.get("status") == wanted["status"] else None
        made = {**wanted, "lastTransitionTime": since or times.now()}
        self._conditions[kind] = made
        return made


def _phase(policy: str, inits: list[Container], mains: list[Container], initialized: bool) -> str:
    if policy == "Never" and any("terminated" in c.state and not c.done for c in inits):
        return "Failed"
    ended = initialized and all("terminated" in c.state for c in mains)
    if ended and (policy == "Never" or (policy == "OnFailure" and all(c.done for c in mains))):
        return "Succeeded" if all(c.done for c in mains) else "Failed"
    return "Running" if initialized and any(c.has_run for c in mains) else "Pending"
