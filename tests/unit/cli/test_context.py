"""`kaos context`: which cluster plain commands use."""

from __future__ import annotations

import json

import pytest
import yaml

KUBECONFIG = {
    "current-context": "work",
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "canary"}}],
    "contexts": [
        {"name": "work", "context": {"cluster": "c", "user": "u", "namespace": "team"}},
        {"name": "home", "context": {"cluster": "c", "user": "u"}},
    ],
}


@pytest.fixture
def two(alone, tmp_path, monkeypatch):
    (tmp_path / "config").write_text(yaml.safe_dump(KUBECONFIG))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    return alone


def current(kaos):
    return [one["name"] for one in json.loads(kaos("context", "list", "-o", "json").ok().stdout) if one["current"]]


def test_the_list_marks_the_one_in_use_and_shows_no_token(two):
    shown = two("context", "list").ok().stdout
    header, *rows = shown.splitlines()
    assert header.split() == ["CURRENT", "NAME", "SERVER", "NAMESPACE", "SOURCE"]
    assert rows[0].split()[:4] == ["*", "work", "https://127.0.0.1:1", "team"]
    assert "canary" not in shown


def test_a_choice_is_kept_beside_the_kubeconfig(two, tmp_path):
    before = (tmp_path / "config").read_text()
    used = two("context", "use", "home").ok()
    assert "kaos now uses context home" in used.stderr
    assert current(two) == ["home"]
    assert (tmp_path / "config").read_text() == before


def test_a_variable_that_wins_is_named(two, monkeypatch):
    monkeypatch.setenv("KAOS_CONTEXT", "work")
    assert "KAOS_CONTEXT is set in this shell and still wins" in two("context", "use", "home").ok().stderr
    assert current(two) == ["work"]


def test_an_unknown_name_suggests_the_nearest_and_saves_nothing(two):
    refused = two("context", "use", "hoem")
    assert refused.code == 3
    assert "Did you mean home?" in refused.stderr
    assert current(two) == ["work"]


def test_without_any_cluster_there_is_a_way_to_begin(alone):
    shown = alone("context", "list").ok()
    assert shown.stdout == ""
    assert "kaos local up" in shown.stderr


def test_a_cluster_that_does_not_answer_is_named(two):
    refused = two("mcp", "list")
    assert refused.code == 4
    assert "No answer from https://127.0.0.1:1 (context work)" in refused.stderr
