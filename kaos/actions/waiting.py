"""Waiting until a resource is ready, and no longer than there is hope."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from kaos.actions.kinds import Kind
from kaos.actions.operators import operators
from kaos.actions.refusals import explained
from kaos.api.names import REASONS, Phase, Reason
from kaos.cluster import Client, wait
from kaos.errors import KaosError, NotReady

Object = dict[str, Any]

OPERATOR_ANSWERS_S = 5.0
# Failures that may pass while one waits: whoever runs the pods tries again.
_TRIED_AGAIN = {
    Reason.IMAGE_PULL_ERROR, Reason.CRASH_LOOPING, Reason.OOM_KILLED, Reason.HANDSHAKE_FAILED, Reason.NOT_AN_MCP_SERVER
}  # fmt: skip


class Failed(KaosError):
    """The resource is in a state that waiting does not cure."""


def until_ready(
    client: Client,
    kind: Kind,
    name: str,
    namespace: str,
    timeout_s: float,
    on_change: Callable[[Object], None] = lambda obj: None,
) -> Object:
    """The resource once what was asked for last is ready. Raises Failed, NotReady; both name reason and message."""
    deadline = time.monotonic() + timeout_s
    what = f"{kind.title} {namespace}/{name}"

    def changed(obj: Object | None) -> None:
        if obj is None:
            raise Failed(f"{what} was deleted while waiting for it.", "")
        on_change(obj)

    def within(seconds: float, condition: Callable[[Object], bool]) -> Object | None:
        try:
            return wait.until(client, kind.resource, name, namespace, condition, seconds, changed)
        except NotReady:
            return None

    if within(min(OPERATOR_ANSWERS_S, timeout_s), is_answered) is None:
        _refuse_without_operator(client, what, namespace)
    ready = within(max(deadline - time.monotonic(), 0.1), lambda obj: is_settled(obj, kind))
    if ready is None:
        with explained(client, kind.resource, name, namespace):
            last = client.get(kind.resource, name, namespace)
        raise NotReady(f"{what} was not ready within {timeout_s:g} s{state(last)}.", cure(last, kind))
    return ready


def is_answered(obj: Object) -> bool:
    """Whether an operator has looked at what was asked for last."""
    return (obj.get("status") or {}).get("observedGeneration") == obj["metadata"].get("generation")


def is_settled(obj: Object, kind: Kind) -> bool:
    """Whether what was asked for last is ready, or purposely without pods. Raises Failed when it never will be."""
    if not is_answered(obj):
        return False
    status = obj["status"]
    if status.get("phase") == Phase.SUSPENDED:
        return True
    rolling = _condition(obj, "Progressing") == "True"
    if status.get("ready") and not rolling:
        return True
    failed = status.get("phase") == Phase.FAILED or (status.get("phase") == Phase.DEGRADED and rolling)
    if failed and status.get("reason") not in _TRIED_AGAIN:
        meta = obj["metadata"]
        raise Failed(f"{kind.title} {meta['namespace']}/{meta['name']} failed{state(obj)}.", cure(obj, kind))
    return False


def state(obj: Object) -> str:
    """`: Reason, message`, or nothing."""
    status = obj.get("status") or {}
    if not status.get("reason"):
        return ""
    message = (status.get("message") or "").rstrip(".")
    return f": {status['reason']}" + (f", {message}" if message else "")


def cure(obj: Object, kind: Kind) -> str:
    """What a person may do about the state of a resource, or where to read more."""
    meta = obj["metadata"]
    reason = (obj.get("status") or {}).get("reason")
    return cure_of(reason, kind, meta) or f"See: kaos {kind.command} describe {meta['name']} -n {meta['namespace']}"


def cure_of(reason: str | None, kind: Kind, meta: Object) -> str:
    """What a person may do about a reason; nothing when there is only to wait."""
    one = f"{meta['name']} -n {meta['namespace']}"
    if reason in (Reason.CRASH_LOOPING, Reason.HANDSHAKE_FAILED, Reason.NOT_AN_MCP_SERVER):
        return f"Read its log: kaos {kind.command} logs {one}"
    if reason == Reason.SUSPENDED:
        return f"Start it again: kaos {kind.command} resume {one}"
    if reason == Reason.ROLLOUT_IN_PROGRESS or reason not in set(Reason):
        return ""
    return REASONS[Reason(reason)].cure


def _condition(obj: Object, kind: str) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((one["status"] for one in conditions if one["type"] == kind), "Unknown")


def _refuse_without_operator(client: Client, what: str, namespace: str) -> None:
    """Raises NotReady when nobody is there to make anything ready."""
    found = operators(client)
    if found is not None and not any(operator.fresh for operator in found):
        where = f"context {client.connection.context}"
        raise NotReady(f"No operator answers in {where}, so {what} stays as it is.", "Start one: kaos operator run")
