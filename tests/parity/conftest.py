"""Where the parity stories are played: the local cluster, or with `--place cluster` the one that KUBECONFIG names.

`pytest tests/parity --place cluster --record` writes what the real server answers to recorded/.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.kubehttp import client_of
from tests.live import LiveCluster
from tests.parity.play import Play, unmake
from tests.parity.story import HERE, stories


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help="write the answers of --place cluster to recorded/")


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    if request.config.getoption("--place") == "cluster":
        with client_of(Path(os.environ["KUBECONFIG"])) as client:
            yield client
            for name in {name for story in stories() for name in story.given}:
                unmake(client, name)
        return
    cluster = LiveCluster(tmp_path_factory.mktemp("parity"))
    with cluster:
        pass  # a second life has a past that it no longer remembers, as a real server always has
    with cluster, client_of(cluster.kubeconfig) as client:
        yield client


@pytest.fixture(scope="session")
def plays(server: httpx.Client) -> Iterator[dict[str, Play]]:
    made = {story.name: Play(server, story) for story in stories()}
    yield made
    for play in made.values():
        play.close()


@pytest.fixture(scope="session")
def record(request: pytest.FixtureRequest, plays: dict[str, Play]) -> Iterator[Callable[..., None] | None]:
    """Notes an answer for the recording; None when nothing is to be recorded."""
    if not request.config.getoption("--record"):
        yield None
        return
    if request.config.getoption("--place") != "cluster":
        pytest.exit("--record needs --place cluster: only a real server's answers are worth recording", returncode=2)
    noted: dict[str, dict[str, Any]] = {}
    yield lambda story, name, answer: noted.setdefault(story, {}).update({name: answer})
    for story, answers in noted.items():
        path = HERE / "recorded" / f"{story}.json"
        before = json.loads(path.read_text()) if path.exists() else {}
        asked = [request.name for each in stories() if each.name == story for request in each.requests]
        kept = {name: answer for name, answer in (before | answers).items() if name in asked}
        path.write_text(json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
