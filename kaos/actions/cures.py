"""Causes in words, each with the command that cures it or shows more. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from kaos.actions.graph import Edge
from kaos.actions.health import Ref, State, state_of
from kaos.actions.survey import Survey, references
from kaos.api.names import OPERATOR_LEASE, REASONS, SYSTEM_NAMESPACE, Phase, Reason, child_name
from kaos.kube.names import nearest

Object = dict[str, Any]
NOT_FOUND, NOT_EXPOSED, NO_OPERATOR, NOT_INSTALLED, BEING_DELETED, NEW = (
    "NotFound", "NotExposed", "NoOperator", "NotInstalled", "BeingDeleted", "New"
)  # fmt: skip
_OBJECT = re.compile(r"(Secret|ConfigMap|ServiceAccount|Deployment|Service) ([a-z0-9][-.a-z0-9]*)")
_OWN_CURE = re.compile(
    r"; ((?:create|add|read|check|remove|raise|lower|correct|delete|set|use|see|did you mean|there are|its owner can)\b"
    r"[^;]{0,160})$"
)
_ANNOTATE = re.compile(r"kubectl annotate serviceaccount [!-~]+ [!-~]+")
_ASKED_OF_LOG = (Reason.CRASH_LOOPING, Reason.HANDSHAKE_FAILED, Reason.NOT_AN_MCP_SERVER)
_OF_ANOTHER_OBJECT = (
    Reason.SECRET_NOT_FOUND, Reason.SECRET_KEY_NOT_FOUND, Reason.CONFIGMAP_NOT_FOUND, Reason.SERVICE_ACCOUNT_NOT_FOUND
)  # fmt: skip


@dataclass(frozen=True)
class Cause:
    """What is wrong by itself. `command` is empty where only a person can act; words in capitals are to be filled."""

    about: str  # the thing at fault: "Secret demo/github", "the operator"
    reason: str
    state: State
    sentence: str
    meaning: str
    cure: str
    command: tuple[str, ...] = ()
    harmless: bool = False  # it only looks, or only makes run what was asked for


def system_causes(survey: Survey) -> list[Cause]:
    """KAOS itself: not installed, or nobody at work."""
    if not survey.installed:
        return [
            Cause(
                "KAOS", NOT_INSTALLED, State.FAILED,
                f"KAOS is not installed on the cluster of context {survey.context}.",
                "The cluster knows none of the kinds MCPServer, ModelAPI and Agent.", "Install them.",
                ("kaos", "system", "install", "--no-operator"),
            )
        ]  # fmt: skip
    if survey.operator_runs:
        return []
    meaning = "Nobody makes anything so, and every state shown here is an old one."
    if survey.operator_pods and survey.operator_pods[1]:
        ready, wanted = survey.operator_pods
        told = f"{ready} of {wanted} pods of Deployment {SYSTEM_NAMESPACE}/{OPERATOR_LEASE} are ready"
        return [
            Cause(
                "the operator", NO_OPERATOR, State.FAILED,
                f"No operator works in context {survey.context}: {told}.",
                meaning, "Read its log.", ("kaos", "logs", "--operator"), harmless=True,
            )
        ]  # fmt: skip
    gone = next((one.holder for one in survey.operators or () if one.holder), "")
    return [
        Cause(
            "the operator", NO_OPERATOR, State.FAILED,
            f"No operator runs in context {survey.context}" + (f"; the last was {gone}." if gone else "."),
            meaning, "Run one.",
            ("kaos", "operator", "run"), harmless=True,
        )
    ]  # fmt: skip


def missing(survey: Survey, user: Ref, used: Ref) -> Cause:
    """A resource that another names, and that is not there."""
    like = nearest(used.name, [one.name for one in survey.resources
                               if (one.kind, one.namespace) == (used.kind, used.namespace)])  # fmt: skip
    here = ("-n", used.namespace)
    if like:
        command = ("kaos", user.handler.command, "edit", user.name, *here)
        cure = f"Create it, or name {like} in {user.kind} {user.name}."
    else:
        command = ("kaos", used.handler.command, "deploy", "--name", used.name, *_flags(survey, user, used), *here)
        cure = "Create it."
    return Cause(str(used), NOT_FOUND, State.MISSING, f"{used} does not exist.",
                 f"{user.kind} {user.name} names it in its spec.", cure, command)  # fmt: skip


def _flags(survey: Survey, user: Ref, used: Ref) -> tuple[str, ...]:
    model = (survey.resources[user].get("spec") or {}).get("model") or "MODEL"
    match used.kind:
        case "ModelAPI":
            return ("--model", model)
        case "MCPServer":
            return ("--runtime", "RUNTIME")
    return ("--model-api", "MODELAPI", "--model", "MODEL", "--expose")


def not_exposed(edge: Edge) -> Cause:
    """A peer that does not want to be one."""
    command = ("kaos", "agent", "edit", edge.used.name, "-n", edge.used.namespace)
    return Cause(str(edge.used), NOT_EXPOSED, State.DEGRADED, f"{edge.used} does not expose itself.",
                 "Other agents may delegate only to one that does.", "Set spec.agentNetwork.expose: true.",
                 command)  # fmt: skip


def of_itself(survey: Survey, ref: Ref) -> Cause:
    """What a resource's own status says, and where that names another object, of that object."""
    obj = survey.resources[ref]
    meta, status = obj["metadata"], obj.get("status") or {}
    if meta.get("deletionTimestamp"):
        held = ", ".join(meta.get("finalizers") or ()) or "its children to end"
        return Cause(str(ref), BEING_DELETED, State.PENDING, f"{ref} is being deleted and waits for {held}.",
                     "", "Wait.")  # fmt: skip
    word, message = status.get("reason") or "", status.get("message") or ""
    if word not in set(Reason):
        told = f": {word}" if word else ": no operator has looked at it yet"
        sentence = f"{ref} is not ready{told}."
        return Cause(str(ref), word or NEW, State.PENDING, sentence, "", "Wait.", _look(ref), harmless=True)
    reason = Reason(word)
    cause, told = _split(message)
    about = str(ref)
    if reason in _OF_ANOTHER_OBJECT and (found := _OBJECT.search(message)):
        about = f"{found[1]} {ref.namespace}/{found[2]}"
        sentence = cause.replace(found[0], about, 1)
    else:
        sentence = f"{ref}: {cause}" if cause else f"{ref} is {status.get('phase', 'not ready').lower()}"
    command, harmless = _command(survey, ref, reason, message)
    state = State.FAILED if REASONS[reason].phase is Phase.FAILED else State.PENDING
    if state_of(obj) is State.DEGRADED:
        state = State.DEGRADED
    if reason is Reason.SUSPENDED:
        state = State.SUSPENDED
    return Cause(about, reason.value, state, f"{sentence.rstrip('.')}.", REASONS[reason].meaning,
                 _cure(reason, told), command, harmless)  # fmt: skip


