"""Reading a log that is written and rotated at the same time: every line once, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kaos.local.node import logs, shim
from kaos.local.node.logs import LogQuery


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shim, "ROTATE_AT", 2000)


def writer(path: Path) -> Callable[[int], None]:
    """Writes that many more numbered lines."""
    log, count = shim.Log(str(path)), 0

    def write(more: int) -> None:
        nonlocal count
        for _ in range(more):
            log.write("stdout", f"{count}\n".encode())
            count += 1

    return write


async def read(path: Path, query: dict[str, str], between: list[Callable[[], None]]) -> list[int]:
    """The numbers of the lines; before each further chunk something happens."""
    text = b""
    async for chunk in logs.stream(path, LogQuery(query), lambda: not between):
        text += chunk
        if between:
            between.pop(0)()
    return [int(line) for line in text.splitlines()]


async def test_a_followed_log_has_every_line_across_rotations(tmp_path, small_parts):
    write = writer(tmp_path / "main.log")
    write(30)
    happenings = [lambda: write(5), lambda: write(40), lambda: write(50), lambda: write(1)]
    assert await read(tmp_path / "main.log", {"follow": "true"}, happenings) == list(range(126))


async def test_two_rotations_between_two_looks_lose_nothing(tmp_path, small_parts):
    write = writer(tmp_path / "main.log")
    write(10)
    assert await read(tmp_path / "main.log", {"follow": "true"}, [lambda: write(80)]) == list(range(90))


async def test_a_log_is_read_with_its_older_part(tmp_path, small_parts):
    write = writer(tmp_path / "main.log")
    write(200)
    assert (tmp_path / "main.log.1").exists()
    numbers = await read(tmp_path / "main.log", {}, [])
    assert numbers == list(range(numbers[0], 200))
    assert len(numbers) > 45
    assert await read(tmp_path / "main.log", {"tailLines": "60"}, []) == numbers[-60:]


async def test_the_end_of_a_log_and_what_follows(tmp_path, small_parts):
    write = writer(tmp_path / "main.log")
    write(30)
    assert await read(tmp_path / "main.log", {"tailLines": "2", "follow": "true"}, [lambda: write(3)]) == [
        28,
        29,
        30,
        31,
        32,
    ]


async def test_a_log_that_is_not_there_is_empty(tmp_path):
    assert await read(tmp_path / "main.log", {}, []) == []


def test_parts_of_a_line_are_put_together(tmp_path):
    log = shim.Log(str(tmp_path / "main.log"))
    log.write("stdout", b"one ")
    log.write("stderr", b"aside\n")
    log.write("stdout", b"line\nno end")
    log.close()
    assert logs.last_text(tmp_path / "main.log") == "aside\none line\nno end\n"


def test_a_line_longer_than_any_is_one_line_again(tmp_path):
    log = shim.Log(str(tmp_path / "main.log"))
    log.write("stdout", b"x" * 100_000 + b"\n")
    log.close()
    assert logs.last_text(tmp_path / "main.log", limit=200_000) == "x" * 100_000 + "\n"


def test_a_log_that_cannot_be_rotated_goes_on(tmp_path, small_parts):
    (tmp_path / "main.log.1").mkdir()
    write = writer(tmp_path / "main.log")
    write(200)
    assert logs.last_text(tmp_path / "main.log", lines=200).splitlines()[-1] == "199"


def test_a_new_life_begins_with_an_empty_log(tmp_path):
    path = tmp_path / "main.log"
    for life in ("first", "second"):
        logs.start_anew(path)
        log = shim.Log(str(path))
        log.write("stdout", life.encode() + b"\n")
        log.close()
    assert logs.last_text(path) == "second\n"
    assert logs.last_text(logs.previous(path)) == "first\n"
