"""The edge: one line of cause, one of cure, the documented exit code, and no traceback unless asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kaos.cli import main
from kaos.errors import KaosError

KAOS = str(Path(sys.executable).with_name("kaos"))


@pytest.mark.parametrize(
    ("arguments", "cause", "cure"),
    [
        (["install"], "kaos install has moved.", "Use: kaos system install"),
        (["uninstall", "--yes"], "kaos uninstall has moved.", "Use: kaos system uninstall"),
        (["mpc"], "kaos has no command 'mpc'.", "Did you mean: kaos mcp"),
        (["mcp", "lst"], "kaos mcp has no command 'lst'.", "Did you mean: kaos mcp list"),
        (["mcp", "xyzzy"], "kaos mcp has no command 'xyzzy'.", "See: kaos mcp --help"),
        (["mcp", "get"], "Missing argument 'NAME'.", "See: kaos mcp get --help"),
        (["mcp", "scale", "x"], "Missing option '--replicas'.", "See: kaos mcp scale --help"),
        (["mcp", "list", "--nope"], "No such option '--nope'.", "See: kaos mcp list --help"),
        (["mcp", "list", "extra"], "Got unexpected extra argument (extra)", "See: kaos mcp list --help"),
        (["mcp", "logs", "x", "--since", "5x"], "'5x' is no length of time", "See: kaos mcp logs --help"),
        (["mcp", "logs", "x", "-f", "--previous"], "--follow and --previous", "See: kaos mcp logs --help"),
        (["mcp", "invoke", "x"], "Which tool?", "kaos mcp tools x"),
        (["mcp", "invoke", "x", "t", "a=1", "--args", "{}"], "in one way", ""),
        (["mcp", "deploy"], "An MCPServer needs a name.", "--name NAME"),
        (["mcp", "deploy", "--name", "x"], "needs an image", "kaos system runtimes"),
        (["mcp", "deploy", "--name", "x", "--runtime", "r", "--env", "A"], "--env needs the form KEY=VALUE.", ""),
        (["mcp", "deploy", "--name", "x", "--runtime", "r", "--secret", "A=b"], "VAR=SECRET/KEY", "kaos secret create"),
        (["mcp", "deploy", "-f", "x", "--image", "y"], "-f and --image do not go together.", "Edit the file."),
        (["mcp", "deploy", "-f", "none.yaml"], "Cannot read none.yaml: No such file", ""),
        (["mcp", "deploy", "--name", "x", "--wait", "0", "--image", "y"], "--wait", ""),
        (["apply"], "Missing option '-f'", "See: kaos apply --help"),
        (["system", "install", "--version", "v9"], "This kaos carries KAOS", "pip install kaos-console==9"),
    ],
)  # fmt: skip
def test_wrong_usage_is_exit_code_2_with_cause_and_cure(alone, arguments, cause, cure):
    refused = alone(*arguments)
    assert refused.code == 2
    assert refused.stdout == ""
    first, *rest = refused.stderr.splitlines()
    assert first.startswith("Error: ")
    assert cause in first
    assert cure in "".join(rest)
    assert len(rest) <= 1


@pytest.mark.parametrize("arguments", [["mcp", "list"], ["status"], ["mcp", "invoke", "x", "y"], ["apply", "-f", "-"]])
def test_without_a_cluster_the_cure_is_named(alone, arguments):
    refused = alone(*arguments, stdin="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    assert refused.code == 4
    assert "kaos local up" in refused.stderr


def test_kaos_alone_shows_what_there_is(alone):
    shown = alone()
    assert shown.code == 0
    assert "Commands:" in shown.stdout
    assert "kaos local up" in shown.stdout


def test_a_group_alone_shows_its_commands_and_is_no_success(alone):
    shown = alone("mcp")
    assert shown.code == 2
    assert "invoke" in shown.stderr


@pytest.mark.parametrize("arguments", [["--context", "nope", "mcp", "list"], ["mcp", "--context", "nope", "list"],
                                       ["mcp", "list", "--context", "nope"]])  # fmt: skip
def test_the_context_may_be_named_anywhere(kaos, arguments):
    refused = kaos(*arguments)
    assert refused.code == 3
    assert "no context 'nope'" in refused.stderr


def test_another_kubeconfig_counts_alone(kaos, live, room, tmp_path):
    assert kaos("mcp", "list", "-n", room, "--kubeconfig", str(live.kubeconfig)).code == 0
    refused = kaos("mcp", "list", "--kubeconfig", str(tmp_path / "none"))
    assert refused.code == 4
    assert "none does not exist" in refused.stderr


def test_debug_shows_where_it_failed(alone):
    assert "Traceback" not in alone("mcp", "list").stderr
    assert "Traceback" in alone("mcp", "list", "--debug").stderr
    assert "Traceback" in alone("--debug", "mcp", "list").stderr


def test_a_defect_of_ours_is_told_as_one(alone, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("kaos.actions.contexts.listed", broken)
    failed = alone("context", "list")
    assert failed.code == 1
    assert failed.stderr == "Error: kaos itself failed: ZeroDivisionError: division by zero\nWhere: add --debug\n"


def test_a_part_that_was_not_installed_is_named(alone, monkeypatch):
    monkeypatch.setitem(sys.modules, "kaos.operator.run", None)
    monkeypatch.delitem(sys.modules, "kaos.operator.run")
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    refused = alone("operator", "run")
    assert refused.code == 1
    assert "needs the Python package aiohttp" in refused.stderr
    assert "pip install 'kaos-console[local]'" in refused.stderr


def test_interrupted_is_130(alone, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("kaos.actions.contexts.listed", interrupted)
    assert alone("context", "list").code == 130


def test_escapes_of_others_never_reach_the_screen(alone, monkeypatch):
    def hostile(*_):
        raise KaosError("evil \x1b]0;title\x07 \x9b31m\u202e", "cure \x1b[2J")

    monkeypatch.setattr("kaos.actions.contexts.listed", hostile)
    told = alone("context", "list").stderr
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(told)
    assert "\\e]0;title" in told


def test_a_reader_that_goes_away_is_no_failure(tmp_path):
    command = f"{KAOS} --help | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: kaos")
    assert done.stderr == ""


def test_a_terminal_without_our_characters_is_no_failure(tmp_path):
    env = os.environ | {"PYTHONIOENCODING": "ascii", "HOME": str(tmp_path)}
    arguments = ["mcp", "deploy", "--name", "x", "--runtime", "r", "--params", "é ✓", "--dry-run"]
    done = subprocess.run([KAOS, *arguments], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_is_for_terminals_that_want_it(env, coloured, tmp_path):
    import pty

    reader, writer = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm"} | env
    subprocess.run([KAOS, "nope"], stderr=writer, env=environment | {"HOME": str(tmp_path)}, check=False)
    os.close(writer)
    told = os.read(reader, 4096).decode()
    os.close(reader)
    assert "has no command" in told
    assert ("\x1b[31m" in told) is coloured


def test_the_tree_names_only_commands_that_there_are():
    import click

    def walk(command, ctx):
        assert command.help
        if isinstance(command, click.Group):
            for name in command.list_commands(ctx):
                walk(command.get_command(ctx, name), ctx)

    walk(main.root, click.Context(main.root, **main.root.context_settings))
