"""A person asks who runs the operator."""

from __future__ import annotations

import json

import kaos as package

PLACES = {"local": "local", "cluster": "process"}


def test_the_operator_at_work_is_told_with_version_and_namespaces(place, kaos):
    [one, *_] = json.loads(kaos("operator", "status", "-o", "json").ok().stdout)
    assert (one["fresh"], one["version"], one["namespaces"]) == (True, package.__version__, [])
    assert one["place"] == PLACES[place.name]
    shown = dict(line.split(":", 1) for line in kaos("operator", "status").ok().stdout.splitlines()[:7])
    assert shown["Operator"].strip() == "runs"
    assert shown["Namespaces"].strip() == "all"
    assert shown["Lease"].strip() == "kaos-system/kaos-operator"
