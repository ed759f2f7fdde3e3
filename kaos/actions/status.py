"""The one glance: which cluster, who runs the operator, what is healthy, what is broken and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from kaos.actions import resources
from kaos.actions.kinds import KINDS, Kind
from kaos.actions.operators import OperatorState, operators
from kaos.api.names import REASONS, Phase, Reason
from kaos.cluster import Client
from kaos.errors import Forbidden, NotFound

READY, SUSPENDED, PENDING, FAILED = "ready", "suspended", "pending", "failed"


@dataclass(frozen=True)
class Health:
    """How one resource is."""

    kind: str
    command: str
    name: str
    namespace: str
    state: str  # one of the words above
    reason: str
    message: str


@dataclass(frozen=True)
class Overview:
    """What `kaos status` tells. `namespace` is None for all of them, `operators` when we may not know."""

    context: str
    server: str
    namespace: str | None
    installed: bool
    operators: list[OperatorState] | None
    counts: dict[str, dict[str, int] | None]  # kind -> state -> how many; None where we may not look
    troubled: list[Health]  # the failed ones first
    next: list[str]

    @property
    def operator(self) -> OperatorState | None:
        """The one that works."""
        return next((one for one in self.operators or () if one.fresh), None)


def overview(client: Client, namespace: str | None) -> Overview:
    connection = client.connection
    installed, found, refusals = True, [], {}
    for kind in KINDS:
        try:
            found += _of_kind(client, kind, namespace)
        except NotFound:
            installed = False
        except Forbidden as refused:
            refusals[kind.title] = refused
    if len(refusals) == len(KINDS):
        raise refusals[KINDS[0].title]
    leases = operators(client)
    counts = {kind.title: None if kind.title in refusals else _count(found, kind) for kind in KINDS}
    troubled = sorted(
        (one for one in found if one.state in (FAILED, PENDING)),
        key=lambda one: (one.state != FAILED, one.namespace, one.name),
    )
    runs = leases is None or any(one.fresh for one in leases)
    return Overview(
        connection.context, connection.server, namespace, installed, leases, counts, troubled,
        _next(installed, runs, found, troubled),
    )  # fmt: skip


def _count(found: list[Health], kind: Kind) -> dict[str, int]:
    states = [one.state for one in found if one.kind == kind.title]
    return {state: states.count(state) for state in (READY, PENDING, SUSPENDED, FAILED) if state in states}


def _of_kind(client: Client, kind: Kind, namespace: str | None) -> list[Health]:
    table = resources.table(client, kind, namespace, wide=True)
    at = {column: index for index, column in enumerate(table.columns)}
    found = []
    for row, name, where in zip(table.rows, table.names, table.namespaces, strict=True):
        ready, reason = row[at["Ready"]], row[at["Reason"]]
        message = row[at["Message"]] if row[at["Message"]] != "-" else ""
        found.append(Health(kind.title, kind.command, name, where, _state(ready, reason), reason, message))
    return found


def _state(ready: str, reason: str) -> str:
    if ready == "True":
        return READY
    if reason == Reason.SUSPENDED:
        return SUSPENDED
    known = REASONS.get(Reason(reason)) if reason in set(Reason) else None
    return FAILED if known and known.phase is Phase.FAILED else PENDING


def _next(installed: bool, runs: bool, found: list[Health], troubled: list[Health]) -> list[str]:
    if not installed:
        return ["kaos system install"]
    steps = [] if runs else ["kaos operator run"]
    if troubled:
        worst = troubled[0]
        steps.append(f"kaos why {worst.command}/{worst.name} -n {worst.namespace}")
    elif not found:
        steps.append("kaos mcp deploy -f FILE")
    return steps
