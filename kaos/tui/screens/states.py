"""How the states of map and diagnosis look."""

from __future__ import annotations

from kaos.actions.health import State
from kaos.tui.looks import BAD, MUTED, OK, WARN

_TONES = {
    State.READY: OK,
    State.SUSPENDED: MUTED,
    State.UNKNOWN: MUTED,
    State.DEGRADED: WARN,
    State.PENDING: WARN,
    State.FAILED: BAD,
    State.MISSING: BAD,
}


def tone(state: State) -> str:
    return _TONES[state]
