"""Drift: what is ours must be there as asked; what the API server or others add is none of our business."""

from __future__ import annotations

from typing import Any

import pytest

from kaos.operator.drift import contains

CONTAINED = [
    ({"a": 1, "b": 2}, {"a": 1}),
    ({"a": None}, {"a": {}}),
    ({}, {"a": {}}),
    ({}, {"a": None}),
    ({}, {"a": ""}),
    ({}, {"a": False}),
    ({}, {"replicas": 0}),
    ({}, {"a": []}),
    ({"limits": {"memory": "1Gi", "cpu": "1"}}, {"limits": {"memory": "1024Mi", "cpu": "1000m"}}),
    ({"requests": {"cpu": 1}}, {"requests": {"cpu": "1"}}),
    ({"env": [{"name": "X"}, {"name": "A", "value": "1"}]}, {"env": [{"name": "A", "value": "1"}]}),
    ({"ports": [{"containerPort": 80, "protocol": "TCP"}]}, {"ports": [{"containerPort": 80}]}),
    (
        {"containers": [{"name": "sidecar"}, {"name": "a", "image": "x", "terminationMessagePath": "/dev/log"}]},
        {"containers": [{"name": "a", "image": "x"}]},
    ),
    ({"ownerReferences": [{"uid": "1", "kind": "X"}, {"uid": "2"}]}, {"ownerReferences": [{"uid": "2"}]}),
    ({"args": ["a", "b"]}, {"args": ["a", "b"]}),
    ({"labels": {"a": "1", "foreign": "2"}}, {"labels": {"a": "1"}}),
]
DRIFTED = [
    ({"a": 2}, {"a": 1}),
    ({}, {"a": 1}),
    (None, {"a": 1}),
    ("text", {"a": 1}),
    ({"replicas": 3}, {"replicas": 0}),
    ({"a": True}, {"a": False}),
    ({"a": "x"}, {"a": ""}),
    ({"limits": {"memory": "2Gi"}}, {"limits": {"memory": "1Gi"}}),
    ({"limits": {}}, {"limits": {"memory": "1Gi"}}),
    ({"limits": {"memory": "rubbish"}}, {"limits": {"memory": "1Gi"}}),
    ({"env": [{"name": "A", "value": "2"}]}, {"env": [{"name": "A", "value": "1"}]}),
    ({"env": []}, {"env": [{"name": "A", "value": "1"}]}),
    ({"env": None}, {"env": [{"name": "A", "value": "1"}]}),
    ({"containers": [{"name": "b", "image": "x"}]}, {"containers": [{"name": "a", "image": "x"}]}),
    ({"args": ["b", "a"]}, {"args": ["a", "b"]}),
    ({"args": ["a", "b", "c"]}, {"args": ["a", "b"]}),
    ({"ownerReferences": []}, {"ownerReferences": [{"uid": "2"}]}),
    ({"labels": {"a": "2"}}, {"labels": {"a": "1"}}),
    ({"drop": ["ALL", "X"]}, {"drop": ["ALL"]}),
]


@pytest.mark.parametrize(("live", "desired"), CONTAINED)
def test_still_as_asked(live: Any, desired: Any) -> None:
    assert contains(live, desired)


@pytest.mark.parametrize(("live", "desired"), DRIFTED)
def test_no_longer_as_asked(live: Any, desired: Any) -> None:
    assert not contains(live, desired)
