"""A resource's status: conditions with their times, phase, reason and message; the same for every kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kaos.api.names import REASONS, SERVICE_PORT, Condition, Phase, Reason, child_name
from kaos.operator.decide.world import Event, Problem

Object = dict[str, Any]
_MESSAGE_LIMIT = 1024
_DEPENDENCIES = {
    Reason.SERVICE_ACCOUNT_NOT_FOUND,
    Reason.SECRET_NOT_FOUND,
    Reason.SECRET_KEY_NOT_FOUND,
    Reason.CONFIGMAP_NOT_FOUND,
    Reason.WAITING_FOR_MODELAPI,
    Reason.WAITING_FOR_MCPSERVER,
    Reason.MODEL_NOT_SERVED,
}


@dataclass(frozen=True)
class Verdict:
    """How a resource is. A person reads the first problem of `blocked`, `failing` and `lost`."""

    blocked: Problem | None = None  # what was asked for cannot be made so
    failing: Problem | None = None  # it was made so, but does not work
    lost: Problem | None = None  # something it depends on has gone since
    serves: bool = False  # pods are available and answered in their protocol
    rolling: bool = False  # pods of what was asked for are still being started
    suspended: str = ""  # why no pods are to run, in words
    waiting_for: str = ""  # what the rollout waits for, in words
    note: str = ""  # what a person should know though all is well

    @property
    def problem(self) -> Problem | None:
        return self.blocked or self.failing or (None if self.suspended else self.lost)

    @property
    def phase(self) -> Phase:
        if self.serves:
            return Phase.DEGRADED if self.problem else Phase.READY
        if self.problem:
            return REASONS[self.problem.reason].phase
        return Phase.SUSPENDED if self.suspended else Phase.PENDING

    @property
    def told(self) -> Problem:
        """The reason and message that stand for the whole resource."""
        if self.problem:
            return self.problem
        if self.suspended:
            return Problem(Reason.SUSPENDED, self.suspended)
        if self.serves:
            return Problem(Reason.READY, self.note)
        return Problem(Reason.ROLLOUT_IN_PROGRESS, self.waiting_for or "pods are being started")


def common(obj: Object, verdict: Verdict, deployment: Object | None, now: str, port: int = SERVICE_PORT) -> Object:
    """The part of the status that every kind has; `now` dates the conditions that change."""
    meta, told, live = obj["metadata"], verdict.told, (deployment or {}).get("status") or {}
    kind, name = obj["kind"], meta["name"]
    return {
        "observedGeneration": meta.get("generation", 1),
        "conditions": _conditions(obj, verdict, now),
        "phase": verdict.phase.value,
        "ready": verdict.serves,
        "reason": told.reason.value,
        "message": told.message[:_MESSAGE_LIMIT],
        "replicas": live.get("replicas", 0),
        "readyReplicas": live.get("readyReplicas", 0),
        "selector": f"kaos.tools/kind={kind},{kind.lower()}={name}",
        "endpoint": f"http://{child_name(kind, name)}.{meta['namespace']}.svc.cluster.local:{port}",
    }


def _conditions(obj: Object, verdict: Verdict, now: str) -> list[Object]:
    blocked, failing = verdict.blocked, verdict.failing
    waits = blocked is not None and REASONS[blocked.reason].phase in (Phase.WAITING, Phase.PENDING)
    missing = _dependency(blocked) or _dependency(failing) or verdict.lost
    rolling = verdict.rolling and not verdict.suspended and blocked is None
    told = verdict.told
    ready = Problem(Reason.READY, verdict.note) if verdict.serves else told
    wanted = [
        _condition(Condition.ACCEPTED, blocked is None or waits, None if waits else blocked, "Accepted"),
        _condition(Condition.DEPENDENCIES_READY, missing is None, missing, "DependenciesReady"),
        _condition(
            Condition.PROGRESSING,
            rolling,
            failing if rolling else None,
            Reason.ROLLOUT_IN_PROGRESS.value if rolling else "RolloutComplete" if verdict.serves else told.reason.value,
        ),
        _condition(Condition.READY, verdict.serves, ready, Reason.READY.value),
    ]
    before = {one["type"]: one for one in (obj.get("status") or {}).get("conditions") or ()}
    generation = obj["metadata"].get("generation", 1)
    return [_dated(one, before.get(one["type"]), now) | {"observedGeneration": generation} for one in wanted]


def _dependency(problem: Problem | None) -> Problem | None:
    """The problem, where the cure is another object's."""
    return problem if problem is not None and problem.reason in _DEPENDENCIES else None


def _condition(kind: Condition, holds: bool, problem: Problem | None, reason: str) -> Object:
    return {
        "type": kind.value,
        "status": str(holds),
        "reason": problem.reason.value if problem else reason,
        "message": (problem.message if problem else "")[:_MESSAGE_LIMIT],
    }


def _dated(condition: Object, before: Object | None, now: str) -> Object:
    since = before.get("lastTransitionTime") if before and before["status"] == condition["status"] else None
    return condition | {"lastTransitionTime": since or now}


def transition(obj: Object, verdict: Verdict) -> tuple[Event, ...]:
    """The event that a change of phase or reason deserves; nothing for what only goes on."""
    before = obj.get("status") or {}
    told, phase = verdict.told, verdict.phase
    if (before.get("phase"), before.get("reason")) == (phase.value, told.reason.value):
        return ()
    if told.reason is Reason.ROLLOUT_IN_PROGRESS and before.get("phase") in (None, Phase.PENDING.value):
        return ()
    good = phase in (Phase.READY, Phase.SUSPENDED, Phase.PENDING)
    message = told.message or REASONS[told.reason].meaning
    return (Event(told.reason.value, message[:_MESSAGE_LIMIT], warning=not good),)
