"""Label and field selectors, as text (`app=x,env in (a,b),!old`) and as objects (matchLabels, matchExpressions)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kaos.kube import names

_TERM = re.compile(r"(!?)\s*([^\s!=,()]+)\s*(?:(==|!=|=|in\b|notin\b|>|<)\s*(.*))?", re.DOTALL)


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
    found = _TERM.fullmatch(term)
    if not found:
        raise ValueError(f"unable to parse requirement: {term!r}")
    negated, key, operator, rest = found[1], found[2], found[3], found[4] or ""
    if problems := names.qualified_name_problems(key):
        raise ValueError(f'unable to parse requirement: <nil>: Invalid value: "{key}": {"; ".join(problems)}')
    if not operator:
        return Requirement(key, "DoesNotExist" if negated else "Exists")
    values = _values(operator, rest.strip())
    for position, value in enumerate(values):
        if problem := names.label_value_problem(value):
            where = f"values[{position}][{key}]"
            raise ValueError(f'unable to parse requirement: {where}: Invalid value: "{value}": {problem}')
    return Requirement(key, "NotIn" if operator in ("!=", "notin") else "In", frozenset(values))


def _values(operator: str, text: str) -> list[str]:
    if operator in (">", "<"):
        raise ValueError(f"unable to parse requirement: the operator '{operator}' is not offered here")
    if operator not in ("in", "notin"):
        return [text]
    if not text.startswith("("):
        raise ValueError(f"unable to parse requirement: found '{text}' expected: '('")
    if not text.endswith(")"):
        raise ValueError(f"unable to parse requirement: found '{text}' expected: ',' or ')'")
    return [value.strip() for value in text[1:-1].split(",")]


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


def text_of(selector: Mapping[str, Any] | None) -> str:
    """A `labelSelector` object as text, as a scale shows it: `app=web,tier in (x,y)`."""
    selector = selector or {}
    terms = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        key, values = expression["key"], ",".join(sorted(expression.get("values") or ()))
        match expression["operator"]:
            case "In" | "NotIn" as operator:
                terms.append((key, f"{key} {operator.lower()} ({values})"))
            case "Exists":
                terms.append((key, key))
            case _:
                terms.append((key, f"!{key}"))
    return ",".join(text for _, text in sorted(terms))
