"""What rules of RBAC mean, in words, and which of them are dangerous. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete", "deletecollection")
VERBS = (*READ, *WRITE, "approve", "bind", "escalate", "impersonate", "proxy", "sign", "use", "*")
CHANGE = frozenset({"create", "update", "patch"})
_RBAC = "rbac.authorization.k8s.io"
_ANY = frozenset(VERBS)
# Resource ("group/resource"), verbs that make it dangerous, why. A person who grants one of them has to say so.
_GRAVE: tuple[tuple[tuple[str, ...], frozenset[str], str], ...] = (
    (("/secrets",), _ANY, "passwords and tokens of everyone there"),
    (("/pods/exec", "/pods/attach", "/pods/ephemeralcontainers", "/pods/portforward"), _ANY, "acts within any pod"),
    (("/pods/proxy", "/services/proxy", "/nodes/proxy"), _ANY, "speaks to pods or nodes past their guards"),
    (("/serviceaccounts/token",), _ANY, "becomes any ServiceAccount there"),
    (
        tuple(f"{_RBAC}/{kind}" for kind in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")),
        frozenset(WRITE),
        "gives rights to others and to itself",
    ),
    (("/persistentvolumes",), CHANGE, "reaches files of the nodes"),
    (
        tuple(
            f"admissionregistration.k8s.io/{kind}"
            for kind in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
        ),
        frozenset(WRITE),
        "reads and changes whatever is written to the cluster",
    ),
    (("certificates.k8s.io/certificatesigningrequests/approval",), _ANY, "makes certificates for anyone"),
)
_GRAVE_VERBS = {
    "*": "does whatever there is and will be to do",
    "impersonate": "acts as somebody else",
    "bind": "gives rights that it does not have itself",
    "escalate": "gives itself rights that it does not have",
    "approve": "makes certificates for anyone",
    "sign": "makes certificates for anyone",
}
_RUNS_PODS = frozenset(
    {"/pods", "/replicationcontrollers", "batch/jobs", "batch/cronjobs"}
    | {f"apps/{kind}" for kind in ("deployments", "statefulsets", "daemonsets", "replicasets")}
    | {f"kaos.tools/{kind}" for kind in ("mcpservers", "modelapis", "agents")}
)


@dataclass(frozen=True)
class Rule:
    """One rule: these verbs on these resources of one API group (`*`: of all)."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()  # none: whatever they are called

    @property
    def manifest(self) -> Object:
        rule: Object = {"apiGroups": [self.group], "resources": list(self.resources), "verbs": list(self.verbs)}
        return rule | ({"resourceNames": list(self.names)} if self.names else {})

    @property
    def words(self) -> str:
        """`pods, services: get, list, watch`."""
        what = ", ".join(self.resources) if self.resources != ("*",) else "everything"
        of = f" of {self.group}" if self.group and self.group != "*" else ""
        only = f" named {', '.join(self.names)}" if self.names else ""
        return f"{what}{of}{only}: {', '.join(self.verbs) if self.verbs != ('*',) else 'everything'}"


def rules_of(role: Object) -> list[Rule]:
    """The rules of a Role or ClusterRole as it is, those about URLs left out; one a group."""
    return [
        Rule(group, tuple(rule["resources"]), tuple(rule["verbs"]), tuple(rule.get("resourceNames") or ()))
        for rule in role.get("rules") or ()
        if rule.get("resources")
        for group in rule.get("apiGroups") or ("",)
    ]


@dataclass(frozen=True)
class Risk:
    """What makes a rule dangerous. A grave one must be asked for by name; the others are only told."""

    what: str
    why: str
    grave: bool

    @property
    def words(self) -> str:
        return f"{self.what}: {self.why}"


def risks(rules: Iterable[Rule]) -> list[Risk]:
    """What of these rules a person should know before, the gravest first and none twice."""
    found = dict.fromkeys(risk for rule in rules for risk in _risks(rule))
    return sorted(found, key=lambda risk: not risk.grave)


def _risks(rule: Rule) -> Iterable[Risk]:
    for verb in rule.verbs:
        if verb in _GRAVE_VERBS:
            yield Risk(f"{verb} on {', '.join(rule.resources)}", _GRAVE_VERBS[verb], True)
    for resource in rule.resources:
        yield from _of_resource(rule, resource)


def _of_resource(rule: Rule, resource: str) -> Iterable[Risk]:
    if resource == "*" or resource.endswith("/*") or resource.startswith("*/"):
        if "*" in rule.verbs:
            return  # said already
        yield Risk(f"{', '.join(rule.verbs)} on {resource}", "whatever there is and will be, Secrets too", True)
        return
    verbs = _ANY if "*" in rule.verbs else set(rule.verbs)
    shown = ", ".join(rule.verbs)
    groups = ("", *{one.rpartition("/")[0] for one in _RUNS_PODS}) if rule.group == "*" else (rule.group,)
    for group in groups:
        full = f"{group}/{resource}"
        for names, dangerous, why in _GRAVE:
            if full in names and verbs & dangerous:
                yield Risk(f"{shown} on {resource}", why, True)
        if full in _RUNS_PODS and verbs & CHANGE:
            yield Risk(f"{shown} on {resource}", "runs pods with any Secret of the namespace in them", False)


def by_danger(rules: Iterable[Rule]) -> list[tuple[Rule, list[Risk]]]:
    """The rules with what is dangerous in each, the gravest first."""
    judged = [(rule, risks([rule])) for rule in rules]
    return sorted(judged, key=lambda pair: -sum(10 if risk.grave else 1 for risk in pair[1]))
