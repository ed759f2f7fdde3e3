"""Who runs the operator, as told by the Leases in the system namespace."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kaos.api.names import (
    LEASE_NAMESPACES,
    LEASE_PLACE,
    LEASE_VERSION,
    LOCAL_IDENTITY,
    OPERATOR_LEASE,
    SYSTEM_NAMESPACE,
)
from kaos.cluster import ApiError, Client
from kaos.kube import times
from kaos.kube.resources import LEASES

Object = dict[str, Any]
# Clocks differ: a Lease counts as held for twice the time that its holder promises.
_PATIENCE = 2
_DURATION_S = 15
LOCAL, CLUSTER, PROCESS = "local", "cluster", "process"
PLACES = {
    LOCAL: "in the daemon of the local cluster",
    CLUSTER: "in the cluster",
    PROCESS: "as a process outside the cluster",
}


@dataclass(frozen=True)
class OperatorState:
    """One Lease: its holder, and whether the holder still renews it."""

    lease: str
    holder: str
    fresh: bool
    renewed: str  # a time
    since: str = ""  # when the holder took the lead
    version: str = ""
    namespaces: tuple[str, ...] = ()  # that it watches; empty: all
    place: str = ""  # where it runs: LOCAL, CLUSTER, PROCESS; empty where it does not say


def operators(client: Client, system_namespace: str = SYSTEM_NAMESPACE) -> list[OperatorState] | None:
    """Those that hold or held the lead; None when we may not know."""
    try:
        leases = client.list(LEASES, system_namespace).items
    except ApiError as refused:
        if refused.code == 403:
            return None
        raise
    return [_state(lease) for lease in leases if lease["metadata"]["name"].startswith(OPERATOR_LEASE)]


def _state(lease: Object, at: datetime | None = None) -> OperatorState:
    spec = lease.get("spec") or {}
    holder, renewed = spec.get("holderIdentity") or "", spec.get("renewTime") or ""
    fresh = False
    if holder and renewed:
        age_s = ((at or datetime.now(UTC)) - times.parse(renewed)).total_seconds()
        fresh = age_s <= _PATIENCE * (spec.get("leaseDurationSeconds") or _DURATION_S)
    told = lease["metadata"].get("annotations") or {}
    watched = told.get(LEASE_NAMESPACES) or ""
    return OperatorState(
        lease["metadata"]["name"],
        holder,
        fresh,
        renewed,
        spec.get("acquireTime") or "",
        told.get(LEASE_VERSION) or "",
        tuple(watched.split(",")) if watched else (),
        LOCAL if holder == LOCAL_IDENTITY else told.get(LEASE_PLACE) or "",
    )
