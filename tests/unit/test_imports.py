"""What every command loads stays light: each import here is paid for by whoever types `kaos mcp list`."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "pydantic", "aiohttp", "kopf", "httpx", "rich", "textual", "fastmcp", "mcp", "kubernetes", "docker", "cryptography",
)  # fmt: skip
LIGHT = ("kaos.cluster", "kaos.cluster.wait", "kaos.mcp.blocking", "kaos.api.names", "kaos.api.registry")


@pytest.mark.parametrize("module", LIGHT)
def test_it_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}} & {{*{HEAVY!r}}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == []


@pytest.mark.parametrize("module", ["kaos.cluster", "kaos.mcp.blocking", "kaos.api.names"])
def test_it_loads_no_yaml_before_there_is_yaml_to_read(module: str) -> None:
    code = f"import sys, {module}; print('yaml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "False"


def test_the_console_paints_before_it_loads_what_it_works_with() -> None:
    code = (
        f"import sys, kaos.tui.app; print(*sorted({{name.partition('.')[0] for name in sys.modules}} & {{*{HEAVY!r}}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["rich", "textual"]
