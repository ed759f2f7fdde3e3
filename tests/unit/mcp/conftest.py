"""Both drivers, and the servers that they talk to."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.mcp.talking import AsyncTalk, BlockingTalk, Talk, Talker


@pytest.fixture(params=[BlockingTalk, AsyncTalk], ids=["blocking", "asyncio"])
def talk(request: pytest.FixtureRequest) -> Iterator[Talker]:
    """Begin a session with the server at a URL, by either driver."""
    begun: list[Talk] = []

    def begin(url: str, version: str | None = None) -> Talk:
        begun.append(request.param(url, version))
        return begun[-1]

    yield begin
    for one in begun:
        one.end()


@pytest.fixture(scope="session")
def real_servers() -> Iterator[dict[str, str]]:
    """Name -> URL of the servers in real_servers.py."""
    program = Path(__file__).with_name("real_servers.py")
    process = subprocess.Popen(
        [sys.executable, str(program)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


@pytest.fixture
def url_of(real_servers: dict[str, str]) -> Callable[[str], str]:
    return real_servers.__getitem__
