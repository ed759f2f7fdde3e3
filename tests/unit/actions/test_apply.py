"""Applying and deleting: in an order that works, a word for each object, and one failure stops no other."""

from __future__ import annotations

import pytest

from kaos.actions import apply, manifests
from kaos.actions.kinds import MCPSERVER
from kaos.errors import KaosError, NotFound, UsageError
from kaos.kube.resources import CONFIGMAPS, NAMESPACES

SERVER = {
    "apiVersion": "kaos.tools/v1alpha1",
    "kind": "MCPServer",
    "metadata": {"name": "calculator"},
    "spec": {"runtime": "rawpython"},
}


def parsed(text: str) -> list[manifests.Manifest]:
    return manifests.parse(text, "test")


def verbs(outcomes) -> list[tuple[str, str]]:
    return [(outcome.title, outcome.verb) for outcome in outcomes]


def deploy(client, **spec):
    return apply.apply_object(client, SERVER | {"spec": SERVER["spec"] | spec}, None, MCPSERVER.resource)


def test_the_word_is_what_really_happened(client, room):
    assert deploy(client).verb == "created"
    assert deploy(client).verb == "unchanged"
    assert deploy(client, replicas=2).verb == "configured"
    client.delete(MCPSERVER.resource, "calculator", room)
    assert deploy(client).verb == "created"


def test_a_field_that_is_left_out_the_next_time_goes_away(client, room):
    deploy(client, params="def f(): ...", replicas=3)
    deploy(client)
    spec = client.get(MCPSERVER.resource, "calculator", room)["spec"]
    assert "params" not in spec
    assert spec["replicas"] == 1


def test_what_another_verb_changed_survives_applying_again(client, room):
    from kaos.actions import resources

    deploy(client)
    resources.suspend(client, MCPSERVER, "calculator", room)
    assert deploy(client).verb == "unchanged"
    assert client.get(MCPSERVER.resource, "calculator", room)["spec"]["suspend"] is True


def test_a_namespace_comes_before_what_is_in_it(client):
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: inside, namespace: made-here}\n---\n"
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: made-here}\n"
    )
    told = []
    outcomes = apply.apply_all(client, parsed(text), on_outcome=told.append)
    assert verbs(outcomes) == [("Namespace made-here", "created"), ("ConfigMap made-here/inside", "created")]
    assert told == outcomes


def test_objects_of_a_new_kind_may_follow_their_crd_at_once(client, room):
    text = (
        "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: first}\n---\n"
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.org}\n"
        "spec:\n  group: example.org\n  scope: Namespaced\n  names: {plural: widgets, kind: Widget}\n"
        "  versions:\n  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}\n"
    )
    outcomes = apply.apply_all(client, parsed(text), room)
    assert [outcome.error for outcome in outcomes] == [None, None]


def test_one_failure_stops_no_other(client, room):
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndat: {}\n---\n"
        "apiVersion: nobody.example/v1\nkind: Thing\nmetadata: {name: unknown}\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: away, namespace: elsewhere}\n"
    )
    outcomes = {outcome.name: outcome for outcome in apply.apply_all(client, parsed(text), room)}
    assert outcomes["good"].verb == "created"
    assert "unknown field dat" in outcomes["bad"].error.cause
    assert "serves no nobody.example/v1" in outcomes["unknown"].error.cause
    assert isinstance(outcomes["away"].error, UsageError)


def test_a_missing_namespace_offers_to_create_it(client, room):
    missing = f"{room}-annex"
    with pytest.raises(NotFound) as refused:
        apply.apply_object(client, SERVER, missing, MCPSERVER.resource)
    assert f"no namespace {missing}" in refused.value.cause
    assert "--create-namespace" in refused.value.cure
    assert apply.create_namespace(client, missing)
    assert not apply.create_namespace(client, missing)
    assert apply.apply_object(client, SERVER, missing, MCPSERVER.resource).verb == "created"


def test_deleting_goes_the_opposite_way_and_takes_absence_for_done(client):
    text = (
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: goes}\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: inside, namespace: goes}\n"
    )
    apply.apply_all(client, parsed(text))
    assert verbs(apply.delete_all(client, parsed(text)))[0] == ("ConfigMap goes/inside", "deleted")
    absent = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: never, namespace: goes}\n"
    assert verbs(apply.delete_all(client, parsed(absent))) == [("ConfigMap goes/never", "not there")]


def test_what_waits_for_a_finalizer_is_being_deleted(client, room):
    client.create(CONFIGMAPS, {"metadata": {"name": "held", "finalizers": ["example.org/hold"]}}, room)
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held}\n"
    assert verbs(apply.delete_all(client, parsed(text), room)) == [(f"ConfigMap {room}/held", "being deleted")]
    client.patch(CONFIGMAPS, "held", {"metadata": {"finalizers": None}}, room)


def test_a_namespace_that_is_going_takes_nothing_new(client):
    client.create(NAMESPACES, {"metadata": {"name": "leaving", "finalizers": ["example.org/hold"]}})
    client.delete(NAMESPACES, "leaving")
    with pytest.raises(KaosError) as refused:
        apply.apply_object(client, SERVER, "leaving", MCPSERVER.resource)
    assert "terminated" in refused.value.cause
    assert refused.value.exit_code == 1
    client.patch(NAMESPACES, "leaving", {"metadata": {"finalizers": None}})
