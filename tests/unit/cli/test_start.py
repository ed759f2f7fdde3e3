"""What a command loads before it works: little. Common verbs feel instant only without the heavy libraries."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = ("pydantic", "kopf", "aiohttp", "httpx", "textual", "fastmcp", "mcp", "docker", "kubernetes", "rich")
PROBE = """
import sys
from kaos.cli.main import run
code = run(sys.argv[2:])
loaded = {name.partition(".")[0] for name in sys.modules}
print("loaded:", *sorted(loaded & set(sys.argv[1].split(","))), file=sys.stderr)
print("code:", code, file=sys.stderr)
"""


@pytest.fixture
def server(client, room):
    from kaos.actions.kinds import MCPSERVER

    obj = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": "calc"},
           "spec": {"runtime": "rawpython"}}  # fmt: skip
    client.create(MCPSERVER.resource, obj, room)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["mcp", "--help"], 0),
        (["mcp", "list", "-n", "ROOM"], 0),
        (["mcp", "list", "-n", "ROOM", "-o", "json"], 0),
        (["mcp", "get", "calc", "-n", "ROOM"], 0),
        (["mcp", "delete", "calc", "-n", "ROOM", "--yes"], 0),
        (["mcp", "logs", "calc", "-n", "ROOM"], 3),
        (["mcp", "invoke", "calc", "add", "a=1", "-n", "ROOM"], 3),
        (["mcp", "describe", "calc", "-n", "ROOM"], 0),
        (["mcp", "deploy", "-n", "ROOM", "--name", "x", "--runtime", "rawpython"], 0),
        (["status", "-n", "ROOM"], 0),
        (["why", "-n", "ROOM"], 1),
        (["map", "-n", "ROOM"], 0),
        (["top", "-n", "ROOM"], 0),
        (["operator", "status"], 1),
        (["system", "runtimes"], 0),
        (["secret", "list", "-n", "ROOM"], 0),
        (["context", "list"], 0),
        (["no-such-command"], 2),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else None,
)
def test_a_common_verb_loads_no_heavy_library(live, room, server, arguments, code):
    arguments = [room if word == "ROOM" else word for word in arguments]
    env = os.environ | {"KAOS_LOCAL_DIR": str(live.directory), "KAOS_CONTEXT": "kaos-local"}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, ",".join(HEAVY), *arguments], capture_output=True, text=True, env=env, check=False
    )
    assert f"code: {code}\n" in done.stderr, done.stderr
    assert "loaded:\n" in done.stderr, done.stderr


def test_the_help_of_the_whole_imports_no_group():
    probe = "import sys; from kaos.cli.main import run; run(['--help']); print('kaos.cli.mcp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")
