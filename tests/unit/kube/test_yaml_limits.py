"""YAML from outside is refused before it can cost anything, and ordinary YAML is left alone."""

from __future__ import annotations

import time

import pytest
import yaml

from kaos.kube import yaml_limits

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(8)
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (BOMB, "aliases unfolded"),
        ("[" * 1_048_576, "nested more than 100 deep"),
        ("a: " + "[" * 60_000 + "]" * 60_000, "nested more than 100 deep"),
        ("{a: " * 262_144, "nested more than 100 deep"),
        ("- " * 400_000, "nested more than 100 deep"),
        ("? " * 400_000, "nested more than 100 deep"),
        ("\n".join(" " * n + "a:" for n in range(1400)), "nested more than 100 deep"),
        ("---\n" * 100_000, "documents"),
        ("[" + "1," * 600_000 + "]", "values"),
        ("a: &a [*a]", "holds itself"),
        ("a: &a {b: {<<: *a}}", "line 1"),
        ("x" * (yaml_limits.MAX_BYTES + 1), "larger than"),
    ],
    ids=[
        "bomb",
        "1 MiB of brackets",
        "closed brackets",
        "1 MiB of braces",
        "dashes",
        "questions",
        "indentation",
        "100,000 documents",
        "600,000 numbers",
        "a circle",
        "a circle by merging",
        "size",
    ],
)
def test_what_would_cost_too_much_is_refused_at_once(text: str, why: str) -> None:
    began = time.process_time()
    with pytest.raises(yaml_limits.TooMuch, match=why):
        yaml_limits.check(text)
    assert time.process_time() - began < 1


def test_what_is_no_yaml_is_yaml_s_own_error() -> None:
    with pytest.raises(yaml.YAMLError):
        yaml_limits.check("a: [")


@pytest.mark.parametrize(
    "text",
    ["", "a: 1", "---\na: 1\n---\nb: 2\n", "a: &x {b: c}\nd: *x\ne: *x\n", "\n---\n".join(["kind: ConfigMap"] * 1000)],
)
def test_ordinary_documents_pass(text: str) -> None:
    yaml_limits.check(text)


def test_a_thousand_manifests_are_checked_in_no_time() -> None:
    manifest = yaml.safe_dump({"kind": "X", "spec": {"a": [1, 2, {"b": "c"}], "d": "e" * 200}})
    text = "\n---\n".join([manifest] * 1000)
    began = time.process_time()
    yaml_limits.check(text)
    assert time.process_time() - began < 0.2
