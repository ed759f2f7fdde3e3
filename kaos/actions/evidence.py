"""What a diagnosis rests on, as a tree: the resource, what it needs, and its pods down to their containers. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kaos.actions.describe import pod_state
from kaos.actions.graph import needs, problem
from kaos.actions.health import Ref, State, state_of
from kaos.actions.survey import Survey, references
from kaos.api.names import Condition
from kaos.kube import times

Object = dict[str, Any]
EVENTS = 3
DEEPEST = 8  # how many agents in a row are taken apart
# How each condition is where all is well.
_GOOD = {Condition.ACCEPTED: "True", Condition.DEPENDENCIES_READY: "True", Condition.PROGRESSING: "False",
         Condition.READY: "True"}  # fmt: skip


@dataclass(frozen=True)
class Link:
    """One thing in the chain, how it is, and what it rests on."""

    what: str  # "MCPServer demo/calculator", "Deployment mcpserver-calculator", "container mcp-server"
    state: State
    text: str = ""
    below: tuple[Link, ...] = ()
    ref: Ref | None = None  # of a resource of KAOS


def chain(survey: Survey, ref: Ref, seen: set[Ref] | None = None, depth: int = 0) -> Link:
    """The resource with everything that tells of its state; what is well, or was told above, is not taken apart."""
    obj = survey.resources[ref]
    state, status = state_of(obj), obj.get("status") or {}
    told = ": ".join(part for part in (status.get("reason"), status.get("message")) if part)
    if not status:
        told = "no operator has looked at it yet"
    text = state.value if state is State.READY else f"{state.value}, {told}"
    conditions = () if seen else _conditions(obj)  # those of what it depends on say nothing that their state does not
    seen = set() if seen is None else seen
    seen.add(ref)
    below = (
        *conditions,
        *_used(survey, ref, seen, depth + 1),
        *_referenced(survey, ref),
        *_deployment(survey, ref),
        *_warnings(survey, ref),
    )
    return Link(str(ref), state, text, below, ref)


def _conditions(obj: Object) -> Iterator[Link]:
    for one in (obj.get("status") or {}).get("conditions") or ():
        good = _GOOD.get(one["type"])
        if one["type"] == Condition.READY or (good and one["status"] != good):
            since = one.get("lastTransitionTime")
            told = f"{one['status']} ({one.get('reason', '')})" + (f", for {times.age(since)}" if since else "")
            bad = State.PENDING if one["type"] == Condition.PROGRESSING else State.FAILED
            yield Link(f"condition {one['type']}", State.READY if one["status"] == good else bad, told)


def _used(survey: Survey, ref: Ref, seen: set[Ref], depth: int) -> Iterator[Link]:
    for edge in needs(survey.resources[ref]):
        why, what = problem(edge, survey.resources), f"{edge.does} {edge.used}"
        if edge.used not in survey.resources:
            yield Link(what, State.MISSING, why, ref=edge.used)
        elif not why or edge.used in seen:  # nothing to take apart, or done already
            state = state_of(survey.resources[edge.used])
            yield Link(what, state, f"{why}, see above" if why else state.value, ref=edge.used)
        elif depth > DEEPEST:
            yield Link(what, state_of(survey.resources[edge.used]), f"{why}; kaos why {edge.used.word}", ref=edge.used)
        else:
            found = chain(survey, edge.used, seen, depth)
            state = State.DEGRADED if found.state is State.READY else found.state
            yield Link(what, state, found.text or why, found.below, edge.used)


def _referenced(survey: Survey, ref: Ref) -> Iterator[Link]:
    for one in references(survey.resources[ref]):
        what = f"{one.kind} {one.name}" + (f", key {one.key}" if one.key else "")
        place = (one.kind, ref.namespace, one.name)
        if place not in survey.keys:
            continue
        held = survey.keys[place]
        if held is None:
            yield Link(what, State.MISSING, "does not exist")
        elif one.key and one.key not in held:
            yield Link(what, State.MISSING, f"has no such key; it has: {', '.join(sorted(held)) or 'none'}")
        else:
            yield Link(what, State.READY)


def _deployment(survey: Survey, ref: Ref) -> Iterator[Link]:
    deployment = survey.deployments.get(ref)
    if deployment is None:
        return
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    ready = status.get("readyReplicas", 0)
    refused = next((one for one in status.get("conditions") or ()
                    if one["type"] == "ReplicaFailure" and one["status"] == "True"), None)  # fmt: skip
    state = State.FAILED if refused else State.READY if ready >= wanted else State.PENDING
    text = f"{ready} of {wanted} ready" + (f"; {refused.get('message', '')}" if refused else "")
    pods = tuple(_pod(pod) for pod in survey.pods.get(ref, ()))
    yield Link(f"Deployment {deployment['metadata']['name']}", state, text, pods)


def _pod(pod: Object) -> Link:
    status = pod.get("status") or {}
    conditions = {one["type"]: one for one in status.get("conditions") or ()}
    ready = conditions.get("Ready", {}).get("status") == "True"
    unplaced = conditions.get("PodScheduled", {})
    text = pod_state(pod)
    if unplaced.get("status") == "False":
        text += f"; {unplaced.get('message', '')}"
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    below = tuple(link for one in containers if (link := _container(one)))
    worst = min((link.state for link in below), key=lambda state: state.rank, default=State.PENDING)
    state = State.READY if ready else State.FAILED if worst is State.FAILED else State.PENDING
    return Link(f"Pod {pod['metadata']['name']}", state, text, below)


def _container(status: Object) -> Link | None:
    """A container that does not serve, or that has failed before; nothing of one that is well."""
    state = status.get("state") or {}
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated")
    if (status.get("ready") and not status.get("restartCount")) or (ended and ended.get("exitCode") == 0):
        return None
    told = []
    if waiting := state.get("waiting"):
        # That it is tried again later says nothing that the end before does not say better.
        said = "" if ended else waiting.get("message")
        told.append(": ".join(part for part in (waiting.get("reason"), said) if part))
    elif "running" in state:
        told.append("runs" if status.get("ready") else "runs, but is not ready")
    if ended:
        said = " ".join((ended.get("message") or "").split())
        told.append(f"ended with code {ended.get('exitCode')} ({ended.get('reason') or 'Error'})"
                    + (f": {said[-200:]}" if said else ""))  # fmt: skip
    if restarts := status.get("restartCount"):
        told.append(f"{restarts} restart{'s' if restarts > 1 else ''}")
    bad = ended or (waiting and waiting.get("reason") not in ("ContainerCreating", "PodInitializing"))
    found = State.DEGRADED if status.get("ready") else State.FAILED if bad else State.PENDING
    return Link(f"container {status['name']}", found, "; ".join(told))


def _warnings(survey: Survey, ref: Ref) -> Iterator[Link]:
    """What befell its children; events of its own repeat its status."""
    if state_of(survey.resources[ref]).healthy:
        return
    own = f"{ref.kind}/{ref.name}"
    warnings = [one for one in survey.events.get(ref, ()) if one.type == "Warning" and one.object != own]
    for one in warnings[-EVENTS:]:
        often = f" (x{one.count})" if one.count > 1 else ""
        yield Link(f"event {one.reason}", State.UNKNOWN, f"{times.age(one.last)} ago{often}: {one.message}")
