"""Kubernetes quantities: `100m`, `128Mi`, `1e3`."""

from __future__ import annotations

import re
from decimal import Decimal

_FORM = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E)|[eE]([+-]?\d+))?")
_BINARY = {unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def parse(text: str | int | float) -> Decimal:
    """The amount in base units (cores, bytes). Raises ValueError for what is no quantity."""
    match = _FORM.fullmatch(str(text).strip())
    if not match:
        raise ValueError(f"{text!r} is not a quantity such as 100m, 2 or 128Mi")
    number, unit, exponent = Decimal(match[1]), match[2], match[3]
    if unit in _BINARY:
        return number * _BINARY[unit]
    return number.scaleb(_DECIMAL[unit] if unit else int(exponent or 0))


def cpu_millis(text: str | int | float) -> int:
    """CPU in thousandths of a core, rounded up."""
    return -int(-parse(text) * 1000 // 1)


def bytes_(text: str | int | float) -> int:
    """Memory or storage in bytes, rounded up."""
    return -int(-parse(text) // 1)
