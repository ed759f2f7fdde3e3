"""How the process begins and ends: the program that is bad, the port that is taken, SIGTERM with calls in flight."""

from __future__ import annotations

import http.client
import signal
import socket
import sys
import time

import pytest

from kaos_rawpython import __version__

MODERN, LEGACY = "2026-07-28", "2025-11-25"
SHORTER = (  # patience than a pod's
    "import kaos_rawpython.server as s; s.DRAIN_S = 0.5; s.STALLED_S = 2; import kaos_rawpython.__main__ as m; m.main()"
)


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("def broken(:\n    pass\n", "params, line 1: SyntaxError: invalid syntax"),
        ("X = 1\n\n\nY = undefined_name\n", "params, line 4: NameError: name 'undefined_name' is not defined"),
        ("def f(*a): pass\n", "params, line 1: function f cannot be a tool: Functions with *args are not supported"),
        (
            "class A: pass\n\ndef f(a: A): pass\n",
            "params, line 3: function f cannot be a tool: Unable to generate pydantic-core schema for <class 'params.A",
        ),
        ("def f(a: 'Nope'): pass\n", "params, line 1: function f cannot be a tool: name 'Nope' is not defined"),
        (
            "import threading as t\nt.Thread(target=t.Event().wait).start()\n1 / 0\n",
            "params, line 3: ZeroDivisionError",
        ),
    ],
    ids=["syntax", "name", "schema", "type", "forward reference", "with a thread that does not end"],
)
def test_a_bad_program_ends_with_78_and_one_line_for_the_person_and_for_the_operator(
    run_to_its_end, tmp_path, program, told
):
    message = tmp_path / "termination-log"
    message.write_text("of the run before, and longer than what comes now" * 20)
    ended = run_to_its_end(program, TERMINATION_LOG=str(message))
    assert ended.process.returncode == 78
    assert ended.log.whole().startswith(told)
    assert "\n" not in ended.log.whole()
    assert message.read_text() == ended.log.whole()


def test_params_that_are_not_utf_8_are_told(run_to_its_end):
    ended = run_to_its_end("x = 1  # \udcff\n")
    assert ended.process.returncode == 78
    assert ended.log.whole() == "params are not UTF-8: invalid start byte at byte 9"


def test_a_program_that_ends_the_process_leaves_a_message(run_to_its_end, tmp_path):
    message = tmp_path / "termination-log"
    message.touch()
    ended = run_to_its_end("import os\nos._exit(3)\n", TERMINATION_LOG=str(message))
    assert ended.process.returncode == 3
    assert message.read_text().startswith("params: the program ended the process itself")


def test_a_server_that_serves_leaves_no_message(started, tmp_path):
    message = tmp_path / "termination-log"
    message.touch()
    started("def f(): pass\n", TERMINATION_LOG=str(message))
    assert message.read_text() == ""


def test_no_message_file_is_made_where_there_is_none(run_to_its_end, tmp_path):
    run_to_its_end("1 / 0\n", TERMINATION_LOG=str(tmp_path / "termination-log"))
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_takes_long_ends_at_sigterm(run_to_its_end, tmp_path):
    from_program = "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nwhile True: pass\n"
    assert run_to_its_end(from_program).process.returncode == 0


def test_one_line_tells_how_many_tools_are_served_where(started):
    server = started("def f(): pass\ndef g(): pass\n")
    assert server.log.text == f"INFO serving 2 tools on 0.0.0.0:{server.port}/mcp: f, g\n"


@pytest.mark.parametrize("port", ["taken", "none", "70000"])
def test_a_port_that_cannot_be_had_is_told_on_one_line(run_to_its_end, port):
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = str(taken.getsockname()[1]) if port == "taken" else port
        ended = run_to_its_end("def f(): pass\n", PORT=port)
    assert ended.process.returncode == 1
    assert ended.log.whole().startswith(f"cannot listen on 0.0.0.0, port {port}: ")
    assert "\n" not in ended.log.whole()


def test_sigterm_lets_calls_in_flight_end(started):
    server = started(
        "import asyncio, time\n"
        "def slow() -> str:\n"
        "    print('slow has begun')\n"
        "    time.sleep(1)\n"
        "    return 'done'\n"
        "async def slow_loop() -> str:\n"
        "    print('slow_loop has begun')\n"
        "    await asyncio.sleep(1)\n"
        "    return 'done'\n"
    )
    calls = [server.begin(tool, version) for tool in ("slow", "slow_loop") for version in (MODERN, LEGACY)]
    for tool in ("slow", "slow_loop"):
        server.log.wait_for(f"{tool} has begun")
    server.process.send_signal(signal.SIGTERM)
    answers = [call.answer().json["result"]["structuredContent"] for call in calls]
    assert answers == [{"result": "done"}] * 4
    assert server.process.wait(timeout=5) == 0
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        server.http("GET", "/health")


def test_sigterm_waits_for_no_stuck_call_for_ever(started):
    program = "import time\ndef stuck() -> None:\n    print('begun')\n    time.sleep(600)\n"
    server = started(program, "-c", SHORTER)
    calls = [server.begin("stuck", version) for version in (MODERN, LEGACY)]
    server.log.wait_for("begun")
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    for call in calls:
        result = call.answer().json["result"]
        assert result["isError"] is True
        assert "the server stops" in result["content"][0]["text"]
    assert server.process.wait(timeout=10) == 0
    assert 0.4 < time.monotonic() - began < 5
    assert "Traceback" not in server.log.whole()


def test_code_that_stops_all_of_python_ends_the_process_and_shows_where(started):
    program = "import re\ndef runaway() -> None:\n    re.match(r'(a+)+$', 'a' * 60 + 'b')\n"
    server = started(program, "-c", SHORTER)
    call = server.begin("runaway")
    assert server.process.wait(timeout=20) == 1
    assert 'File "params", line 3 in runaway' in server.log.whole()
    call.hang_up()


def test_a_tool_that_ends_the_process_ends_it(started):
    server = started("import os\ndef die() -> None: os._exit(7)\n")
    call = server.begin("die")
    assert server.process.wait(timeout=10) == 7
    call.hang_up()


def test_ctrl_c_ends_it_without_a_traceback(started):
    server = started("def f(): pass\n")
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(timeout=10) == 130
    assert "Traceback" not in server.log.whole()


def test_the_versions_of_kaos_and_of_this_server_are_one():
    kaos = pytest.importorskip("kaos", reason="this project stands alone here")
    assert kaos.__version__ == __version__


def test_the_program_is_read_before_the_protocol_is_loaded():
    """So that a bad program is told in a tenth of a second, and the loader stays free of what the server needs."""
    import subprocess

    code = "import sys, kaos_rawpython.__main__; print([m for m in ('fastmcp', 'mcp', 'pydantic') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
