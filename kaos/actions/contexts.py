"""Which clusters there are, and which one plain commands use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kaos.cluster.connection import ContextInfo, contexts, resolve, save_context

__all__ = ["ContextInfo", "listed", "use"]


def listed(environ: Mapping[str, str] = os.environ) -> list[ContextInfo]:
    return contexts(environ)


def use(name: str, environ: Mapping[str, str] = os.environ) -> tuple[Path, str | None]:
    """Choose a context for plain commands; where that was saved, and the variable that still overrides it.

    Raises NotFound or NoConnection when there is no such context.
    """
    resolve(name, environ=environ)
    overriding = environ.get("KAOS_CONTEXT")
    return save_context(name, environ), "KAOS_CONTEXT" if overriding and overriding != name else None
