"""A pull is read as it comes: cut anywhere, layer by layer, and wrong in any way."""

from __future__ import annotations

import json

import pytest

from kaos.api.ollama import Pull, size

LINES = [
    {"status": "pulling manifest"},
    {"status": "pulling aa", "digest": "aa", "total": 1000},
    {"status": "pulling aa", "digest": "aa", "total": 1000, "completed": 600},
    {"status": "pulling aa", "digest": "aa", "total": 1000, "completed": 1000},
    {"status": "pulling bb", "digest": "bb", "total": 3000, "completed": 1500},
    {"status": "verifying sha256 digest"},
    {"status": "success"},
]
STREAM = b"".join(json.dumps(line).encode() + b"\n" for line in LINES)


@pytest.mark.parametrize("piece", [1, 7, 64, len(STREAM)])
def test_steps_add_up_over_layers_however_they_arrive(piece: int) -> None:
    pull = Pull("tiny")
    steps = [str(step) for at in range(0, len(STREAM), piece) for step in pull.feed(STREAM[at : at + piece])]
    assert steps == [
        "pulling manifest",
        "0 % (0 bytes of 1.0 kB)",
        "60 % (600 bytes of 1.0 kB)",
        "100 % (1.0 kB of 1.0 kB)",
        "62 % (2.5 kB of 4.0 kB)",
        "verifying sha256 digest",
        "success",
    ]
    assert (pull.complete, pull.bytes) == (True, 4000)


def test_a_stream_that_is_cut_is_not_complete() -> None:
    pull = Pull("tiny")
    assert list(pull.feed(STREAM[:-3]))[-1].status == "verifying sha256 digest"
    assert not pull.complete


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"error": "pull model manifest: file does not exist"}\n', "cannot be pulled: pull model manifest"),
        (b"<html>\n", "not Ollama's"),
        (b"[]\n", "not Ollama's"),
        (b"\xff\n", "not Ollama's"),
    ],
)
def test_what_cannot_be_is_told(line: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        list(Pull("tiny").feed(line))


@pytest.mark.parametrize(
    "odd", [{"total": "many"}, {"total": -1}, {"total": 5, "completed": "x"}, {"completed": 7}, {}]
)
def test_odd_figures_are_no_figures(odd: dict) -> None:
    (step,) = Pull("tiny").feed(json.dumps({"status": "pulling", **odd}).encode() + b"\n")
    assert str(step) == "pulling"


@pytest.mark.parametrize(
    ("model", "insecure"), [("tiny", False), ("127.0.0.1:5000/library/tiny", True), ("localhost:1/a", True)]
)
def test_only_this_machine_is_asked_without_tls(model: str, insecure: bool) -> None:
    assert json.loads(Pull(model).request) == {"model": model, "stream": True, "insecure": insecure}


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1_234_567, "1.2 MB"),
        (4_700_000_000, "4.7 GB"),
        (10**13, "10000.0 GB"),
    ],
)
def test_sizes_are_for_people(count: int, words: str) -> None:
    assert size(count) == words
