"""`kaos mcp ...` on an API server where no operator interferes: what is written, and what is told of it."""

from __future__ import annotations

import json
import stat
import sys

import pytest
import yaml

from kaos.actions.kinds import MCPSERVER
from kaos.kube.resources import NAMESPACES

CODE = "def f() -> int:\n    return 1\n"


@pytest.fixture
def spec(client, room):
    return lambda name: client.get(MCPSERVER.resource, name, room)["spec"]


@pytest.fixture
def calculator(kaos, room):
    kaos("mcp", "deploy", "--name", "calculator", "-n", room, "--runtime", "rawpython").ok()


def test_every_flag_becomes_its_field(kaos, room, spec):
    kaos(
        "mcp", "deploy", "--name", "full", "-n", room, "--runtime", "rawpython", "--image", "example.org/i:1",
        "--params", CODE, "--env", "A=b=c", "--env", "EMPTY=", "--secret", "TOKEN=creds/token",
        "--service-account", "robot", "--transport", "http", "--port", "9000", "--path", "/x",
    ).ok()  # fmt: skip
    assert spec("full") == {
        "runtime": "rawpython",
        "params": CODE,
        "container": {
            "image": "example.org/i:1",
            "env": [
                {"name": "A", "value": "b=c"},
                {"name": "EMPTY", "value": ""},
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "creds", "key": "token"}}},
            ],
        },
        "serviceAccountName": "robot",
        "transport": "http",
        "port": 9000,
        "path": "/x",
        "replicas": 1,
        "suspend": False,
    }


def test_the_runtime_is_custom_unless_said_otherwise(kaos, room, spec):
    kaos("mcp", "deploy", "--name", "own", "-n", room, "--image", "example.org/i:1").ok()
    assert spec("own")["runtime"] == "custom"


def test_params_come_from_a_file_or_standard_input(kaos, room, spec, tmp_path):
    (tmp_path / "code.py").write_text(CODE)
    there = ["-n", room, "--runtime", "rawpython", "--params-file"]
    kaos("mcp", "deploy", "--name", "a", *there, str(tmp_path / "code.py")).ok()
    kaos("mcp", "deploy", "--name", "b", *there, "-", stdin=CODE).ok()
    assert spec("a")["params"] == spec("b")["params"] == CODE


def test_a_second_deployment_says_what_changed(kaos, room):
    again = ["mcp", "deploy", "--name", "x", "-n", room, "--runtime", "rawpython"]
    assert "✓ MCPServer created\n" in kaos(*again).ok().stderr
    assert "✓ MCPServer unchanged\n" in kaos(*again).ok().stderr
    assert "✓ MCPServer configured\n" in kaos(*again, "--port", "9000").ok().stderr


def test_a_file_may_hold_several_servers(kaos, room):
    document = "apiVersion: kaos.tools/v1alpha1\nkind: MCPServer\nmetadata: {name: %s}\nspec: {runtime: rawpython}\n"
    told = kaos("mcp", "deploy", "-f", "-", "-n", room, stdin=f"{document % 'a'}---\n{document % 'b'}").ok().stderr
    assert told.count("✓ MCPServer created") == 2


def test_another_kind_belongs_to_apply(kaos, room):
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
    refused = kaos("mcp", "deploy", "-f", "-", "-n", room, stdin=text)
    assert refused.code == 2
    assert "ConfigMap x is no MCPServer" in refused.stderr
    assert "kaos apply -f" in refused.stderr


def test_a_namespace_that_differs_from_the_manifests_is_refused(kaos, room):
    text = "apiVersion: kaos.tools/v1alpha1\nkind: MCPServer\nmetadata: {name: x, namespace: a}\nspec: {runtime: r}\n"
    refused = kaos("mcp", "deploy", "-f", "-", "-n", room, stdin=text)
    assert refused.code == 2
    assert f"says namespace a, the command says {room}" in refused.stderr


def test_a_missing_namespace_is_made_when_asked(kaos, client):
    arguments = ["mcp", "deploy", "--name", "x", "-n", "made-by-deploy", "--runtime", "rawpython"]
    assert kaos(*arguments).code == 3
    made = kaos(*arguments, "--create-namespace").ok()
    assert "✓ Namespace made-by-deploy created" in made.stderr
    assert client.find(NAMESPACES, "made-by-deploy")


