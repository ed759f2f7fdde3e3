"""Kubernetes quantities: `100m`, `128Mi`, `1e3`."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Context, Decimal, localcontext

_FORM = re.compile(
    r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E)|[eE]([+-]?\d{1,2}))?", re.ASCII
)
_EXACT = Context(prec=250)
_MAX_LENGTH = 100
_MAX_BINARY = Decimal(2**63 - 1)  # what is given in Ki and its like is cut off there
_BINARY = {unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def parse(text: str | int | float) -> Decimal:
    """The amount in base units (cores, bytes). Raises ValueError for what is no quantity."""
    match = _match(text)
    number, unit, exponent = Decimal(match[1]), match[2], match[3]
    if unit in _BINARY:
        return max(min(_EXACT.multiply(number, _BINARY[unit]), _MAX_BINARY), -_MAX_BINARY)
    return _EXACT.scaleb(number, _DECIMAL[unit] if unit else int(exponent or 0))


def _match(text: str | int | float) -> re.Match[str]:
    stripped = str(text).strip()
    match = _FORM.fullmatch(stripped) if len(stripped) <= _MAX_LENGTH else None
    if not match:
        shown = stripped if len(stripped) <= _MAX_LENGTH else f"{stripped[:_MAX_LENGTH]}..."
        raise ValueError(f"{shown!r} is not a quantity such as 100m, 2 or 128Mi")
    return match


def cpu_millis(text: str | int | float) -> int:
    """CPU in thousandths of a core, rounded up."""
    return _up(_EXACT.multiply(parse(text), Decimal(1000)))


def bytes_(text: str | int | float) -> int:
    """Memory or storage in bytes, rounded up."""
    return _up(parse(text))


def _up(amount: Decimal) -> int:
    return int(amount.to_integral_value(ROUND_CEILING, _EXACT))


_BY_THOUSANDS = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
_BY_1024 = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def canonical(text: str | int | float) -> str:
    """The one way in which an API server writes this amount: `0.5` is `500m`, `1024Mi` is `1Gi`. Raises ValueError."""
    with localcontext(_EXACT):
        return _canonical(parse(text), _match(text))


def _canonical(amount: Decimal, match: re.Match[str]) -> str:
    unit, exponent = match[2] or "", match[3]
    if unit in _BINARY and abs(amount) >= 1024:
        return _in_binary(amount)
    power = 0
    if amount:
        while amount % 1000 == 0 and power < 18:
            amount, power = amount / 1000, power + 3
        while amount % 1 and power > -9:
            amount, power = amount * 1000, power - 3
    number = str(_up(amount))
    if exponent is not None:
        return f"{number}e{power}" if power else number
    return number + _BY_THOUSANDS[power]


def _in_binary(amount: Decimal) -> str:
    power = 0
    while amount % 1024 == 0 and power < 6:
        amount, power = amount / 1024, power + 1
    return f"{_up(amount)}{_BY_1024[power]}"
