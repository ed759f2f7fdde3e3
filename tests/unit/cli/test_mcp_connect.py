"""`kaos mcp connect`: what editors and assistants find in their files afterwards, and what they keep."""

from __future__ import annotations

import json
import stat
import tomllib

import pytest

from kaos.actions.kinds import MCPSERVER

ALL = ["claude", "cursor", "vscode", "codex"]


@pytest.fixture
def connect(client, kaos, room, tmp_path, monkeypatch):
    """`kaos mcp connect tools`; the home directory is the test's own."""
    for variable in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "KUBECONFIG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    obj = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": "tools"},
           "spec": {"runtime": "rawpython"}}  # fmt: skip
    client.create(MCPSERVER.resource, obj, room)
    return lambda *more: kaos("mcp", "connect", "tools", "-n", room, *more)


@pytest.fixture
def files(tmp_path):
    return {
        "claude": tmp_path / ".claude.json",
        "cursor": tmp_path / ".cursor/mcp.json",
        "vscode": tmp_path / ".config/Code/User/mcp.json",
        "codex": tmp_path / ".codex/config.toml",
    }


def entry(files, name, called="tools"):
    text = files[name].read_text()
    if name == "codex":
        return tomllib.loads(text)["mcp_servers"][called]
    return json.loads(text)["servers" if name == "vscode" else "mcpServers"][called]


@pytest.mark.parametrize("name", ALL)
def test_an_entry_starts_the_proxy_for_this_server_and_no_other(connect, files, room, name):
    told = connect("--client", name).ok()
    found = entry(files, name)
    assert found["command"].endswith("/kaos")
    assert found["args"] == ["mcp", "proxy", "tools", "-n", room, "--context", "kaos-local"]
    assert "KAOS_LOCAL_DIR" in found["env"]
    assert found.get("type") == ("stdio" if name in ("claude", "vscode") else None)
    assert str(files[name]) in told.stderr


@pytest.mark.parametrize("name", ALL)
def test_a_second_time_changes_nothing(connect, files, name):
    connect("--client", name).ok()
    before = files[name].read_bytes(), files[name].stat().st_mtime_ns
    assert "has it already, as tools" in connect("--client", name).ok().stderr
    assert (files[name].read_bytes(), files[name].stat().st_mtime_ns) == before


@pytest.mark.parametrize("name", ["claude", "cursor", "vscode"])
def test_all_else_in_a_json_file_stays(connect, files, name):
    key = "servers" if name == "vscode" else "mcpServers"
    before = {"z": [1.5, None, {"ü": "✓"}], key: {"other": {"command": "x", "args": []}}, "a": {}}
    files[name].parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(before, indent="\t", ensure_ascii=False)
    files[name].write_text(text)
    files[name].chmod(0o600)
    connect("--client", name).ok()
    after = json.loads(files[name].read_text())
    del after[key]["tools"]
    assert (after, list(after)) == (before, list(before))
    assert '\n\t"z"' in files[name].read_text()
    assert "ü" in files[name].read_text()
    assert stat.S_IMODE(files[name].stat().st_mode) == 0o600
    assert files[name].with_name(files[name].name + ".before-kaos").read_text() == text


def test_all_else_in_a_toml_file_stays_to_the_letter(connect, files):
    before = '# mine\nmodel = "x"  # good\n\n[mcp_servers.other]\ncommand = "y"\nargs = [\n  "[a]",\n]'
    files["codex"].parent.mkdir()
    files["codex"].write_text(before)
    connect("--client", "codex").ok()
    assert files["codex"].read_text().startswith(before + "\n\n[mcp_servers.tools]\n")
    assert entry(files, "codex", "other") == {"command": "y", "args": ["[a]"]}


@pytest.mark.parametrize("name", ["cursor", "codex"])
def test_what_was_added_to_our_entry_stays_when_it_changes(connect, files, room, name):
    connect("--client", name).ok()
    text = files[name].read_text().replace('/kaos"', '/old-kaos"')
    if name == "codex":
        text = text.rstrip() + "\ntool_timeout_sec = 60\n\n[after]\nargs = 1\n"
    else:
        text = text.replace('"command"', '"tool_timeout_sec": 60,\n"command"')
    files[name].write_text(text)
    connect("--client", name).ok()
    assert entry(files, name)["command"].endswith("/kaos")
    assert entry(files, name)["tool_timeout_sec"] == 60
    assert "args = 1" in files[name].read_text() or name == "cursor"


def test_a_server_of_the_same_name_is_not_replaced(connect, files, room):
    files["cursor"].parent.mkdir()
    files["cursor"].write_text('{"mcpServers": {"tools": {"command": "mine"}}}')
    assert f"as {room}-tools" in connect("--client", "cursor").ok().stderr
    assert entry(files, "cursor") == {"command": "mine"}
    assert entry(files, "cursor", f"{room}-tools")["args"][2] == "tools"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("vscode", '{\n  // mine\n  "servers": {}\n}'),
        ("cursor", '{"mcpServers": []}'),
        ("cursor", "[]"),
        ("cursor", '{"a": 1, "a": 2}'),
        ("cursor", "{"),
        ("codex", "mcp_servers = {}"),
        ("codex", "= 1"),
    ],
)
def test_a_file_that_cannot_be_changed_safely_stays_as_it_is(connect, files, name, text):
    files[name].parent.mkdir(parents=True)
    files[name].write_text(text)
    refused = connect("--client", name)
    assert refused.code == 2
    assert "it stays as it is" in refused.stderr
    assert f"kaos mcp connect tools --client {name} --print" in refused.stderr
    assert files[name].read_text() == text


def test_print_writes_nothing(connect, files, room):
    assert json.loads(connect("--print").ok().stdout)["mcpServers"]["tools"]["args"][:3] == ["mcp", "proxy", "tools"]
    assert tomllib.loads(connect("--client", "codex", "--print").ok().stdout)["mcp_servers"]["tools"]
    assert not any(file.exists() for file in files.values())


def test_without_a_name_all_that_are_found_get_it(connect, files, tmp_path):
    assert connect().code == 2
    files["cursor"].parent.mkdir()
    files["claude"].write_text("{}")
    connect().ok()
    assert [name for name in ALL if files[name].exists()] == ["claude", "cursor"]


def test_a_file_behind_a_link_is_changed_where_it_is(connect, files, tmp_path):
    (tmp_path / "dotfiles").mkdir()
    kept = tmp_path / "dotfiles/claude.json"
    kept.write_text("{}")
    files["claude"].symlink_to(kept)
    connect("--client", "claude").ok()
    assert files["claude"].is_symlink()
    assert "tools" in kept.read_text()


def test_a_server_that_is_not_there_is_no_entry(connect, kaos, files, room):
    assert kaos("mcp", "connect", "nothing", "-n", room, "--client", "cursor").code == 3
    assert not files["cursor"].exists()
