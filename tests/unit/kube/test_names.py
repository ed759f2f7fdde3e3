"""Which names Kubernetes accepts, and which one a person probably meant."""

from __future__ import annotations

import time

import pytest

from kaos.kube.names import is_dns_label, is_dns_subdomain, nearest


@pytest.mark.parametrize("name", ["a", "7", "a-b", "calculator-2", "a" * 63, "0a0"])
def test_labels(name: str) -> None:
    assert is_dns_label(name)
    assert is_dns_subdomain(name)


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "a" * 64, "a b", "a\n", "ä", "a/b", "١"])
def test_what_is_no_label(name: str) -> None:
    assert not is_dns_label(name)


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("a.b", True),
        ("a.b-c.7", True),
        (".".join(["a" * 49] * 5), True),
        ("a..b", False),
        (".a", False),
        ("a.", False),
        ("a.B", False),
        ("a.b\n", False),
        ("a." * 127, False),
        (".".join(["a" * 50] * 5), False),
    ],
)
def test_subdomains(name: str, good: bool) -> None:
    assert is_dns_subdomain(name) == good


@pytest.mark.parametrize(
    ("word", "choices", "meant"),
    [
        ("calculater", ["calculator", "weather"], "calculator"),
        ("ad", ["add", "subtract"], "add"),
        ("rawpyhton", {"rawpython": 1, "custom": 2}, "rawpython"),
        ("xyz", ["add", "subtract"], None),
        ("", ["add"], None),
        ("add", [], None),
    ],
)
def test_the_nearest_choice_is_suggested(word: str, choices, meant: str | None) -> None:
    assert nearest(word, choices) == meant


def test_a_thousand_choices_take_no_time() -> None:
    began = time.process_time()
    nearest("server-0500x", [f"server-{number:04}" for number in range(1000)])
    nearest("x" * 100_000, [f"server-{number:04}" for number in range(1000)])
    assert time.process_time() - began < 0.5
