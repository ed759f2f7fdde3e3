"""The runtime kubernetes on a local cluster: the same commands, the same refusals, the program from the PATH."""

from __future__ import annotations

import os
import shutil

import pytest
import yaml

from kaos.api.names import MCPSERVERS
from tests.conftest import Place, clean_env
from tests.kubernetes_mcp_server import command, example, program
from tests.stories import is_ready

pytestmark = [
    pytest.mark.full,
    pytest.mark.only("local"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="the program comes from npm"),
    pytest.mark.timeout(240),
]


@pytest.fixture
def place(tmp_path):
    """A local cluster whose PATH has the program."""
    (tmp_path / "bin").mkdir()
    found = program(tmp_path / "bin")
    home = {"KAOS_LOCAL_DIR": str(tmp_path / "local"), "KAOS_CONTEXT": "kaos-local"}
    env = clean_env(tmp_path) | home | {"PATH": f"{found.parent}{os.pathsep}{os.environ['PATH']}"}
    here = Place("local", env, tmp_path / "local/kubeconfig")
    here.run("local", "up").ok()
    yield here
    here.run("local", "reset", "--yes").ok()


def test_it_acts_as_its_account_and_is_refused_what_its_role_does_not_grant(place):
    place.run(*command()).ok()
    place.run("mcp", "deploy", "-f", "-", stdin=yaml.safe_dump(example())).ok()
    place.until(MCPSERVERS, "k8s-tools", "default", is_ready, 90)
    invoke = ("mcp", "invoke", "k8s-tools", "-o", "text")
    listed = place.run(*invoke, "pods_list_in_namespace", "namespace=default").ok().stdout
    assert "mcpserver-k8s-tools-" in listed
    assert "Running" in listed
    refused = place.run(*invoke, "resources_list", "apiVersion=v1", "kind=Secret", "namespace=default")
    assert refused.code == 1
    assert 'mcpserver-k8s-tools" cannot list resource "secrets"' in refused.stderr
