"""`kaos secret`: values come from a prompt, standard input or files, never from the command line."""

from __future__ import annotations

import base64
import json

import pytest

from kaos.kube.resources import SECRETS


@pytest.fixture
def stored(client, room):
    def read(name):
        data = client.get(SECRETS, name, room)["data"]
        return {key: base64.b64decode(value) for key, value in data.items()}

    return read


def test_from_standard_input_one_line_end_is_cut(kaos, room, stored):
    made = kaos("secret", "create", "token", "-n", room, "--from-stdin", "key", stdin="canary\n\n").ok()
    assert stored("token") == {"key": b"canary\n"}
    assert "canary" not in made.stdout + made.stderr
    assert f"✓ Secret {room}/token created (key)" in made.stderr


def test_from_files_byte_for_byte(kaos, room, stored, tmp_path):
    (tmp_path / "cert").write_bytes(b"\x00\xff\n")
    (tmp_path / "env").write_text("# tokens\nexport A='one'\nB=two\n")
    arguments = ["--from-file", f"tls.crt={tmp_path}/cert", "--from-env-file", f"{tmp_path}/env"]
    kaos("secret", "create", "files", "-n", room, *arguments).ok()
    assert stored("files") == {"tls.crt": b"\x00\xff\n", "A": b"one", "B": b"two"}


def test_a_value_on_the_command_line_is_refused_and_not_repeated(kaos, room):
    refused = kaos("secret", "create", "token", "-n", room, "KEY=hunter2")
    assert refused.code == 2
    assert "hunter2" not in refused.stderr
    assert "kaos secret create token KEY" in refused.stderr


def test_without_a_terminal_nothing_is_asked(kaos, room):
    refused = kaos("secret", "create", "token", "-n", room, "KEY")
    assert refused.code == 2
    assert "--from-stdin" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "needs a key"),
        (["--from-stdin", "key"], "holds no value for key"),
        (["--from-file", "novalue"], "KEY=PATH"),
        (["--from-file", "key=/nonexistent"], "Cannot read /nonexistent"),
        (["--from-env-file", "/nonexistent"], "Cannot read /nonexistent"),
    ],
)
def test_bad_input_is_told(kaos, room, arguments, told):
    refused = kaos("secret", "create", "token", "-n", room, *arguments)
    assert refused.code == 2
    assert told in refused.stderr


def test_a_key_given_twice_is_refused(kaos, room, tmp_path):
    (tmp_path / "x").write_text("x")
    arguments = ["--from-file", f"a={tmp_path}/x", "--from-file", f"a={tmp_path}/x"]
    assert "given twice" in kaos("secret", "create", "token", "-n", room, *arguments).stderr


@pytest.mark.parametrize("output", ["table", "json", "yaml", "name"])
def test_a_list_shows_keys_and_no_values(kaos, room, output):
    kaos("secret", "create", "token", "-n", room, "--from-stdin", "key", stdin="canary").ok()
    shown = kaos("secret", "list", "-n", room, "-o", output).ok().stdout
    assert "token" in shown
    assert ("key" in shown) is (output != "name")
    assert "canary" not in shown
    assert base64.b64encode(b"canary").decode() not in shown
    if output == "json":
        assert json.loads(shown)[0]["keys"] == ["key"]


def test_deleted_means_gone(kaos, room):
    kaos("secret", "create", "token", "-n", room, "--from-stdin", "key", stdin="x").ok()
    kaos("secret", "delete", "token", "-n", room, "--yes").ok()
    assert kaos("secret", "list", "-n", room, "-o", "name").ok().stdout == ""
    assert kaos("secret", "delete", "token", "-n", room, "--yes").code == 3


def test_one_that_exists_is_not_overwritten(kaos, room, stored):
    kaos("secret", "create", "token", "-n", room, "--from-stdin", "key", stdin="first").ok()
    again = kaos("secret", "create", "token", "-n", room, "--from-stdin", "key", stdin="second")
    assert again.code == 1
    assert "exists already" in again.stderr
    assert stored("token") == {"key": b"first"}
