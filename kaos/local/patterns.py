"""Regular expressions as Go reads them, where that is not how Python does."""

from __future__ import annotations

import re
from functools import lru_cache

_PART = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|\$", re.DOTALL)
_AT_THE_END = {"$": r"\Z", r"\z": r"\Z"}  # Python's `$` lets a newline follow


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern. Raises ValueError when it is none."""
    try:
        return re.compile(_PART.sub(lambda found: _AT_THE_END.get(found[0], found[0]), pattern))
    except re.error as error:
        raise ValueError(str(error)) from None
