"""Installing what the operator needs, and what is known of KAOS on a cluster."""

from __future__ import annotations

import pytest
import yaml

from kaos.actions import system
from kaos.api.names import REGISTRY_CONFIGMAP, SYSTEM_NAMESPACE
from kaos.errors import NotFound
from kaos.kube import times
from kaos.kube.resources import CONFIGMAPS, CUSTOMRESOURCEDEFINITIONS, DEPLOYMENTS, LEASES


@pytest.fixture
def registry(client):
    """Write the registry's text; it is as before afterwards."""
    before = client.get(CONFIGMAPS, REGISTRY_CONFIGMAP, SYSTEM_NAMESPACE)["data"]

    def write(text):
        client.patch(CONFIGMAPS, REGISTRY_CONFIGMAP, {"data": {"runtimes.yaml": text}}, SYSTEM_NAMESPACE)

    yield write
    client.patch(CONFIGMAPS, REGISTRY_CONFIGMAP, {"data": before}, SYSTEM_NAMESPACE)


def test_installing_again_changes_nothing(client):
    def versions():
        found = [client.get(CUSTOMRESOURCEDEFINITIONS, name) for name in first.crds]
        found.append(client.get(CONFIGMAPS, REGISTRY_CONFIGMAP, SYSTEM_NAMESPACE))
        return [obj["metadata"]["resourceVersion"] for obj in found]

    first = system.install_prerequisites(client)
    before = versions()
    system.install_prerequisites(client)
    assert versions() == before


def test_steps_are_told_as_they_are_done(client):
    steps = []
    done = system.install_prerequisites(client, on_step=steps.append)
    assert steps == ["CRDs installed", "Runtime registry created"]
    assert "mcpservers.kaos.tools" in done.crds


def test_a_registry_that_someone_edited_is_kept(client, room):
    system_namespace = room
    system.install_prerequisites(client, system_namespace)
    configmap = client.get(CONFIGMAPS, REGISTRY_CONFIGMAP, system_namespace)
    configmap["data"]["runtimes.yaml"] = "runtimes: {mine: {image: example.org/mine:1}}\n"
    client.replace(CONFIGMAPS, configmap, system_namespace)
    steps = []
    again = system.install_prerequisites(client, system_namespace, steps.append)
    assert again.registry_kept
    assert "Runtime registry kept as edited" in steps
    assert "mine" in client.get(CONFIGMAPS, REGISTRY_CONFIGMAP, system_namespace)["data"]["runtimes.yaml"]


def test_runtimes_come_in_the_registrys_order_with_custom_last(client):
    known, problems = system.runtimes(client)
    assert known[0].name == "rawpython"
    assert known[-1].name == "custom"
    assert problems == ()


def test_entries_of_other_configmaps_count_and_broken_ones_are_named(client, registry):
    labels = {"kaos.tools/mcp-runtimes": "true"}
    own = {"runtimes": {"mine": {"image": "example.org/mine:1"}, "bad": {"image": 5}}}
    body = {"metadata": {"name": "more", "labels": labels}, "data": {"runtimes.yaml": yaml.safe_dump(own)}}
    client.create(CONFIGMAPS, body, SYSTEM_NAMESPACE)
    try:
        known, problems = system.runtimes(client)
        assert "mine" in [one.name for one in known]
        assert any("bad" in problem for problem in problems)
    finally:
        client.delete(CONFIGMAPS, "more", SYSTEM_NAMESPACE)


def test_one_runtime_is_found_by_its_name_and_its_alias(client):
    assert system.runtime(client, "python-string").name == "rawpython"
    with pytest.raises(NotFound) as unknown:
        system.runtime(client, "rawpyton")
    assert unknown.value.cure == "Did you mean rawpython?"


def test_a_cluster_without_a_registry_says_how_to_get_one(client, room):
    with pytest.raises(NotFound, match=f"no runtime registry in namespace {room}") as missing:
        system.runtimes(client, room)
    assert "kaos system install --no-operator" in missing.value.cure
    assert system.status(client, room).problems == (missing.value.cause,)


def test_the_operator_is_known_by_its_lease_and_its_deployment(client, room):
    state = system.status(client, room)
    assert (state.installed, state.pods, state.version) == (True, None, None)
    labels = {"app": "operator"}
    client.create(
        DEPLOYMENTS,
        {
            "metadata": {"name": "kaos-operator", "labels": {"app.kubernetes.io/version": "v0.2.0"}},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "a", "image": "example.org/a:1"}]},
                },
            },
        },
        room,
    )
    state = system.status(client, room)
    assert (state.pods, state.version) == ((0, 0), "v0.2.0")


@pytest.mark.parametrize(
    ("spec", "fresh"),
    [
        ({"holderIdentity": "me", "renewTime": None, "leaseDurationSeconds": 15}, False),
        ({"holderIdentity": "me", "renewTime": "2020-01-01T00:00:00.000000Z", "leaseDurationSeconds": 15}, False),
        ({"holderIdentity": "", "renewTime": "now", "leaseDurationSeconds": 1}, False),
        ({"holderIdentity": "me", "renewTime": "now", "leaseDurationSeconds": 15}, True),
    ],
    ids=["never renewed", "long ago", "given back", "works"],
)
def test_an_operator_works_while_it_renews_its_lease(client, spec, fresh):
    spec = spec | ({"renewTime": times.micro_now()} if spec["renewTime"] == "now" else {})
    client.create(LEASES, {"metadata": {"name": "kaos-operator-abc"}, "spec": spec}, SYSTEM_NAMESPACE)
    try:
        assert bool(system.status(client).operator) is fresh
    finally:
        client.delete(LEASES, "kaos-operator-abc", SYSTEM_NAMESPACE)
