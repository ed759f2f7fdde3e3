"""Why something is not well: from a resource to the one cause behind it, and from there to the cure. Pure.

Whatever waits for something else is not at fault: the cause is looked for there, until something is found that is
broken by itself. Each cause is told once, with all that it breaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kaos.actions.cures import Cause, missing, not_exposed, of_itself, system_causes
from kaos.actions.evidence import Link, chain
from kaos.actions.graph import DELEGATES_TO, needs, problem
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


def causes(survey: Survey, ref: Ref, wanted: bool = False, seen: set[Ref] | None = None) -> list[Cause]:
    """What keeps a resource from being well. `wanted`: something else needs it, so that suspended is no good.

    What was looked at is not looked at again: agents may know each other in any number of ways.
    """
    seen = set() if seen is None else seen
    if ref in seen:
        return []
    seen.add(ref)
    obj = survey.resources[ref]
    status = obj.get("status") or {}
    if not status and not survey.operator_runs:
        return []  # nobody has looked at it: the missing operator is the cause, and told as such
    state = state_of(obj)
    found: list[Cause] = []
    if state is State.SUSPENDED:
        found = [of_itself(survey, ref)] if wanted else []
    elif state is not State.READY:
        found = _behind(survey, ref, seen) if status.get("reason") in _WAITING else [of_itself(survey, ref)]
    return list(dict.fromkeys([*found, *_peers(survey, ref, seen)]))


def _behind(survey: Survey, ref: Ref, seen: set[Ref]) -> list[Cause]:
    """What it waits for is at fault; by itself it only waits."""
    found = [cause for edge in needs(survey.resources[ref]) if edge.does != DELEGATES_TO
             for cause in _of_used(survey, ref, edge.used, seen)]  # fmt: skip
    return found or [of_itself(survey, ref)]


def _of_used(survey: Survey, user: Ref, used: Ref, seen: set[Ref]) -> list[Cause]:
    if used not in survey.resources:
        return [missing(survey, user, used)]
    return causes(survey, used, wanted=True, seen=seen)


def _peers(survey: Survey, ref: Ref, seen: set[Ref]) -> Iterator[Cause]:
    """An agent may be ready and yet be unable to delegate."""
    for edge in needs(survey.resources[ref]):
        if edge.does != DELEGATES_TO or not (why := problem(edge, survey.resources)):
            continue
        if why == "does not expose itself":
            yield not_exposed(edge)
        else:
            for cause in _of_used(survey, ref, edge.used, seen):
                yield replace(cause, state=State.DEGRADED) if cause.reason == "NotFound" else cause
