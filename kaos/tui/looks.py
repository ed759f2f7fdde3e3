"""How states look: a glyph, a word and a tone, so that colour never tells anything alone."""

from __future__ import annotations

from typing import Any, NamedTuple

from kaos.api.names import Phase
from kaos.kube import sanitize

Object = dict[str, Any]

OK, WARN, BAD, MUTED, BUSY = "ok", "warn", "bad", "muted", "busy"
GLYPHS = {OK: "●", WARN: "◐", BAD: "✖", MUTED: "○", BUSY: "⟳"}
TONES = {  # what a tone is in the variables of a theme
    OK: "$text-success",
    WARN: "$text-warning",
    BAD: "$text-error",
    MUTED: "$text-muted",
    BUSY: "$text-primary",
}
_PHASES = {
    Phase.READY: OK,
    Phase.PENDING: WARN,
    Phase.DEGRADED: WARN,
    Phase.WAITING: MUTED,
    Phase.SUSPENDED: MUTED,
    Phase.FAILED: BAD,
}


class Cell(NamedTuple):
    """A piece of text and its tone. The text is safe to show."""

    text: str
    tone: str = ""


def cell(value: Any, tone: str = "") -> Cell:
    """What came from outside, as a cell; nothing is shown as `-`."""
    return Cell("-", MUTED) if value is None or value == "" else Cell(sanitize.line(str(value)), tone)


def state(obj: Object) -> Cell:
    """The state of a resource: `● Ready`, `✖ Failed`, `⟳ Updating`."""
    tone, word = tone_and_word(obj)
    return Cell(f"{GLYPHS[tone]} {word}", tone)


def tone_and_word(obj: Object) -> tuple[str, str]:
    if obj["metadata"].get("deletionTimestamp"):
        return BUSY, "Ending"
    status = obj.get("status") or {}
    if status.get("observedGeneration") not in (None, obj["metadata"].get("generation")):
        return BUSY, "Changed"
    phase = str(status.get("phase") or "New")
    if phase == Phase.READY and _is(status, "Progressing"):
        return BUSY, "Updating"
    return _PHASES.get(phase, MUTED), sanitize.line(phase)  # type: ignore[call-overload]


def troubled(obj: Object) -> bool:
    """Whether somebody should look at it."""
    return (obj.get("status") or {}).get("phase") in (Phase.FAILED, Phase.DEGRADED, Phase.WAITING, Phase.PENDING, None)


def why(obj: Object) -> str:
    """The reason and message of what is not as it should be."""
    status = obj.get("status") or {}
    if status.get("phase") == Phase.READY and not _is(status, "Progressing"):
        return ""
    return sanitize.line(str(status.get("message") or status.get("reason") or "the operator has not seen it yet"))


def ready(obj: Object) -> Cell:
    """Ready pods of those wanted."""
    status = obj.get("status") or {}
    wanted, there = (obj.get("spec") or {}).get("replicas", 1), status.get("readyReplicas") or 0
    if (obj.get("spec") or {}).get("suspend"):
        return Cell("-", MUTED)
    return Cell(f"{there}/{wanted}", "" if there >= wanted else WARN)


def _is(status: Object, condition: str) -> bool:
    return any(one.get("type") == condition and one.get("status") == "True" for one in status.get("conditions") or ())
