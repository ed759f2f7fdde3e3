"""Times as Kubernetes writes them, and ages as kubectl prints them."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """The present moment, to the second: `2026-11-23T20:36:09Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_now() -> str:
    """The present moment as MicroTime: `2026-11-23T20:36:09.123456Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> datetime:
    """A Time or MicroTime as an aware datetime. Raises ValueError."""
    return datetime.fromisoformat(text)


def age(text: str | None, at: datetime | None = None) -> str:
    """How long ago, as kubectl prints it: `5s`, `3m12s`, `4h`, `2d`; `<unknown>` without a time."""
    if not text:
        return "<unknown>"
    try:
        seconds = int(((at or datetime.now(UTC)) - parse(text)).total_seconds())
    except (ValueError, TypeError):
        return "<invalid>"
    return duration(seconds)


def duration(seconds: int) -> str:
    """A length of time in kubectl's words: two units while small, one when large."""
    if seconds < -1:
        return "<invalid>"
    seconds = max(seconds, 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    years, rest = divmod(days, 365)
    return f"{years}y{rest}d" if years < 8 and rest else f"{years}y"
