"""Strategic merge: lists of named things merge by name, as in Kubernetes; directives, order and what is left alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kaos.kube.strategic_merge import PatchError, merge, merge_for, merge_key
from kaos.local import schemas
from tests.merge_cases import CASES, Case, contains


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_pod_spec_merges_as_on_an_api_server(case: Case) -> None:
    deployment = {"spec": {"template": {"spec": case.base}}}
    before = copy.deepcopy(deployment)
    found = merge_for("Deployment", deployment, {"spec": {"template": {"spec": case.patch}}})["spec"]["template"][
        "spec"
    ]
    assert contains(found, case.wanted), found
    assert not [key for key in case.wanted if key not in found]
    assert deployment == before, "what is given is not changed"


def test_a_pod_spec_by_itself_merges_too_with_what_is_new_last() -> None:
    base = {"containers": [{"name": "a", "ports": [{"containerPort": 1}]}], "imagePullSecrets": [{"name": "p"}]}
    patch = {
        "containers": [{"name": "a", "ports": [{"containerPort": 2}]}, {"name": "b"}],
        "imagePullSecrets": [{"name": "q"}],
    }
    assert merge(base, patch) == {
        "containers": [{"name": "a", "ports": [{"containerPort": 1}, {"containerPort": 2}]}, {"name": "b"}],
        "imagePullSecrets": [{"name": "p"}, {"name": "q"}],
    }


def test_a_service_s_ports_merge_by_their_own_number() -> None:
    base = {"spec": {"ports": [{"name": "web", "port": 80, "targetPort": 8080}, {"name": "more", "port": 81}]}}
    patch = {"spec": {"ports": [{"port": 80, "targetPort": 9090}, {"port": 81, "$patch": "delete"}]}}
    assert merge_for("Service", base, patch) == {"spec": {"ports": [{"name": "web", "port": 80, "targetPort": 9090}]}}


@pytest.mark.parametrize(
    ("kind", "field"),
    [("EndpointSlice", "ports"), ("ServiceAccount", "imagePullSecrets"), ("EndpointSlice", "endpoints")],
)
def test_a_name_that_means_something_else_elsewhere_does_not_merge_there(kind: str, field: str) -> None:
    base, patch = {field: [{"name": "a", "port": 1}]}, {field: [{"name": "b", "port": 1}]}
    assert merge_for(kind, base, patch) == patch


def test_finalizers_add_up_and_are_taken_out_one_by_one() -> None:
    base = {"metadata": {"finalizers": ["a", "b"]}}
    assert merge(base, {"metadata": {"finalizers": ["b", "c"]}})["metadata"]["finalizers"] == ["a", "b", "c"]
    assert merge(base, {"metadata": {"finalizers": []}}) == base
    taken = merge(base, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a", "x"]}})
    assert taken == {"metadata": {"finalizers": ["b"]}}


def test_conditions_merge_by_type() -> None:
    base = {"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "x"}, {"type": "Other"}]}}
    patch = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert merge(base, patch)["status"]["conditions"] == [
        {"type": "Ready", "status": "True", "reason": "x"}, {"type": "Other"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("base", "patch", "wanted"),
    [
        ({"a": 1}, {"a": 2, "b": 3}, {"a": 2, "b": 3}),
        ({"a": 1}, {"a": None, "b": None}, {}),
        ({"a": {"b": 1}}, {"a": {"c": {"d": None, "e": 2}}}, {"a": {"b": 1, "c": {"e": 2}}}),
        ({"a": {"b": 1}}, {"a": {"$patch": "delete"}}, {"a": {}}),
        ({"a": {"b": 1}}, {"a": {"$patch": "replace", "c": 2}}, {"a": {"c": 2}}),
        ({"a": {"b": 1}}, {"a": {"$patch": "merge", "c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"a": 1}, {"$patch": "replace", "b": 2}, {"b": 2}),
        ({"a": 1}, {"$patch": "delete"}, {}),
        ({"a": [1]}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        ({"a": {"b": 2}}, {"a": [1]}, {"a": [1]}),
        ({"a": 1, "b": 2}, {"$retainKeys": ["b"], "b": 3}, {"b": 3}),
        ({"tolerations": [{"key": "a"}]}, {"tolerations": []}, {"tolerations": []}),
        ({"containers": None}, {"containers": [{"name": "a"}]}, {"containers": [{"name": "a"}]}),
        ({"containers": "odd"}, {"containers": [{"name": "a"}]}, {"containers": [{"name": "a"}]}),
        (
            {"containers": [{"name": "a"}, {"name": "b"}]},
            {"containers": [{"name": "x", "$patch": "replace"}, {"name": "c"}]},
            {"containers": [{"name": "c"}]},
        ),
    ],
)
def test_directives_and_odd_shapes(base: Any, patch: Any, wanted: Any) -> None:
    assert merge(base, patch) == wanted


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ([], "a patch must be an object"),
        ("x", "a patch must be an object"),
        ({"$patch": "drop"}, "unknown patch type: drop"),
        ({"a": {"$patch": "drop"}}, "unknown patch type: drop"),
        ({"containers": [{"image": "x"}]}, "does not contain declared merge key: name"),
        ({"containers": [{"name": "a", "env": [{"value": "x"}]}]}, "does not contain declared merge key: name"),
        ({"containers": [{"name": "a", "$patch": "merge"}]}, "merging lists cannot yet be specified"),
    ],
)
def test_a_patch_that_is_none_is_refused_in_the_server_s_words(patch: Any, words: str) -> None:
    with pytest.raises(PatchError, match=words):
        merge({"containers": [{"name": "a"}]}, patch)


def test_neither_side_is_changed_nor_shared() -> None:
    base = {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}]}
    patch = {"containers": [{"name": "a", "args": ["x"]}], "volumes": [{"name": "v"}], "tolerations": [{"key": "k"}]}
    before = copy.deepcopy((base, patch))
    made = merge(base, patch)
    made["containers"][0]["env"][0]["value"] = made["containers"][0]["args"][0] = "changed"
    made["tolerations"][0]["key"] = made["volumes"][0]["name"] = "changed"
    assert (base, patch) == before


def published() -> list[tuple[str, str, str | None]]:
    """(kind of object, list field, merge key) of every list in the published OpenAPI."""
    found = []
    for name, schema in schemas.data()["schemas"].items():
        for field, node in (schema.get("properties") or {}).items():
            if node.get("type") == "array":
                found.append((name.rpartition(".")[2], field, node.get("x-kubernetes-patch-merge-key")))
    return found


# The field (or kind) around the lists of an object, where the name of a list alone does not tell its meaning.
AROUND = {
    "Container": "containers",
    "EphemeralContainer": "ephemeralContainers",
    "PodSpec": "spec",
    "ServiceSpec": "spec",
    "NodeStatus": "status",
    "ServiceAccount": "ServiceAccount",
    "EndpointSlice": "EndpointSlice",
    "Endpoint": "endpoints",
    "EndpointSubset": "subsets",
    "NetworkPolicyIngressRule": "ingress",
    "NetworkPolicyEgressRule": "egress",
    "LoadBalancerIngress": "ingress",
}


def test_every_list_merges_by_the_key_that_kubernetes_publishes() -> None:
    told = published()
    assert len([key for *_, key in told if key]) > 20
    for kind, field, key in told:
        if field.startswith("x-kubernetes-") or (kind, field) == ("CustomResourceDefinitionStatus", "conditions"):
            continue
        assert merge_key(field, AROUND.get(kind, "")) == key, f"{kind}.{field}"
