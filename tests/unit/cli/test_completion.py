"""Completion: real names, from the cluster that the line is about; without an answer nothing, and quickly."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import pytest
import yaml

from kaos.actions.kinds import MCPSERVER


@pytest.fixture
def complete(kaos, monkeypatch):
    """What a shell would offer for this line."""

    def ask(line: str) -> list[str]:
        monkeypatch.setenv("_KAOS_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        asked = kaos()
        assert asked.code == 0
        assert asked.stderr == ""
        return [choice.partition(",")[2] for choice in asked.stdout.split()]

    return ask


@pytest.fixture
def calculator(client, room):
    obj = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": "calculator"},
           "spec": {"runtime": "rawpython"}}  # fmt: skip
    client.create(MCPSERVER.resource, obj, room)
    tools = [{"name": "add"}, {"name": "subtract"}]
    client.patch(MCPSERVER.resource, "calculator", {"status": {"tools": tools}}, room, subresource="status")


@pytest.mark.parametrize(
    ("line", "choices"),
    [
        ("kaos mc", ["mcp"]),
        ("kaos mcp sus", ["suspend"]),
        ("kaos mcp get -n ROOM ", ["calculator"]),
        ("kaos mcp get -n ROOM x", []),
        ("kaos mcp delete -n ROOM calculator c", ["calculator"]),
        ("kaos mcp invoke -n ROOM calculator ", ["add", "subtract"]),
        ("kaos mcp invoke -n ROOM calculator s", ["subtract"]),
        ("kaos mcp invoke -n ROOM calculator add ", []),
        ("kaos mcp invoke -n ROOM calculator --tool a", ["add"]),
        ("kaos mcp deploy --runtime raw", ["rawpython"]),
        ("kaos system runtimes c", ["custom"]),
        ("kaos --context kaos", ["kaos-local"]),
        ("kaos mcp list --context kaos", ["kaos-local"]),
        ("kaos context use k", ["kaos-local"]),
        ("kaos mcp get --context nope ", []),
        ("kaos mcp get -n nowhere-to-be-found ", []),
    ],
)
def test_names_are_those_of_the_cluster(complete, room, calculator, line, choices):
    assert complete(line.replace("ROOM", room)) == choices


def test_namespaces_are_those_of_the_cluster(complete, room):
    assert room in complete(f"kaos mcp list -n {room[:-1]}")
    assert "kaos-system" in complete("kaos mcp get x --namespace kaos-s")


def test_a_cluster_that_is_silent_holds_nobody_up(complete, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = {
            "current-context": "silent",
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{silent.getsockname()[1]}"}}],
            "contexts": [{"name": "silent", "context": {"cluster": "c"}}],
        }
        (tmp_path / "config").write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        monkeypatch.setenv("KAOS_CONTEXT", "silent")
        started = time.monotonic()
        assert complete("kaos mcp get ") == []
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_calls_kaos(alone, shell):
    script = alone("completion", shell).ok().stdout
    assert f"_KAOS_COMPLETE={shell}_complete" in script


def test_bash_takes_the_script(tmp_path):
    script = subprocess.run(
        [sys.executable, "-m", "kaos", "completion", "bash"], capture_output=True, text=True, check=True
    ).stdout
    done = subprocess.run(
        ["bash", "-c", script + "\ncomplete -p kaos"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip().endswith(" kaos")
