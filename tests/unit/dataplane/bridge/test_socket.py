"""The bridge before a server in another container: stdio-exec there, a Unix socket between them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.conftest import ROOT
from tests.unit.dataplane.bridge.running import PLAIN_SERVER, RawSession, Running, call

TWIN = [sys.executable, "-I", "-S", str(ROOT / "kaos/dataplane/bridge/stdio_exec.py")]


@pytest.fixture(params=["program", "twin"])
def executor(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """The static program of the images, where it can be built, and what stands in for it elsewhere."""
    if request.param == "twin":
        return TWIN
    if sys.platform != "linux" or (compiler := shutil.which("gcc") or shutil.which("cc")) is None:
        pytest.skip("the program is for Linux, and needs a compiler here")
    program = tmp_path / "stdio-exec"
    subprocess.run([compiler, "-Wall", "-Werror", "-o", program, ROOT / "images/kaos/stdio-exec.c"], check=True)
    return [str(program)]


def _words(process: psutil.Process) -> list[str]:
    """Its command; nothing once it has ended."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


class Pair:
    """stdio-exec with a server, and the bridge that asks it for processes."""

    def __init__(self, executor: list[str], server: list[str], directory: Path, *options: str) -> None:
        self.socket = directory / "s.sock"
        self.log = directory / "server.log"
        with self.log.open("w") as log:
            self.executor = subprocess.Popen([*executor, str(self.socket), "--", *server], stderr=log)
        self.bridge = Running([], directory / "log", "--socket", str(self.socket), *options)

    def servers(self) -> list[psutil.Process]:
        below = psutil.Process(self.executor.pid).children(recursive=True)
        return [one for one in below if any("plain_server" in word for word in _words(one))]

    def end(self) -> None:
        self.bridge.end()
        self.executor.terminate()
        assert self.executor.wait(20) == 0
        assert not self.socket.exists()


@pytest.fixture
def pair(executor: list[str], tmp_path: Path) -> Iterator[Callable[..., Pair]]:
    made: list[Pair] = []

    def begin(server: list[str], *options: str) -> Pair:
        made.append(Pair(executor, server, tmp_path, *options))
        return made[-1]

    yield begin
    for one in made:
        one.end()


def test_each_session_is_a_process_there_and_ends_with_it(pair: Callable[..., Pair]) -> None:
    both = pair(PLAIN_SERVER)
    both.bridge.until_ready()
    before = len(both.servers())
    sessions = [RawSession(both.bridge.mcp) for _ in range(3)]
    assert [one.post(call("echo", text=str(n))).json()["result"] for n, one in enumerate(sessions)] == [
        {"content": [{"type": "text", "text": str(n)}]} for n in range(3)
    ]
    assert len(both.servers()) >= before + 2
    for session in sessions:
        session.delete()
    both.bridge.until(lambda: len(both.servers()) <= before + 1, "without the processes of ended sessions")


def test_a_server_there_that_closes_its_output_but_lives_on_has_ended(pair: Callable[..., Pair]) -> None:
    both = pair(PLAIN_SERVER)
    both.bridge.until_ready()
    session = RawSession(both.bridge.mcp)
    before = {one.pid for one in both.servers()}
    told = session.post(call("silent")).json()["error"]["message"]
    assert told.startswith("the server closed its output")
    assert "closed its output" in session.post(call("echo", text="x")).json()["error"]["message"]
    both.bridge.until(lambda: not before <= {one.pid for one in both.servers()}, "without the process that is silent")


def test_long_answers_pass_whole_from_there(pair: Callable[..., Pair]) -> None:
    both = pair(PLAIN_SERVER)
    both.bridge.until_ready()
    text = "x" * 3_000_000
    assert RawSession(both.bridge.mcp).post(call("echo", text=text)).json()["result"]["content"][0]["text"] == text


def test_nothing_is_left_there_when_the_bridge_dies(pair: Callable[..., Pair]) -> None:
    both = pair(PLAIN_SERVER)
    both.bridge.until_ready()
    servers = both.servers()
    both.bridge.process.kill()
    _, alive = psutil.wait_procs(servers, timeout=20)
    assert servers
    assert not alive


def test_a_server_that_cannot_start_is_given_up_with_its_last_words(pair: Callable[..., Pair]) -> None:
    both = pair(["sh", "-c", "echo no such config >&2; exit 78"], "--give-up", "2")
    assert both.bridge.process.wait(60) == 78
    said = "the server ended with exit code 78; its last words: no such config"
    assert both.bridge.log.read_text().splitlines()[-1] == said
    assert both.log.read_text().splitlines() == ["no such config"] * 2


def test_a_program_that_is_not_there_is_told(pair: Callable[..., Pair]) -> None:
    both = pair(["no-such-server"], "--give-up", "1")
    assert both.bridge.process.wait(60) == 1
    told = "exit code 127; its last words: cannot start no-such-server: No such file or directory"
    assert told in both.bridge.log.read_text().splitlines()[-1]


def test_the_bridge_waits_for_the_other_container(tmp_path: Path) -> None:
    bridge = Running([], tmp_path / "log", "--socket", str(tmp_path / "s.sock"), "--give-up", "1")
    executor = None
    try:
        told = httpx.get(f"{bridge.url}/ready")
        assert (told.status_code, told.json()["message"]) == (503, "the server is starting")
        executor = subprocess.Popen([*TWIN, str(tmp_path / "s.sock"), "--", *PLAIN_SERVER])
        bridge.until_ready()
    finally:
        bridge.end()
        if executor:
            executor.terminate()
            executor.wait(20)
