"""`local up` beside a daemon that is just ending or never answers: what counts is whether it answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from kaos.actions import local
from kaos.errors import NotReady

# Holds the directory's lock as a daemon does, and answers nothing.
HOLDER = """
import sys, time
from pathlib import Path
from kaos.local.lock import DirectoryLock
lock = DirectoryLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def silent(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_daemon_that_answers_is_running(live):
    state = local._settled(live.directory)
    assert (state.running, state.pid) == (True, live.pid)


def test_one_that_is_ending_does_not_count(silent, tmp_path):
    ended = time.monotonic()
    os.kill(silent.pid, signal.SIGKILL)
    assert not local._settled(tmp_path).running
    assert time.monotonic() - ended < 10


def test_one_that_never_answers_is_named_with_a_cure(silent, tmp_path, monkeypatch):
    monkeypatch.setattr(local, "START_TIMEOUT_S", 0.3)
    with pytest.raises(NotReady) as refused:
        local._settled(tmp_path)
    assert str(silent.pid) in refused.value.cause
    assert f"kill -9 {silent.pid}" in refused.value.cure
