"""The environment is read once, and what cannot be read is told by the variable's name."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from kaos.dataplane.agent.settings import Limits, Memory, Peer, Server, Settings

GOOD = {"AGENT_NAME": "a", "MODEL_NAME": "m", "MODEL_API_URL": "http://model:8000"}


def test_the_contracts_variables_are_read():
    settings = Settings.read(
        GOOD
        | {
            "MCP_SERVERS": "calc, my-tools",
            "MCP_SERVER_CALC_URL": "http://calc:8000/mcp",
            "MCP_SERVER_MY_TOOLS_URL": "http://my:8000/x",
            "MCP_SERVER_MY_TOOLS_ALLOW": "get_*, list",
            "MCP_SERVER_MY_TOOLS_DENY": "get_secret",
            "PEER_AGENTS": "other-one",
            "PEER_AGENT_OTHER_ONE_CARD_URL": "http://other:8000/.well-known/agent-card.json",
            "MEMORY_ENABLED": "false",
            "MEMORY_CONTEXT_LIMIT": "3",
            "TOOL_TIMEOUT_S": "0.5",
        }
    )
    assert settings.servers == (
        Server("calc", "http://calc:8000/mcp"),
        Server("my-tools", "http://my:8000/x", ("get_*", "list"), ("get_secret",)),
    )
    assert settings.peers == (Peer("other-one", "http://other:8000/.well-known/agent-card.json"),)
    assert settings.memory == Memory(enabled=False, context_limit=3)
    assert settings.limits == Limits(tool_silence_s=0.5)


def test_a_script_takes_the_models_place():
    assert Settings.read({"AGENT_NAME": "a", "DEBUG_MOCK_RESPONSES": '["hi"]'}).script == ("hi",)
    assert Settings.read(GOOD | {"DEBUG_MOCK_RESPONSES": "[]"}).script == ()


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_the_models_address_may_end_as_it_likes(suffix):
    assert Settings.read(GOOD | {"MODEL_API_URL": f"http://model:8000{suffix}"}).model_url == "http://model:8000"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AGENT_NAME", ""),
        ("MODEL_NAME", ""),
        ("MODEL_API_URL", ""),
        ("MODEL_API_URL", "model:8000"),
        ("MODEL_API_URL", "http://model:99999"),
        ("AGENTIC_LOOP_MAX_STEPS", "0"),
        ("AGENTIC_LOOP_MAX_STEPS", "many"),
        ("PORT", "70000"),
        ("MEMORY_ENABLED", "perhaps"),
        ("MEMORY_MAX_SESSIONS", "-1"),
        ("TOOL_TIMEOUT_S", "inf"),
        ("AGENT_DEADLINE_S", "0"),
        ("DEBUG_MOCK_RESPONSES", "hello"),
        ("DEBUG_MOCK_RESPONSES", "[1]"),
        ("MCP_SERVERS", "lacking"),
        ("PEER_AGENTS", "lacking"),
    ],
)
def test_what_cannot_be_read_is_named(name, value):
    variable = {"MCP_SERVERS": "MCP_SERVER_LACKING_URL", "PEER_AGENTS": "PEER_AGENT_LACKING_CARD_URL"}.get(name, name)
    with pytest.raises(ValueError, match=rf"^{variable} "):
        Settings.read(GOOD | {name: value})


def run(**env: str) -> subprocess.CompletedProcess[str]:
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "PYTHONPATH") if key in os.environ}
    command = [sys.executable, "-m", "kaos.dataplane.agent"]
    return subprocess.run(command, env=kept | env, capture_output=True, text=True, timeout=30, check=False)


def test_a_fault_of_the_configuration_ends_with_one_line_and_code_78():
    ended = run(AGENT_NAME="a", MODEL_NAME="m")
    assert (ended.returncode, ended.stderr) == (78, "MODEL_API_URL is not set\n")


def test_a_memory_that_is_no_database_is_a_fault_of_the_configuration(tmp_path):
    path = tmp_path / "memory.db"
    path.write_text("this is no database, and long enough to be taken for one " * 20)
    ended = run(**GOOD, MEMORY_PATH=str(path))
    assert ended.returncode == 78
    assert "MEMORY_PATH" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken_ends_with_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(**GOOD, HOST="127.0.0.1", PORT=str(port))
    assert ended.returncode == 1
    assert f"port {port}" in ended.stderr
    assert "Traceback" not in ended.stderr
