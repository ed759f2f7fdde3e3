"""Quantities: what Kubernetes takes as an amount, how much it is, and how an API server writes it."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from kaos.kube import quantities


@pytest.mark.parametrize(
    ("text", "amount", "written"),
    [
        ("0", "0", "0"),
        ("1", "1", "1"),
        (1, "1", "1"),
        (1.5, "1.5", "1500m"),
        ("100m", "0.1", "100m"),
        ("0.5", "0.5", "500m"),
        (".5", "0.5", "500m"),
        ("1.", "1", "1"),
        ("+1", "1", "1"),
        ("-1", "-1", "-1"),
        ("1k", "1000", "1k"),
        ("1000", "1000", "1k"),
        ("1500", "1500", "1500"),
        ("1M", "1000000", "1M"),
        ("1E", "1000000000000000000", "1E"),
        ("1n", "0.000000001", "1n"),
        ("1u", "0.000001", "1u"),
        ("128Mi", "134217728", "128Mi"),
        ("1024Mi", "1073741824", "1Gi"),
        ("1536Mi", "1610612736", "1536Mi"),
        ("1.5Gi", "1610612736", "1536Mi"),
        ("1e3", "1000", "1e3"),
        ("1E3", "1000", "1e3"),
        ("1e-3", "0.001", "1e-3"),
        ("1e+3", "1000", "1e3"),
        ("9223372036854775808", "9223372036854775808", "9223372036854775808"),
        ("10Ei", "9223372036854775807", "9223372036854775807"),
        (" 1 ", "1", "1"),
    ],
)
def test_amounts(text, amount: str, written: str) -> None:
    assert quantities.parse(text) == Decimal(amount)
    assert quantities.canonical(text) == written
    assert quantities.parse(written) == Decimal(amount), "what is written is the same amount"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "m",
        "Mi",
        "1Kib",
        "1K",
        "1ki",
        "1Zi",
        "1m1",
        "1e",
        "1ee3",
        "1e3m",
        "1 Gi",
        "0x1",
        "1_000",
        "1,5",
        "--1",
        "NaN",
        "Infinity",
        "１２",
        "1e999",
        "1e9999999999",
        "1" * 101,
        "9" * 5_000_000,
        True,
        None,
        [],
        {},
    ],
)
def test_what_is_no_quantity_is_refused_at_once(text) -> None:
    began = time.process_time()
    for reader in (quantities.parse, quantities.canonical, quantities.bytes_, quantities.cpu_millis):
        with pytest.raises(ValueError, match="is not a quantity such as 100m") as told:
            reader(text)
        assert len(str(told.value)) < 200
    assert time.process_time() - began < 0.2


@pytest.mark.parametrize(
    ("text", "millis"), [("1", 1000), ("100m", 100), ("1.5", 1500), ("1u", 1), ("0", 0), ("0.0001", 1), ("-1.5", -1500)]
)
def test_cpu_in_thousandths_rounded_up(text: str, millis: int) -> None:
    assert quantities.cpu_millis(text) == millis


@pytest.mark.parametrize(
    ("text", "amount"),
    [("1Ki", 1024), ("1k", 1000), ("1.5", 2), ("100m", 1), ("0", 0), ("1e30", 10**30), ("9" * 100, 10**100 - 1)],
)
def test_bytes_rounded_up(text: str, amount: int) -> None:
    assert quantities.bytes_(text) == amount
