"""The chart as helm renders it, and as it was rendered for those without helm."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

Object = dict[str, Any]
CHART = ROOT / "chart"


@dataclass(frozen=True)
class Rendered:
    """The objects of one rendering."""

    objects: list[Object]

    def all(self, kind: str) -> list[Object]:
        return [one for one in self.objects if one["kind"] == kind]

    def one(self, kind: str, name: str) -> Object:
        return next(one for one in self.all(kind) if one["metadata"]["name"] == name)


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["helm", "template", "kaos", str(CHART), "--kube-version", "1.34.0", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def render() -> Callable[..., Rendered]:
    """Render with these values, in namespace kaos-system; the test is skipped where there is no helm."""
    if not shutil.which("helm"):
        pytest.skip("needs helm")

    def with_values(**values: Any) -> Rendered:
        given = [word for key, value in values.items() for word in ("--set-json", f"{key}={json.dumps(value)}")]
        done = helm("-n", "kaos-system", *given)
        assert done.returncode == 0, done.stderr
        return Rendered([one for one in yaml.safe_load_all(done.stdout) if one])

    return with_values


@pytest.fixture(scope="session")
def released() -> Rendered:
    """What `kaos system install` applies where there is no helm."""
    return Rendered([one for one in yaml.safe_load_all((CHART / "rendered.yaml").read_text()) if one])