def test_a_dry_run_needs_no_cluster(alone):
    shown = alone("mcp", "deploy", "--name", "x", "--runtime", "rawpython", "--params", CODE, "--dry-run").ok()
    assert yaml.safe_load(shown.stdout) == {
        "apiVersion": "kaos.tools/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": "x", "namespace": "default"},
        "spec": {"runtime": "rawpython", "params": CODE},
    }
    assert "params: |\n" in shown.stdout


def test_a_saved_manifest_never_overwrites_another(alone, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["mcp", "deploy", "--runtime", "rawpython", "--create-yaml", "--dry-run", "--name"]
    alone(*arguments, "x").ok()
    assert yaml.safe_load((tmp_path / "mcp.yaml").read_text())["metadata"]["name"] == "x"
    alone(*arguments, "x").ok()
    refused = alone(*arguments, "y")
    assert refused.code == 2
    assert "mcp.yaml exists and says something else" in refused.stderr


def test_waiting_without_an_operator_says_so(kaos, room, monkeypatch):
    monkeypatch.setattr("kaos.actions.waiting.OPERATOR_ANSWERS_S", 0.2)
    refused = kaos("mcp", "deploy", "--name", "x", "-n", room, "--runtime", "rawpython", "--wait")
    assert refused.code == 3
    assert "No operator answers in context kaos-local" in refused.stderr
    assert "kaos operator run" in refused.stderr


def test_a_list_speaks_every_format(kaos, room, calculator):
    there = ["mcp", "list", "-n", room, "-o"]
    assert kaos(*there, "name").ok().stdout == "mcpserver.kaos.tools/calculator\n"
    assert json.loads(kaos(*there, "json").ok().stdout)["items"][0]["kind"] == "MCPServer"
    assert yaml.safe_load(kaos(*there, "yaml").ok().stdout)["kind"] == "List"
    assert "ENDPOINT" in kaos(*there, "wide").ok().stdout
    everywhere = kaos("mcp", "list", "-A").ok().stdout.splitlines()
    assert everywhere[0].startswith("NAMESPACE")
    assert [room, "calculator"] in [row.split()[:2] for row in everywhere]


def test_an_empty_list_tells_whether_the_namespace_exists(kaos, room):
    assert "which does not exist" not in kaos("mcp", "list", "-n", room).ok().stderr
    assert "which does not exist" in kaos("mcp", "list", "-n", "nowhere-at-all").ok().stderr


def test_what_get_prints_can_be_applied_again(kaos, room, calculator):
    text = kaos("mcp", "get", "calculator", "-n", room).ok().stdout
    assert "managedFields" not in text
    assert "unchanged" in kaos("apply", "-f", "-", "-n", room, stdin=text).ok().stderr
    assert json.loads(kaos("mcp", "get", "calculator", "-n", room, "-o", "json").ok().stdout)["kind"] == "MCPServer"


def test_describe_tells_that_no_operator_has_looked(kaos, room, calculator):
    text = kaos("mcp", "describe", "calculator", "-n", room).ok().stdout
    assert text.startswith(f"MCPServer:  {room}/calculator\n")
    assert "kaos operator run" in text


def test_describe_shows_where_a_variable_comes_from_and_not_what_a_secret_holds(kaos, room):
    arguments = ["--runtime", "rawpython", "--env", "MODE=quick", "--secret", "TOKEN=creds/token"]
    kaos("mcp", "deploy", "--name", "x", "-n", room, *arguments).ok()
    text = kaos("mcp", "describe", "x", "-n", room).ok().stdout
    assert "TOKEN  from secret creds/token" in text
    assert "MODE   quick" in text


def test_describe_tells_reason_meaning_and_cure(kaos, client, room, calculator):
    status = {"phase": "Failed", "ready": False, "reason": "CrashLooping", "message": "ended \x1b[31m"}
    client.patch(MCPSERVER.resource, "calculator", {"status": status}, room, subresource="status")
    text = kaos("mcp", "describe", "calculator", "-n", room).ok().stdout
    assert "The server ends again and again." in text
    assert f"Read its log: kaos mcp logs calculator -n {room}" in text
    assert "ended \\e[31m" in text


def test_scale_suspend_and_resume_say_what_they_did(kaos, room, calculator, spec):
    assert "scaled to 3" in kaos("mcp", "scale", "calculator", "-n", room, "--replicas", "3").ok().stderr
    assert "suspended" in kaos("mcp", "suspend", "calculator", "-n", room).ok().stderr
    assert "resumed" in kaos("mcp", "resume", "calculator", "-n", room).ok().stderr
    assert spec("calculator")["replicas"] == 3


def test_several_are_deleted_at_once(kaos, room):
    for name in ("a", "b"):
        kaos("mcp", "deploy", "--name", name, "-n", room, "--runtime", "rawpython").ok()
    told = kaos("mcp", "delete", "a", "b", "-n", room).ok().stderr
    assert f"✓ MCPServer {room}/a deleted\n✓ MCPServer {room}/b deleted\n" in told
    assert kaos("mcp", "delete", "a", "-n", room, "--yes").code == 3


@pytest.mark.parametrize("verb", ["get", "describe", "logs", "restart", "suspend", "resume", "delete", "tools", "edit"])
def test_an_unknown_name_suggests_the_nearest(kaos, room, calculator, verb):
    refused = kaos("mcp", verb, "calculater", "-n", room)
    assert refused.code == 3
    assert "There is no MCPServer calculater" in refused.stderr
    assert "Did you mean calculator?" in refused.stderr


# Editing.


@pytest.fixture
def editor(tmp_path, monkeypatch):
    """An editor that replaces one text by another."""

    def use(old: str, new: str, code: int = 0) -> None:
        script = tmp_path / "editor"
        program = (
            f"#!{sys.executable}\nimport sys, pathlib\npath = pathlib.Path(sys.argv[1])\n"
            f"path.write_text(path.read_text().replace({old!r}, {new!r}))\nsys.exit({code})\n"
        )
        script.write_text(program)
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("KUBE_EDITOR", str(script))

    return use


def test_an_edit_is_written(kaos, room, calculator, editor, spec):
    editor("replicas: 1", "replicas: 2")
    assert "✓ MCPServer configured" in kaos("mcp", "edit", "calculator", "-n", room).ok().stderr
    assert spec("calculator")["replicas"] == 2


def test_a_label_taken_out_while_editing_is_gone(kaos, client, room, calculator, editor):
    client.patch(MCPSERVER.resource, "calculator", {"metadata": {"labels": {"colour": "red"}}}, room)
    editor("  labels:\n    colour: red\n", "")
    kaos("mcp", "edit", "calculator", "-n", room).ok()
    assert "labels" not in client.get(MCPSERVER.resource, "calculator", room)["metadata"]


def test_an_untouched_text_changes_nothing(kaos, room, calculator, editor):
    editor("nothing", "nothing")
    assert "✓ MCPServer unchanged" in kaos("mcp", "edit", "calculator", "-n", room).ok().stderr


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("replicas:", "replicaz:", "unknown field spec.replicaz"),
        ("replicas: 1", "replicas: [", "not YAML"),
        ("replicas: 1", "replicas: 500", "100"),
        ("name: calculator", "name: other", "cannot be edited"),
    ],
)
def test_a_text_that_cannot_be_used_is_kept_and_named(kaos, room, calculator, editor, old, new, told):
    editor(old, new)
    refused = kaos("mcp", "edit", "calculator", "-n", room)
    assert refused.code == 2
    assert told in refused.stderr
    path = refused.stderr.rpartition("Your text: ")[2].strip()
    with open(path) as kept:
        assert new in kept.read()


def test_an_editor_that_fails_changes_nothing(kaos, room, calculator, editor, monkeypatch):
    editor("x", "x", code=3)
    refused = kaos("mcp", "edit", "calculator", "-n", room)
    assert refused.code == 1
    assert "ended with code 3" in refused.stderr
    monkeypatch.setenv("KUBE_EDITOR", "/nonexistent/editor")
    assert "Cannot start the editor" in kaos("mcp", "edit", "calculator", "-n", room).stderr
