"""How one line of a log is shown: its level found, JSON folded into level and message, nothing in it that steers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from kaos.actions.podlogs import shown
from kaos.kube import sanitize

ERROR, WARN, INFO, DEBUG = "error", "warn", "info", "debug"
_LEVELS = {
    "trace": DEBUG, "debug": DEBUG, "info": INFO, "notice": INFO, "warn": WARN, "warning": WARN, "error": ERROR,
    "err": ERROR, "fatal": ERROR, "critical": ERROR, "panic": ERROR, "severe": ERROR, "i": INFO, "w": WARN,
    "e": ERROR, "f": ERROR, "traceback": ERROR,
}  # fmt: skip
# In capitals anywhere near the beginning; else where only a level stands; as klog and Python write it.
_LEVEL = re.compile(
    r"(?<![\w-])(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|FATAL|CRITICAL|PANIC|SEVERE)(?![\w-])"
    r"|\blevel=\"?((?i:trace|debug|info|notice|warn(?:ing)?|err(?:or)?|fatal|critical|panic))\b"
    r"|^\W?((?i:trace|debug|info|notice|warn(?:ing)?|error|fatal|critical|panic))[\]:|]"
    r"|^([IWEF])(?=\d{4} )"
    r"|^(Traceback)(?= \()"
)
_LOOKED_AT = 120  # characters in which a level is looked for
_LEVEL_KEYS = ("level", "severity", "lvl", "levelname", "log.level")
_MESSAGE_KEYS = ("msg", "message", "event", "text", "body")
_TIME_KEYS = {"time", "ts", "timestamp", "@timestamp", "asctime", "datetime"}
_NUMBERS = ((50, ERROR), (40, WARN), (30, INFO), (0, DEBUG))  # as pino and bunyan count
_MOST_JSON = 200_000
_TAB = 8


@dataclass(frozen=True)
class Shown:
    """The pieces of a line, one a row where there is room; the first says what it is about."""

    pieces: tuple[str, ...]
    level: str = ""
    level_span: tuple[int, int] = (0, 0)  # in the first piece
    rest: int = -1  # where, in the first piece, begins what a fold leaves over
    foldable: bool = False


def show(raw: str, unfolded: bool = False) -> Shown:
    """A line as it is shown."""
    found = _object(raw) if raw.startswith("{") else None
    if found is None:
        text = shown(raw)
        if "\t" in text:
            text = text.expandtabs(_TAB)
        level = _LEVEL.search(text, 0, _LOOKED_AT)
        if level is None:
            return Shown((text,))
        return Shown((text,), _LEVELS[level[level.lastindex].lower()], level.span(level.lastindex))
    pieces = _pretty(found) if unfolded else ()
    return _folded(raw, found, pieces)


def _object(raw: str) -> dict[str, Any] | None:
    if len(raw) > _MOST_JSON or not raw.rstrip().endswith("}"):
        return None
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _pretty(found: dict[str, Any]) -> tuple[str, ...]:
    lines = json.dumps(found, indent=2, ensure_ascii=False).splitlines()
    return tuple(sanitize.line(line) for line in lines)


def _folded(raw: str, found: dict[str, Any], below: tuple[str, ...]) -> Shown:
    level_key = next((key for key in _LEVEL_KEYS if isinstance(found.get(key), str | int)), None)
    message_key = next((key for key in _MESSAGE_KEYS if isinstance(found.get(key), str)), None)
    if level_key is None and message_key is None:
        return Shown((sanitize.line(raw), *below), foldable=True)
    word, level = _level(found.get(level_key)) if level_key else ("", "")
    rest = {key: value for key, value in found.items() if key not in (level_key, message_key, *_TIME_KEYS)}
    text = f"{word:<5} " if word else ""
    if message_key:
        text += sanitize.line(found[message_key])
    begins = -1
    if rest and not below:
        begins = len(text) + 1
        # Written as it came, so that what one searches for in it is found in what one sees.
        separators = (", ", ": ") if '": ' in raw else (",", ":")
        text += " " + sanitize.line(json.dumps(rest, separators=separators, ensure_ascii=False))
    return Shown((text, *below), level, (0, len(word)), begins, True)


def _level(value: str | int) -> tuple[str, str]:
    if isinstance(value, int):
        level = next(level for least, level in _NUMBERS if value >= least or not least)
        return level.upper(), level
    return sanitize.line(value.upper())[:8], _LEVELS.get(value.lower(), "")
