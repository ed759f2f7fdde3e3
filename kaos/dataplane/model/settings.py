"""What the mock's environment says. Raises ValueError with the variable's name for what cannot be read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Mock:
    """MOCK_MODELS (comma list), MOCK_RESPONSES (JSON list of texts), MOCK_LATENCY (such as 200ms)."""

    models: tuple[str, ...] = ("mock",)
    responses: tuple[str, ...] = ()
    latency_s: float = 0.0

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Mock:
        models = tuple(name.strip() for name in environ.get("MOCK_MODELS", "").split(",") if name.strip())
        latency = _seconds(environ.get("MOCK_LATENCY"))
        return cls(models or ("mock",), _texts(environ.get("MOCK_RESPONSES")), latency)


def _texts(text: str | None) -> tuple[str, ...]:
    if not text:
        return ()
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError("MOCK_RESPONSES must be a JSON list of texts")
    return tuple(found)


def _seconds(text: str | None) -> float:
    if not text:
        return 0.0
    found = re.fullmatch(r"(\d+)(ms|s)", text)
    if not found:
        raise ValueError(f"MOCK_LATENCY must be a length of time such as 200ms, not {text!r}")
    return int(found[1]) / (1000 if found[2] == "ms" else 1)
