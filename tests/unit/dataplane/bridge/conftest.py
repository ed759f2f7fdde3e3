"""Bridges before a real server made with fastmcp, and before a plain one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.dataplane.bridge.running import PLAIN_SERVER, STDIO_SERVER, Running


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Before the server made with fastmcp."""
    running = Running(STDIO_SERVER, tmp_path_factory.mktemp("bridge") / "log").until_ready()
    yield running
    assert running.end() == 0
    assert "Traceback (most" not in "\n".join(
        line for line in running.log.read_text().splitlines() if not line.startswith("[")
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Before the plain server."""
    running = Running(PLAIN_SERVER, tmp_path_factory.mktemp("plain") / "log").until_ready()
    yield running
    assert running.end() == 0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start a bridge of the test's own: options, then environment."""
    started: list[Running] = []

    def begin(*options: str, **env: str) -> Running:
        started.append(Running(PLAIN_SERVER, tmp_path / f"log{len(started)}", *options, **env))
        return started[-1]

    yield begin
    for one in started:
        one.end()
