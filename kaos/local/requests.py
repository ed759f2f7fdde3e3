"""How operations of the machinery are asked for, and the events it tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
CONTROLLER = "kaos-local"  # the field manager of the local cluster's own controllers


@dataclass(frozen=True)
class WatchEvent:
    """One event of a watch: ADDED, MODIFIED or DELETED."""

    type: str
    object: Object


@dataclass
class Request:
    """How a write was asked for."""

    manager: str = CONTROLLER
    dry_run: bool = False
    field_validation: str = "Ignore"  # Ignore, Warn, Strict
    duplicates: tuple[str, ...] = ()  # duplicate fields that the decoder saw
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DeleteOptions:
    """How a deletion was asked for."""

    propagation: str | None = None  # Background, Foreground, Orphan; None is Background unless it was asked for before
    grace_period_s: int | None = None
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False
