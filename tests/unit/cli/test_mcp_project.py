"""A server of one's own from the command line: begun, checked; and what is said when it cannot be."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys

import pytest
from fastmcp import Client

from kaos.actions.project import scaffold

TREE = """\
Created my-tools/
├── server.py                # FastMCP server template
├── pyproject.toml           # Python dependencies
├── tests/test_server.py     # what the tools promise
├── README.md
├── .dockerignore            # what never gets into the image
├── .gitignore
├── Dockerfile               # for docker build; `kaos mcp build` makes the same
└── mcp.yaml                 # for kaos mcp deploy -f

Next steps:
  cd my-tools
  kaos mcp run
  kaos mcp build --name my-tools --registry docker.io/myuser
  kaos mcp deploy --name my-tools --namespace default --image docker.io/myuser/my-tools:latest
"""


@pytest.fixture
def here(alone, tmp_path, monkeypatch):
    """`kaos ...` in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return alone


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr(scaffold, "_lock", lambda root: "no network")


def test_a_project_is_begun_and_shown(here, offline, tmp_path):
    begun = here("mcp", "init", "--name", "my-tools", "--create-dockerfile", "--create-yaml").ok()
    assert begun.stdout == TREE
    assert begun.stderr == "Its dependencies are not locked: no network\n"
    assert "image: my-tools:latest" in (tmp_path / "my-tools" / "mcp.yaml").read_text()


def test_it_bears_its_name_everywhere(here, offline, tmp_path):
    here("mcp", "init", "--name", "weather").ok()
    texts = [file.read_text() for file in (tmp_path / "weather").rglob("*") if file.is_file()]
    assert not any("my-tools" in text for text in texts)


def test_nothing_is_overwritten(here, offline, tmp_path):
    (tmp_path / "my-tools").mkdir()
    (tmp_path / "my-tools" / "mine.py").write_text("x")
    refused = here("mcp", "init", "--name", "my-tools")
    assert refused.code == 2
    assert "my-tools exists already; nothing was written." in refused.stderr
    assert os.listdir(tmp_path / "my-tools") == ["mine.py"]


@pytest.mark.parametrize("name", ["My Tools", "../up", "a/b", "", "x;y", "-x"])
def test_what_is_no_name_is_refused(here, tmp_path, name):
    before = os.listdir(tmp_path)
    assert here("mcp", "init", f"--name={name}").code == 2
    assert os.listdir(tmp_path) == before


BROKEN = {
    "an import that is not there": ("import nonexistent_thing\n", "No module named 'nonexistent_thing' (server.py:1)"),
    "a syntax error": ("mcp = FastMCP(\n", "SyntaxError: '(' was never closed (server.py:1)"),
}


@pytest.mark.full
@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_server_is_told_with_its_line(here, tmp_path, fault):
    text, told = BROKEN[fault]
    (tmp_path / "server.py").write_text(text + "from fastmcp import FastMCP\nmcp = FastMCP('x')\n")
    refused = here("mcp", "validate")
    assert refused.code == 1
    assert "The server does not start: " in refused.stderr
    assert told in refused.stderr


def test_a_directory_without_a_project_leads_to_init(here):
    refused = here("mcp", "validate")
    assert refused.code == 2
    assert "There is no Python project in ." in refused.stderr
    assert "kaos mcp init" in refused.stderr


@pytest.mark.full
def test_a_new_project_passes_its_own_tests_is_tidy_and_good(here, tmp_path):
    here("mcp", "init", "--name", "my-tools").ok()
    root = tmp_path / "my-tools"
    checked = here("mcp", "validate", "my-tools").ok()
    assert "hello         name?: string" in checked.stdout
    assert "✓ Nothing that a client would trip over" in checked.stderr
    assert (root / "uv.lock").exists()
    python = root / ".venv" / "bin" / "python"
    tests = subprocess.run([python, "-m", "pytest", "-q"], cwd=root, capture_output=True, text=True)
    assert "2 passed" in tests.stdout, tests.stdout
    subprocess.run([python, "-m", "ruff", "check", "."], cwd=root, check=True)
    subprocess.run([python, "-m", "ruff", "format", "--check", "."], cwd=root, check=True)


@pytest.mark.full
def test_what_clients_would_trip_over_is_told(here, tmp_path):
    (tmp_path / "server.py").write_text(
        "import time\nfrom fastmcp import FastMCP\nmcp = FastMCP('x')\n\n"
        "@mcp.tool\nasync def wait(token: str = 'abc') -> str:\n    time.sleep(0)\n    return token\n"
    )
    refused = here("mcp", "validate")
    assert refused.code == 1
    assert refused.stdout.splitlines()[2:] == [
        "✗ wait: the default of token looks like a secret, and every client sees it. "
        "Read it from the environment: kaos mcp deploy --secret VAR=SECRET/KEY",
        "! wait: has no description, by which a model chooses it. Give the function a docstring.",
        '! wait: argument token without description. Annotated[str, Field(description="...")]',
        "! wait: time.sleep at server.py:7 holds up all other calls. "
        "Make it a plain def, which gets a thread, or await.",
    ]


@pytest.mark.full
def test_a_running_server_is_started_again_when_a_file_changes(tmp_path):
    server = tmp_path / "server.py"
    text = "from fastmcp import FastMCP\nmcp = FastMCP('x')\n\n@mcp.tool\ndef word() -> str:\n    return 'first'\n"
    server.write_text(text)
    command = [sys.executable, "-m", "kaos", "mcp", "run", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        url = process.stdout.readline().strip()
        assert asyncio.run(_word(url, "first"))
        server.write_text(text.replace("first", "second"))
        assert asyncio.run(_word(url, "second"))
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130


async def _word(url: str, wanted: str) -> bool:
    """What FastMCP's own client is told, once it is what is wanted."""
    async with asyncio.timeout(90):
        while True:
            with contextlib.suppress(Exception):  # it is being started again
                async with Client(url) as client:
                    if (await client.call_tool("word")).data == wanted:
                        return True
            await asyncio.sleep(0.1)
