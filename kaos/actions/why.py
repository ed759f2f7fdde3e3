"""Why something is not well: from a resource to the one cause behind it, and from there to the cure. Pure.

Whatever waits for something else is not at fault: the cause is looked for there, until something is found that is
broken by itself. Each cause is told once, with all that it breaks.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from kaos.actions.cures import Cause, missing, not_exposed, of_itself, system_causes
from kaos.actions.evidence import Link, chain
from kaos.actions.graph import DELEGATES_TO, NOT_EXPOSED, needs, problem
from kaos.actions.health import Ref, State, state_of
from kaos.actions.survey import Survey
from kaos.api.names import Reason

_WAITING = (Reason.WAITING_FOR_MODELAPI, Reason.WAITING_FOR_MCPSERVER)


@dataclass(frozen=True)
class Trouble:
    """One cause, what it breaks, and the way from the first of those to the cause."""

    cause: Cause
    breaks: tuple[Ref, ...]
    chain: Link | None  # None where KAOS itself is at fault


@dataclass(frozen=True)
class Diagnosis:
    """What there is to say of one resource: nothing is wrong when there are no troubles."""

    ref: Ref
    state: State
    troubles: tuple[Trouble, ...]
    chain: Link


def diagnose(survey: Survey, ref: Ref) -> Diagnosis:
    """One resource that is there."""
    whole = chain(survey, ref)
    found = [*system_causes(survey), *causes(survey, ref)]
    troubles = tuple(Trouble(cause, (ref,), whole) for cause in dict.fromkeys(found))
    return Diagnosis(ref, state_of(survey.resources[ref]), troubles, whole)


def troubles(survey: Survey) -> list[Trouble]:
    """Everything that is wrong, the worst first; KAOS itself before all else."""
    broken: dict[Cause, list[Ref]] = {}
    for ref in sorted(survey.resources):
        for cause in causes(survey, ref):
            broken.setdefault(cause, []).append(ref)
    found = [Trouble(cause, (), None) for cause in system_causes(survey)]
    told = [Trouble(cause, tuple(refs), chain(survey, _source(survey, cause, refs))) for cause, refs in broken.items()]
    told.sort(key=lambda one: (one.cause.state.rank, -len(one.breaks), one.cause.about))
    return found + told


def _source(survey: Survey, cause: Cause, refs: list[Ref]) -> Ref:
    """The broken thing itself where it is a resource that is there, else the one that lacks it, else any."""
    at_fault = [ref for ref in refs if str(ref) == cause.about]
    nearest = [ref for ref in refs if (survey.resources[ref].get("status") or {}).get("reason") == cause.reason]
    return next(iter(at_fault + nearest), refs[0])


def causes(survey: Survey, ref: Ref) -> list[Cause]:
    """What keeps a resource from being well, and an agent from delegating, however far the agents lead."""
    found = _own(survey, ref)
    met, ahead = {ref}, deque([ref])
    while ahead:
        for edge in needs(survey.resources[ahead.popleft()]):
            if edge.does != DELEGATES_TO or not (why := problem(edge, survey.resources)):
                continue
            if edge.used not in survey.resources:
                # The agent works on without its peer.
                found.append(replace(missing(survey, edge.user, edge.used), state=State.DEGRADED))
            elif why == NOT_EXPOSED:
                found.append(not_exposed(edge))
            elif edge.used not in met:
                met.add(edge.used)
                ahead.append(edge.used)
                found += _own(survey, edge.used, wanted=True)
    return list(dict.fromkeys(found))


def _own(survey: Survey, ref: Ref, wanted: bool = False) -> list[Cause]:
    """Peers aside. `wanted`: something else needs it, so that suspended is no good."""
    obj = survey.resources[ref]
    status = obj.get("status") or {}
    if not status and not survey.operator_runs:
        return []  # nobody has looked at it: the missing operator is the cause, and told as such
    state = state_of(obj)
    if state is State.READY or (state is State.SUSPENDED and not wanted):
        return []
    return (_behind(survey, ref) if status.get("reason") in _WAITING else []) or [of_itself(survey, ref)]


def _behind(survey: Survey, ref: Ref) -> list[Cause]:
    """What it waits for is at fault; by itself it only waits."""
    found: list[Cause] = []
    for edge in needs(survey.resources[ref]):
        if edge.does != DELEGATES_TO and edge.used not in survey.resources:
            found.append(missing(survey, ref, edge.used))
        elif edge.does != DELEGATES_TO:
            found += _own(survey, edge.used, wanted=True)
    return found
