"""`kaos mcp bridge`: a stdio server gets an address on this machine, for any client of either era."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastmcp import Client

from tests.conftest import KAOS, clean_env
from tests.unit.dataplane.bridge.running import PLAIN_SERVER, STDIO_SERVER
from tests.unit.mcp.talking import BlockingTalk

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*KAOS, "mcp", "bridge", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_env(tmp_path),
        )  # fmt: skip
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_it_prints_the_url_that_a_client_takes(start: Start, era: str) -> None:
    url = start("--", *STDIO_SERVER).stdout.readline().strip()
    async with Client(url, mode=era) as client:
        assert (await client.call_tool("add", {"a": 2, "b": 3})).data == 5


def test_our_own_client_speaks_to_it(start: Start) -> None:
    talk = BlockingTalk(start("--", *STDIO_SERVER).stdout.readline().strip())
    talk.do("open")
    assert talk.session.protocol_version == "2026-07-28"
    assert talk.session.server_info["name"] == "stdio"
    assert talk.do("call_tool", "add", {"a": 2, "b": 3})["structuredContent"] == {"result": 5}


def test_ctrl_c_ends_it_and_the_server(start: Start) -> None:
    process = start("--", *PLAIN_SERVER)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130


def test_options_after_the_dashes_are_the_servers(start: Start) -> None:
    process = start("--", "sh", "-c", 'echo "got $0 $1" >&2; exit 3', "--port", "--help")
    assert "got --port --help" in next(line for line in process.stderr if "got" in line)


def test_a_program_that_is_not_there_and_a_port_that_is_taken_are_wrong_usage(start: Start) -> None:
    _, told = (process := start("--", "no-such-program")).communicate(timeout=30)
    assert (process.returncode, told.splitlines()[0]) == (2, "Error: There is no program no-such-program.")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        _, told = (process := start("--port", port, "--", *PLAIN_SERVER)).communicate(timeout=30)
    assert process.returncode == 2
    assert told.splitlines() == [
        f"Error: Port {port} on 127.0.0.1: Address already in use.",
        "Take another: --port PORT",
    ]
