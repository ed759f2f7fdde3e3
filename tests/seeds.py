"""Cases made by chance: a few of them in every run, all of them in `make test-full`."""

from __future__ import annotations

from typing import Any

import pytest


def seeds(quick: int, full: int) -> list[Any]:
    """Numbers below `full`; those from `quick` on wait for `make test-full`."""
    return [*range(quick), *(pytest.param(seed, marks=pytest.mark.full) for seed in range(quick, full))]
