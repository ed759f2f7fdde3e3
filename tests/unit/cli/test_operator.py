"""`kaos operator run`: names what is missing on a bare cluster, works elsewhere, and ends as signals say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import LiveCluster

KAOS = str(Path(sys.executable).with_name("kaos"))


def environment(directory: Path) -> dict[str, str]:
    return os.environ | {"KAOS_LOCAL_DIR": str(directory), "KAOS_CONTEXT": "kaos-local"}


def test_on_a_bare_cluster_it_names_what_is_missing(tmp_path):
    with LiveCluster(tmp_path) as bare:
        refused = subprocess.run(
            [KAOS, "operator", "run"], env=environment(bare.directory), capture_output=True, text=True, check=False
        )
    assert refused.returncode == 3
    assert "knows no MCPServer" in refused.stderr
    assert "kaos system install --no-operator" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_it_runs_until_told_to_end(live, room, signum, code):
    """Limited to one namespace, so that other tests on this cluster stay without an operator."""
    running = subprocess.Popen(
        [KAOS, "operator", "run", "-n", room], env=environment(live.directory), stderr=subprocess.PIPE, text=True
    )
    try:
        assert any("✓ Operator runs" in line for line in running.stderr)
        running.send_signal(signum)
        _, stderr = running.communicate(timeout=20)
    finally:
        running.kill()
    assert running.returncode == code
    assert "Traceback" not in stderr


def test_without_a_cluster_it_says_how_to_get_one(alone):
    refused = alone("operator", "run")
    assert refused.code == 4
    assert "kaos local up" in refused.stderr
