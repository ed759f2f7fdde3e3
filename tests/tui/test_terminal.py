"""The console on a real terminal: it appears, and however it ends the terminal is as it was."""

from __future__ import annotations

import os
import signal

import pytest

from tests.conftest import KAOS
from tests.tui.terminal import Terminal


@pytest.fixture
def on_terminal(place, sample):
    def opened(*arguments, **env):
        return Terminal([*KAOS, "tui", "-n", sample, *arguments], place.env | env)

    return opened


def ready(terminal):
    terminal.until("MCPServers")
    terminal.until("● live")


def command(terminal, text):
    seen = len(terminal.output)
    terminal.send(":")
    terminal.until("cancel", since=seen)
    terminal.send(f"{text}\r")


ENDS = {
    "ctrl+q": (lambda terminal: terminal.send("\x11"), 0),
    "ctrl+c twice": (lambda terminal: (terminal.send("\x03"), terminal.until("Once more"), terminal.send("\x03")), 0),
    ":quit": (lambda terminal: command(terminal, "quit"), 0),
    "kill": (lambda terminal: os.kill(terminal.process.pid, signal.SIGTERM), 143),
    "hang up": (lambda terminal: os.kill(terminal.process.pid, signal.SIGHUP), 129),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_terminal_is_left_clean(on_terminal, end):
    how, code = ENDS[end]
    with on_terminal() as terminal:
        ready(terminal)
        how(terminal)
        assert terminal.ended() == code
        assert terminal.is_clean


def test_a_fault_of_its_own_is_told_in_a_line(on_terminal, tmp_path):
    broken = tmp_path / "sitecustomize.py"
    broken.write_text(
        "import kaos.tui.screens.events as events\n"
        "def fail(self): secret = 'hunter2'; raise RuntimeError('on purpose')\n"
        "events.EventsScreen.body = fail\n"
    )
    with on_terminal(PYTHONPATH=str(tmp_path)) as terminal:
        ready(terminal)
        command(terminal, "events")
        assert terminal.ended() == 1
        assert terminal.is_clean
        assert "kaos itself failed: RuntimeError: on purpose" in terminal.text
        assert "Traceback" not in terminal.text
        assert "hunter2" not in terminal.text


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "xterm"}, {"TERM": "linux", "COLORTERM": ""}], ids=str)
def test_it_works_without_colours_and_with_few(on_terminal, env):
    with on_terminal(**env) as terminal:
        ready(terminal)
        terminal.send("m")
        terminal.until("calculator", since=len(terminal.output))
        terminal.send("\x11")
        assert terminal.ended() == 0