def _split(message: str) -> tuple[str, str]:
    """A message of the operator's into its cause and its cure; what a program said may hold semicolons as well."""
    found = _OWN_CURE.search(message)
    return (message[: found.start()], found[1]) if found else (message, "")


def _cure(reason: Reason, told: str) -> str:
    """In the words of the message, which knows the case; else in those of the reason, without its command."""
    words = told.replace("there are: ", "name one of: ") or REASONS[reason].cure or "Wait"
    words = words.split(": kaos ")[0]
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def _look(ref: Ref) -> tuple[str, ...]:
    return ("kaos", ref.handler.command, "describe", ref.name, "-n", ref.namespace)


def _command(survey: Survey, ref: Ref, reason: Reason, message: str) -> tuple[tuple[str, ...], bool]:
    """The command, and whether it may be run just so."""
    group, here = ("kaos", ref.handler.command), (ref.name, "-n", ref.namespace)
    named = _OBJECT.search(message)
    match reason:
        case Reason.SUSPENDED:
            if (survey.resources[ref].get("spec") or {}).get("suspend"):
                return (*group, "resume", *here), True
            return (*group, "scale", *here, "--replicas", "1"), True
        case Reason.ROLLOUT_IN_PROGRESS | Reason.REFUSED | Reason.WAITING_FOR_MODELAPI | Reason.WAITING_FOR_MCPSERVER:
            return _look(ref), True
        case Reason.RUNTIME_REGISTRY_INVALID:
            return ("kaos", "system", "install", "--no-operator"), False
        case Reason.IMAGE_NEEDS_DOCKER:
            return (), False
        case Reason.SECRET_NOT_FOUND if named:
            return ("kaos", "secret", "create", named[2], *_keys_of(survey, ref, named[2]), "-n", ref.namespace), False
        case Reason.SECRET_KEY_NOT_FOUND if named:
            return ("kubectl", "edit", "secret", named[2], "-n", ref.namespace), False
        case Reason.CONFIGMAP_NOT_FOUND if named:
            return ("kubectl", "create", "configmap", named[2], "--from-file", "FILE", "-n", ref.namespace), False
        case Reason.SERVICE_ACCOUNT_REQUIRED:
            return ("kaos", "system", "create-rbac", "--name", *here), False
        case Reason.SERVICE_ACCOUNT_NOT_FOUND if named and named[2] == child_name("MCPServer", ref.name):
            return ("kaos", "system", "create-rbac", "--name", *here), False
        case Reason.SERVICE_ACCOUNT_NOT_FOUND if named:
            return ("kubectl", "create", "serviceaccount", named[2], "-n", ref.namespace), False
        case Reason.SERVICE_ACCOUNT_NOT_ALLOWED if found := _ANNOTATE.search(message):
            return (*found[0].split(), "-n", ref.namespace), False
        case Reason.CONFLICT if named:
            return ("kubectl", "describe", named[1].lower(), named[2], "-n", ref.namespace), True
    if reason in _ASKED_OF_LOG:
        return (*group, "logs", *here, *(("--previous",) if _has_restarted(survey, ref) else ())), True
    return (*group, "edit", *here), False


def _keys_of(survey: Survey, ref: Ref, secret: str) -> list[str]:
    wanted = [one.key for one in references(survey.resources[ref]) if (one.kind, one.name) == ("Secret", secret)]
    return [key for key in wanted if key] or ["KEY"]


def _has_restarted(survey: Survey, ref: Ref) -> bool:
    """Whether the log to read is that of a life before: a new one has begun since."""
    statuses = [
        status
        for pod in survey.pods.get(ref, ())
        for status in (pod.get("status") or {}).get("containerStatuses") or ()
        if status["name"] == ref.handler.container
    ]
    return any(status.get("restartCount") and "running" in (status.get("state") or {}) for status in statuses)
