"""The local API server answers as Kubernetes 1.34 does: the same requests, the same codes, headers and bodies.

The requests stand in stories/, the real server's answers in recorded/. On `--place cluster` the same comparison shows
that the recording is still what a real server says.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from tests.parity.play import Play
from tests.parity.story import HERE, stories

_ROWS = [
    pytest.param(story.name, request.name, id=f"{story.name}: {request.name}")
    for story in stories()
    for request in story.requests
]


@cache
def recorded(story: str) -> dict[str, Any]:
    path = HERE / "recorded" / f"{story}.json"
    return json.loads(path.read_text()) if path.exists() else {}


@pytest.mark.parametrize(("story", "name"), _ROWS)
def test_the_answer_is_the_real_servers(story: str, name: str, plays: dict[str, Play], record) -> None:
    answer = plays[story].answer(name)
    if record is not None:
        record(story, name, answer)
        return
    assert name in recorded(story), "not recorded: pytest tests/parity --place cluster --record"
    assert shown(answer) == shown(recorded(story)[name])


def shown(answer: dict[str, Any]) -> list[str]:
    """Line by line, so that a difference is seen where it is. The order of an object's fields means nothing."""
    return json.dumps(answer, indent=1, sort_keys=True, ensure_ascii=False).splitlines()


def test_there_are_enough_requests():
    assert len(_ROWS) >= 200


def test_nothing_is_recorded_that_no_story_asks_for():
    asked = {story.name: {request.name for request in story.requests} for story in stories()}
    for path in (HERE / "recorded").glob("*.json"):
        assert set(recorded(path.stem)) <= asked.get(path.stem, set()), path.name
