"""`kaos system install` and `uninstall`: what is refused, in words, before anything is done."""

from __future__ import annotations

import pytest

import kaos as package


@pytest.fixture
def remote(alone, live, monkeypatch, tmp_path):
    """`kaos ...` on the live cluster under a name that is not the local cluster's."""
    config = tmp_path / "config"
    config.write_text(live.kubeconfig.read_text().replace("kaos-local", "remote"))
    monkeypatch.setenv("KUBECONFIG", str(config))
    monkeypatch.setenv("PATH", str(tmp_path))  # where there is no helm
    return alone


def test_another_version_says_which_kaos_installs_it(remote):
    refused = remote("system", "install", "--version", "v9.9.9")
    assert refused.code == 2
    assert f"carries KAOS {package.__version__}, not v9.9.9" in refused.stderr
    assert "pip install kaos-console==9.9.9" in refused.stderr


def test_values_without_helm_are_not_ignored(remote):
    refused = remote("system", "install", "--set", "replicas=2")
    assert refused.code == 2
    assert "The values need helm" in refused.stderr
    assert "CRDs installed" not in refused.stderr


def test_values_without_an_operator_make_no_sense(remote):
    refused = remote("system", "install", "--no-operator", "--set", "replicas=2")
    assert refused.code == 2
    assert "--no-operator" in refused.stderr


def test_the_local_cluster_has_its_operator(kaos):
    for verb in ("install", "uninstall"):
        refused = kaos("system", verb, *(["--yes"] if verb == "uninstall" else []))
        assert refused.code == 2
        assert "The local cluster" in refused.stderr


def test_uninstalling_asks_or_wants_to_be_told(remote, room):
    refused = remote("system", "uninstall", "-n", room)
    assert refused.code == 2
    assert "add --yes" in refused.stderr


def test_uninstalling_nothing_says_so(remote, room):
    refused = remote("system", "uninstall", "-n", room, "--yes")
    assert refused.code == 3
    assert f"no operator into namespace {room}" in refused.stderr


def test_prerequisites_go_where_they_are_wanted(remote, room):
    installed = remote("system", "install", "--no-operator", "-n", room).ok()
    assert "✓ CRDs installed\n✓ Runtime registry created\n" in installed.stderr
    assert f"  Namespace:  {room}\n" in remote("system", "status", "-n", room).ok().stdout
