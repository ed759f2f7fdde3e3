"""What was made on the local cluster runs on any other by the same YAML."""

from __future__ import annotations

import json

import pytest
import yaml

from kaos.api.names import AGENTS, MCPSERVERS
from tests.conftest import Place, clean_env
from tests.stories import agent, is_ready, manifests, mcpserver, modelapi

CODE = 'import os\ndef greet() -> str:\n    return os.environ["WORD"] + " " + os.environ["TOKEN"]\n'
ENV = [
    {"name": "WORD", "valueFrom": {"configMapKeyRef": {"name": "words", "key": "word"}}},
    {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "tok", "key": "token"}}},
]
WORDS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: words}\ndata: {word: hello}\n"


@pytest.fixture
def laptop(tmp_path):
    """A local cluster beside the place of the story."""
    home = tmp_path / "laptop"
    home.mkdir()
    here = Place("local", clean_env(home) | {"KAOS_LOCAL_DIR": str(home / "local")}, home / "local/kubeconfig")
    nothing = here.run("local", "export")
    assert nothing.code == 3
    assert "kaos local up" in nothing.stderr
    here.run("local", "up").ok()
    yield here
    here.run("local", "reset", "--yes").ok()


def test_everything_moves_from_the_laptop_to_another_cluster(place, kaos, namespace, laptop, tmp_path):
    text = manifests(
        agent("helper", mcpServers=["greeter"]), mcpserver("greeter", CODE, container={"env": ENV}), modelapi(), WORDS
    )
    laptop.run("apply", "-f", "-", "-n", namespace, "--create-namespace", stdin=text).ok()
    laptop.run("secret", "create", "tok", "-n", namespace, "--from-stdin", "token", stdin="s3cr3t-canary").ok()
    laptop.until(AGENTS, "helper", namespace, is_ready, 90)

    shown = laptop.run("local", "export").ok().stdout
    assert "s3cr3t-canary" not in shown
    assert f"# Needs Secret {namespace}/tok: kaos secret create tok token -n {namespace}" in shown.splitlines()
    moved = list(yaml.safe_load_all(shown))
    assert [one["kind"] for one in moved] == ["Namespace", "ConfigMap", "ModelAPI", "MCPServer", "Agent"]
    for one in moved:
        assert "status" not in one
        assert not {"uid", "resourceVersion", "managedFields", "creationTimestamp"} & set(one["metadata"])

    file, secrets = tmp_path / "all.yaml", tmp_path / "secrets.yaml"
    file.write_text(laptop.run("local", "export", "-n", namespace, "--with-secrets", str(secrets)).ok().stdout)
    assert secrets.stat().st_mode & 0o777 == 0o600
    assert "s3cr3t-canary" not in file.read_text()
    kaos("apply", "-f", str(secrets), "-f", str(file)).ok()
    place.until(MCPSERVERS, "greeter", namespace, is_ready, 90)
    place.until(AGENTS, "helper", namespace, is_ready, 90)
    called = kaos("mcp", "invoke", "greeter", "-n", namespace, "greet").ok()
    assert json.loads(called.stdout) == {"result": "hello s3cr3t-canary"}
    kaos("secret", "delete", "tok", "-n", namespace, "--yes").ok()
