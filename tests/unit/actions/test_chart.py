"""The chart rendered for an installation: what helm says against values, in one line."""

from __future__ import annotations

import shutil

import pytest

from kaos.actions import chart
from kaos.errors import KaosError, UsageError

VERSION = "v1.34.0"
needs_helm = pytest.mark.skipif(shutil.which("helm") is None, reason="needs helm")


@needs_helm
def test_with_helm_or_without_it_is_the_same(monkeypatch):
    by_helm = chart.render("tools", chart.Values(), VERSION)
    monkeypatch.setattr("shutil.which", lambda name: None)

    def by_name(objects):
        return sorted(objects, key=lambda one: (one["kind"], one["metadata"]["name"]))

    assert by_name(by_helm) == by_name(chart.render("tools", chart.Values(), VERSION))


@needs_helm
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("colour=blue", "helm refuses the values: at '': additional properties 'colour' not allowed."),
        (
            "gatewayAPI.enabled=true",
            "helm refuses the values: gatewayAPI.gatewayClassName is needed to create the Gateway; "
            "or set gatewayAPI.createGateway=false.",
        ),
    ],
)
def test_what_helm_has_against_a_value_is_one_line(value, words):
    with pytest.raises(UsageError) as refused:
        chart.render("tools", chart.Values((value,)), VERSION)
    assert refused.value.cause == words


@needs_helm
def test_values_come_from_files_and_flags(tmp_path):
    (tmp_path / "mine.yaml").write_text("replicas: 3\nlogLevel: debug\n")
    found = chart.render("tools", chart.Values(("replicas=2",), (str(tmp_path / "mine.yaml"),)), VERSION)
    operator = next(one for one in found if one["kind"] == "Deployment")["spec"]
    assert operator["replicas"] == 2
    assert "--log-level=debug" in operator["template"]["spec"]["containers"][0]["args"]


def test_a_helm_that_does_not_run_is_named(monkeypatch, tmp_path):
    broken = tmp_path / "helm"
    broken.write_text("no program\n")
    broken.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda name: str(broken))
    with pytest.raises(KaosError, match="helm could not be run"):
        chart.render("tools", chart.Values(), VERSION)
