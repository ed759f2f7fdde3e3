"""The command in this process, on a live cluster without an operator: what is typed, printed and returned."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import pytest

from kaos.cli.main import run
from tests.conftest import Result
from tests.live import LiveCluster

Kaos = Callable[..., Result]


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path, capfd) -> Kaos:
    """`kaos ...` on a machine without any cluster."""
    for name in (
        "KUBECONFIG",
        "KAOS_CONTEXT",
        "NO_COLOR",
        "KUBERNETES_SERVICE_HOST",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAOS_LOCAL_DIR", str(tmp_path / "local"))

    def kaos(*arguments: str, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8"))
        capfd.readouterr()
        code = run(arguments)
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return kaos


@pytest.fixture
def kaos(alone: Kaos, live: LiveCluster, room: str, monkeypatch: pytest.MonkeyPatch) -> Kaos:
    """`kaos ...` on the live cluster; every command is given the test's own namespace by `-n room`."""
    monkeypatch.setenv("KAOS_LOCAL_DIR", str(live.directory))
    monkeypatch.setenv("KAOS_CONTEXT", "kaos-local")
    return alone
