"""`describe` as text: what it is, how it is, what it has, what happened."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from kaos.actions.describe import Child, Description, Use
from kaos.actions.kinds import Kind
from kaos.actions.waiting import cure_of
from kaos.api.names import REASONS, Reason
from kaos.cli.describe_what import names, what
from kaos.cli.output import pad, width
from kaos.kube import sanitize, times

Object = dict[str, Any]
_EVENTS = 20
_WRAP = 100
_SECRET = re.compile(
    "KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE
)  # words in names of variables whose values are none's business


def report(found: Description, kind: Kind) -> str:
    """The whole text."""
    obj = found.object
    sections = [
        _lines_of_pairs(_what(obj, kind)),
        _section("Status", _lines_of_pairs(_status(obj, kind))),
        _section("Conditions", _columns([_condition(one) for one in _of(obj, "status", "conditions") or ()])),
        _section("Uses", _columns([_use(one) for one in found.uses])),
        _section("Used by", _columns([[f"{one.used.kind} {one.used.name}", one.does] for one in found.used_by])),
        _section("Tools", _columns([_tool(one) for one in _of(obj, "status", "tools") or ()])),
        _section("Environment", _columns([_variable(one) for one in _of(obj, "spec", "container", "env") or ()])),
        _section("Belongs to it", _columns([_child(one) for one in found.children])),
        _section("Events", _columns([
            [times.age(one.last), one.type, one.reason, one.object,
             one.message + (f" (x{one.count})" if one.count > 1 else "")]
            for one in found.events[-_EVENTS:]
        ])),
    ]  # fmt: skip
    return "\n".join("".join(f"{line}\n" for line in section) for section in sections if section)


def _of(obj: Object, *path: str) -> Any:
    node: Any = obj
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return node


def _what(obj: Object, kind: Kind) -> Iterator[tuple[str, Any]]:
    meta, spec = obj["metadata"], obj["spec"]
    yield kind.title, f"{meta['namespace']}/{meta['name']}"
    yield from what(obj, kind)
    yield "Image", _of(spec, "container", "image")
    yield "Service account", spec.get("serviceAccountName")
    yield "Replicas", spec.get("replicas")
    yield "Age", times.age(meta.get("creationTimestamp"))


def _status(obj: Object, kind: Kind) -> Iterator[tuple[str, Any]]:
    status = obj.get("status") or {}
    if not status:
        yield "Phase", "no operator has looked at it yet; run one: kaos operator run"
        return
    behind = status.get("observedGeneration") != obj["metadata"].get("generation")
    yield "Phase", f"{status.get('phase')}{' (of an earlier version; the operator is behind)' if behind else ''}"
    reason = status.get("reason")
    yield "Reason", reason
    yield "Message", status.get("message")
    if reason in set(Reason) and not status.get("ready"):
        yield "Meaning", REASONS[Reason(reason)].meaning
        yield "What to do", cure_of(reason, kind, obj["metadata"])
    yield "Pods", f"{status.get('readyReplicas', 0)} of {status.get('replicas', 0)} ready"
    yield "Endpoint", f"{status['endpoint']}{status.get('path', '')}" if status.get("endpoint") else None
    yield "Serves", names(status.get("models") or ())
    yield "Transport", status.get("transport")
    yield "Protocol", f"MCP {status['protocolVersion']}" if status.get("protocolVersion") else None
    info = status.get("serverInfo") or {}
    yield "Server", f"{info.get('name')} {info.get('version') or ''}".strip() if info.get("name") else None


def _condition(one: Object) -> list[str]:
    message = one.get("message") or ""
    return [one["type"], one["status"], times.age(one.get("lastTransitionTime")), one.get("reason") or "", message]


def _use(one: Use) -> list[str]:
    return [f"{one.does} {one.used.kind} {one.used.name}", one.state, one.problem]


def _tool(one: Object) -> list[str]:
    return [one["name"], first_line(one.get("description") or "")]


def first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _variable(one: Object) -> list[str]:
    if reference := one.get("valueFrom"):
        kind, about = next(iter(reference.items()))
        where = f"{about.get('name', '')}/{about.get('key', '')}" if isinstance(about, dict) else ""
        return [one["name"], f"from {kind.removesuffix('Ref').removesuffix('Key')} {where}"]
    return [one["name"], "(not shown)" if _SECRET.search(one["name"]) else str(one.get("value", ""))]


def _child(one: Child) -> list[str]:
    return [one.kind, one.name, one.state, times.age(one.created) if one.created else ""]


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"{title}:", *(f"  {line}" for line in lines)] if lines else []


def _lines_of_pairs(pairs: Iterator[tuple[str, Any]]) -> list[str]:
    given = [(name, sanitize.line(str(value))) for name, value in pairs if value not in (None, "")]
    left = max((len(name) for name, _ in given), default=0) + 3
    lines = []
    for name, value in given:
        first, *rest = textwrap.wrap(value, _WRAP, break_long_words=False, break_on_hyphens=False) or [""]
        lines += [f"{name + ':':<{left}}{first}", *(" " * left + more for more in rest)]
    return lines


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    safe = [[sanitize.line(cell) for cell in row] for row in rows]
    widths = [max(map(width, column)) + 2 for column in zip(*safe, strict=True)]
    return ["".join(map(pad, row, widths)).rstrip() for row in safe]
