"""Label and field selectors, as text (`app=x,env in (a,b),!old`) and as objects (matchLabels, matchExpressions)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_KEY = r"[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?"
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_EQUALITY = re.compile(rf"({_KEY})\s*(==|!=|=)\s*([-A-Za-z0-9_.]*)")
_EXISTS = re.compile(rf"(!?)\s*({_KEY})")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a label."""

    key: str
    operator: str  # In, NotIn, Exists, DoesNotExist
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case _:
                return self.key not in labels


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold; without any, everything matches."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        return all(requirement.matches(labels or {}) for requirement in self.requirements)


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """`path=value` conditions on an object; a field that is not there equals the empty text."""

    terms: tuple[tuple[str, bool, str], ...] = ()  # (path, equal, value)

    def matches(self, obj: Mapping[str, Any]) -> bool:
        return all((_field(obj, path) == value) == equal for path, equal, value in self.terms)


def _field(obj: Any, path: str) -> str:
    for key in path.split("."):
        obj = obj.get(key) if isinstance(obj, Mapping) else None
    if obj is None:
        return ""
    return str(obj).lower() if isinstance(obj, bool) else str(obj)


def parse_labels(text: str) -> LabelSelector:
    """A selector as kubectl's `-l` takes it. Raises ValueError."""
    return LabelSelector(tuple(_requirement(term) for term in _split(text)))


def _split(text: str) -> list[str]:
    return [term.strip() for term in re.split(r",(?![^()]*\))", text) if term.strip()]


def _requirement(term: str) -> Requirement:
    if found := _SET.fullmatch(term):
        values = frozenset(value.strip() for value in found[4].split(","))
        return Requirement(found[1], "In" if found[3] == "in" else "NotIn", values)
    if found := _EQUALITY.fullmatch(term):
        return Requirement(found[1], "NotIn" if found[3] == "!=" else "In", frozenset({found[4]}))
    if found := _EXISTS.fullmatch(term):
        return Requirement(found[2], "DoesNotExist" if found[1] else "Exists")
    raise ValueError(f"unable to parse requirement: {term!r}")


def parse_fields(text: str) -> FieldSelector:
    """A selector as kubectl's `--field-selector` takes it. Raises ValueError."""
    terms = []
    for term in text.split(","):
        if not term.strip():
            continue
        found = re.fullmatch(r"\s*([A-Za-z0-9_./-]+)\s*(==|!=|=)(.*)", term)
        if not found:
            raise ValueError(f"invalid selector: {term!r}; can't understand {term!r}")
        terms.append((found[1], found[2] != "!=", found[3].strip()))
    return FieldSelector(tuple(terms))


def from_object(selector: Mapping[str, Any] | None) -> LabelSelector:
    """A `labelSelector` object. None selects nothing is the caller's business: here it selects everything."""
    selector = selector or {}
    requirements = [
        Requirement(key, "In", frozenset({value})) for key, value in (selector.get("matchLabels") or {}).items()
    ]
    for expression in selector.get("matchExpressions") or ():
        requirements.append(
            Requirement(expression["key"], expression["operator"], frozenset(expression.get("values") or ()))
        )
    return LabelSelector(tuple(requirements))
