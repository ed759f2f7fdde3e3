"""Putting KAOS into a cluster and taking it out again; on a live API server, with a Deployment that wants no pods."""

from __future__ import annotations

import pytest

from kaos.actions import chart, installing, system
from kaos.api.names import REGISTRY_CONFIGMAP
from kaos.errors import NotFound, NotReady, UsageError
from kaos.kube.resources import (
    CONFIGMAPS,
    CUSTOMRESOURCEDEFINITIONS,
    DEPLOYMENTS,
    LEASES,
    NETWORKPOLICIES,
    SERVICEACCOUNTS,
)

ADMISSION = "admissionregistration.k8s.io/v1"  # which the live API server does not serve


@pytest.fixture
def objects(room, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    found = chart.render(room, chart.Values(), "v1.34.0")
    next(one for one in found if one["kind"] == "Deployment")["spec"]["replicas"] = 0
    return [one for one in found if one["apiVersion"] != ADMISSION]


@pytest.fixture
def install(client, room, objects):
    def run(without=(), steps=None, **arguments):
        chosen = [one for one in objects if one["kind"] not in without]
        return installing.install(client, room, chosen, (steps if steps is not None else []).append, **arguments)

    return run


def test_without_helm_the_chart_is_for_the_namespace_that_is_wanted(objects, room):
    assert "kaos-system" not in str(objects)
    assert {one["metadata"].get("namespace") for one in objects} == {room, None}


def test_its_steps_are_told(install, client, room):
    steps = []
    assert install(steps=steps) is False
    assert steps == ["CRDs installed", "Operator deployed", "Runtime registry created"]
    made = client.get(DEPLOYMENTS, "kaos-operator", room)["metadata"]["labels"]
    assert made["app.kubernetes.io/managed-by"] == "kaos"


def test_doing_it_again_changes_nothing(install, client, room):
    def versions():
        return [obj["metadata"]["resourceVersion"] for _, obj in installing._present(client, room)]

    install()
    before = versions()
    assert len(before) > 8
    install()
    assert versions() == before


def test_what_is_no_longer_part_of_it_goes(install, client, room):
    install()
    assert client.find(NETWORKPOLICIES, "kaos-operator", room)
    install(without=["NetworkPolicy"])
    assert client.find(NETWORKPOLICIES, "kaos-operator", room) is None
    assert client.find(DEPLOYMENTS, "kaos-operator", room)


def test_a_registry_that_someone_edited_is_kept(install, client, room):
    install()
    configmap = client.get(CONFIGMAPS, REGISTRY_CONFIGMAP, room)
    configmap["data"]["runtimes.yaml"] = "runtimes: {mine: {image: example.org/mine:1}}\n"
    client.replace(CONFIGMAPS, configmap, room)
    steps = []
    assert install(steps=steps) is True
    assert steps[-1] == "Runtime registry kept as edited"
    assert "mine" in client.get(CONFIGMAPS, REGISTRY_CONFIGMAP, room)["data"]["runtimes.yaml"]


def test_crds_of_an_older_version_become_those_of_this_one(install, client, room):
    name = "mcpservers.kaos.tools"
    before = client.get(CUSTOMRESOURCEDEFINITIONS, name)["spec"]["versions"]
    older = client.get(CUSTOMRESOURCEDEFINITIONS, name)
    del older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["suspend"]
    client.replace(CUSTOMRESOURCEDEFINITIONS, older)
    install()
    assert client.get(CUSTOMRESOURCEDEFINITIONS, name)["spec"]["versions"] == before


def test_a_version_of_crds_that_this_one_does_not_know_is_named(install, client, room, monkeypatch):
    mine = system.bundled_crds()
    for crd in mine:
        crd["spec"]["versions"][0]["name"] = "v1"
    monkeypatch.setattr(system, "bundled_crds", lambda: mine)
    with pytest.raises(UsageError, match="of version v1alpha1, which KAOS") as refused:
        install()
    assert "kubectl delete crd agents.kaos.tools" in refused.value.cure
    assert client.find(DEPLOYMENTS, "kaos-operator", room) is None


def test_an_installation_that_was_cut_is_finished_by_the_same_command(install, client, room):
    class Interrupted(list):
        def append(self, step):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install(steps=Interrupted())
    assert client.find(DEPLOYMENTS, "kaos-operator", room) is None
    install()
    assert client.find(DEPLOYMENTS, "kaos-operator", room)
    assert client.find(CONFIGMAPS, REGISTRY_CONFIGMAP, room)


@pytest.mark.parametrize(
    ("why", "cure"),
    [
        ('pods "a" is forbidden: exceeded quota: none, requested: pods=1', "kubectl edit resourcequota none -n tools"),
        ('pods "a" is forbidden: violates PodSecurity "restricted:latest"', "Lift what refuses them."),
    ],
)
def test_what_refuses_the_operators_pods_is_told_with_its_cure(why, cure):
    told = installing._pods_refused(why, "tools")
    assert why in told.cause
    assert cure in told.cure


def test_an_installation_of_helms_is_left_alone(install, client, room):
    annotations = {"meta.helm.sh/release-name": "front"}
    client.create(SERVICEACCOUNTS, {"metadata": {"name": "kaos-operator", "annotations": annotations}}, room)
    with pytest.raises(UsageError, match="as release front") as refused:
        install()
    assert f"helm uninstall front -n {room}" in refused.value.cure
    assert client.find(DEPLOYMENTS, "kaos-operator", room) is None


def test_a_namespace_to_watch_that_is_missing_is_named_before_anything_is_written(client, room, objects):
    role = next(one for one in objects if one["kind"] == "Role")
    objects.append({**role, "metadata": role["metadata"] | {"namespace": "nowhere"}})
    with pytest.raises(NotFound, match="no namespace nowhere"):
        installing.install(client, room, objects, lambda step: None)
    assert client.find(DEPLOYMENTS, "kaos-operator", room) is None


def test_a_kind_that_the_cluster_does_not_know_is_named_before_anything_is_written(client, room, objects):
    gateway = {"apiVersion": "example.org/v1", "kind": "Door", "metadata": {"name": "front", "labels": {}}}
    with pytest.raises(NotFound, match="knows no Door"):
        installing.install(client, room, [*objects, gateway], lambda step: None)
    assert client.find(DEPLOYMENTS, "kaos-operator", room) is None


def test_an_operator_that_does_not_come_is_waited_for_no_longer_than_wanted(client, room):
    with pytest.raises(NotReady, match="not ready within"):
        installing.await_operator(client, room, 0.2)


def test_uninstalling_takes_all_but_the_registry(install, client, room):
    install()
    client.create(LEASES, {"metadata": {"name": "kaos-operator"}, "spec": {"holderIdentity": ""}}, room)
    client.create(LEASES, {"metadata": {"name": "kaos-operator-1"}, "spec": {"holderIdentity": "someone"}}, room)
    steps = []
    installing.uninstall(client, room, steps.append)
    assert steps == ["Operator removed"]
    left = [obj["metadata"]["name"] for _, obj in installing._present(client, room)]
    assert left == [REGISTRY_CONFIGMAP]
    assert [one["metadata"]["name"] for one in client.list(LEASES, room).items] == ["kaos-operator-1"]


def test_what_helm_has_installed_is_helms_to_uninstall(install, client, room):
    install()
    metadata = {
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "front"},
    }
    for resource, obj in installing._present(client, room):
        client.patch(resource, obj["metadata"]["name"], {"metadata": metadata}, obj["metadata"].get("namespace"))
    with pytest.raises(UsageError, match="as release front"):
        installing.uninstall(client, room, lambda step: None)
    assert client.find(DEPLOYMENTS, "kaos-operator", room)


def test_uninstalling_what_is_not_there_says_so(client, room):
    with pytest.raises(NotFound, match=room):
        installing.uninstall(client, room, lambda step: None)
