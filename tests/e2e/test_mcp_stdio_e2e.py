"""Servers that speak over their standard input and output only, used like any other."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from kaos.api.names import MCPSERVERS
from tests.conftest import KAOS_IMAGE
from tests.stories import is_ready, mcpserver, message, reason

PROGRAM = Path(__file__).with_name("stdio_clock.py").read_text()
CLOCK = {"image": KAOS_IMAGE, "command": ["python", "/app/clock.py"]}
KEY = [{"name": "CLOCK_KEY", "value": "x"}]


def clock(name: str, **container: object) -> str:
    """The server's program in a ConfigMap, and an MCPServer that runs it in an image that knows nothing of it."""
    program = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"clock.py": PROGRAM}}
    server = mcpserver(
        name, None, runtime="custom", transport="stdio",
        container={**CLOCK, "volumeMounts": [{"name": "app", "mountPath": "/app"}], **container},
        podSpec={"volumes": [{"name": "app", "configMap": {"name": name}}]},
    )  # fmt: skip
    return f"{yaml.safe_dump(program)}---\n{server}"


def test_a_program_that_speaks_over_stdio_is_a_server_like_any_other(place, kaos, namespace):
    kaos("apply", "-f", "-", "-n", namespace, stdin=clock("clock", env=KEY)).ok()
    found = place.until(MCPSERVERS, "clock", namespace, is_ready, 120)
    assert [tool["name"] for tool in found["status"]["tools"]] == ["count"]
    assert found["status"]["serverInfo"] == {"name": "clock", "version": "1"}
    assert found["status"]["transport"] == "stdio"
    answer = kaos("mcp", "invoke", "clock", "-n", namespace, "count", "step:=3").ok()
    assert json.loads(answer.stdout) == {"result": 3}
    assert "clock: at your service" in kaos("mcp", "logs", "clock", "-n", namespace).ok().stdout


def test_why_it_does_not_start_is_in_the_status_in_its_own_words(place, kaos, namespace):
    kaos("apply", "-f", "-", "-n", namespace, stdin=clock("keyless")).ok()
    found = place.until(
        MCPSERVERS, "keyless", namespace, lambda it: reason(it) == "CrashLooping" and "exit code" in message(it), 120
    )
    assert "the server ended with exit code 1; its last words: clock: CLOCK_KEY is not set" in message(found)
    kaos("apply", "-f", "-", "-n", namespace, stdin=clock("keyless", env=KEY)).ok()
    place.until(MCPSERVERS, "keyless", namespace, is_ready, 120)
