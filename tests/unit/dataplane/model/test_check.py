"""The check of a configuration that only the pod may read: its words are all that the operator learns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

GOOD = "model_list:\n- {model_name: a, litellm_params: {model: openai/a, api_key: sk-canary}}\n- " + (
    "{model_name: b/*, litellm_params: {model: openai/*}}\n"
)


def check(tmp_path: Path, text: str | None, *models: str) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "config.yaml"
    if text is not None:
        path.write_text(text)
    command = [sys.executable, "-m", "kaos.dataplane.model", "check", "--config", str(path), "--name", "k of Secret s"]
    command += [f"--model={model}" for model in models]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_one_that_serves_what_it_should_is_passed_in_silence(tmp_path: Path) -> None:
    done = check(tmp_path, GOOD, "a", "b/c", "b/*")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (GOOD, 69, "k of Secret s does not serve absent, which models lists; it serves: a, b/*; correct it there"),
        ("model_list: [unclosed sk-canary", 78, "k of Secret s is not YAML, line 1; correct it there"),
        ("sk-canary", 78, "k of Secret s has no model_list with a model in it"),
        ("model_list: [{model_name: a, x: sk-canary}]", 78, "k of Secret s: model_list[0] needs a model_name and a"),
        ("[" * 60_000, 78, "k of Secret s cannot be read: line 1: nested more than 100 deep"),
        (None, 78, "k of Secret s cannot be read: No such file or directory"),
    ],
    ids=["model absent", "not YAML", "no list", "bad entry", "too deep", "no file"],
)
def test_one_that_does_not_is_told_on_one_line_without_its_words(
    tmp_path: Path, text: str | None, code: int, words: str
) -> None:
    done = check(tmp_path, text, "a", "absent")
    assert done.returncode == code
    assert done.stderr.startswith(words)
    assert done.stderr.count("\n") == 1
    assert "sk-canary" not in done.stderr
    assert done.stdout == ""
