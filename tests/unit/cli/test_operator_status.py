"""`kaos operator status` where nobody works."""

from __future__ import annotations


def test_nobody_at_all_ends_with_1_and_says_how_to_run_one(kaos):
    shown = kaos("operator", "status")
    assert shown.code == 1
    assert shown.stderr == "No operator runs in context kaos-local: kaos operator run\n"


def test_the_last_one_is_told_too(kaos, hold_lease):
    hold_lease(holderIdentity="laptop\x1b[31m", renewTime="2026-01-01T00:00:00.000000Z")
    shown = kaos("operator", "status")
    assert shown.code == 1
    assert shown.stdout.startswith("Operator:   gone; last heard of ")
    assert "Holder:     laptop\\e[31m\n" in shown.stdout
