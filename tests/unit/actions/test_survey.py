"""One look at a cluster: what belongs to whom, and what may not be looked at."""

from __future__ import annotations

import pytest

from kaos.actions.health import Ref
from kaos.actions.kinds import MCPSERVER
from kaos.actions.survey import declared, take
from kaos.actions.why import troubles
from kaos.cluster import ApiError
from kaos.errors import Forbidden
from kaos.kube.resources import DEPLOYMENTS, EVENTS, PODS, SECRETS

ENV = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "tok", "key": "a"}}}]


def server(client, room, name, **status):
    spec = {"runtime": "rawpython", "container": {"env": ENV}}
    client.create(MCPSERVER.resource, {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer",
                                       "metadata": {"name": name}, "spec": spec}, room)  # fmt: skip
    client.patch(MCPSERVER.resource, name, {"status": status}, room, subresource="status")
    return Ref("MCPServer", room, name)


BROKEN = {"phase": "Waiting", "ready": False, "reason": "SecretNotFound", "message": "Secret tok does not exist"}


class Partly:
    """A client that may not list or find some kinds, and counts what it is asked."""

    def __init__(self, client, *forbidden):
        self._client = client
        self._forbidden = forbidden
        self.asked = []

    def __getattr__(self, name):
        return getattr(self._client, name)

    def _check(self, resource):
        self.asked.append(resource.kind)
        if resource in self._forbidden or resource.kind in self._forbidden:
            raise ApiError(
                403, "Forbidden", f'{resource.plural} is forbidden: User "eve" cannot list {resource.plural}'
            )

    def list(self, resource, *arguments, **more):
        self._check(resource)
        return self._client.list(resource, *arguments, **more)

    def find(self, resource, *arguments, **more):
        self._check(resource)
        return self._client.find(resource, *arguments, **more)


def test_children_and_events_are_found_by_their_owner(client, room):
    long, short = server(client, room, "calc-two", **BROKEN), server(client, room, "calc", **BROKEN)
    labels = {"app.kubernetes.io/part-of": "kaos", "kaos.tools/kind": "MCPServer", "mcpserver": "calc"}
    pod = {"metadata": {"name": "mcpserver-calc-1", "labels": labels},
           "spec": {"containers": [{"name": "mcp-server", "image": "x:1"}]}}  # fmt: skip
    client.create(PODS, pod, room)
    for name in ("mcpserver-calc-two-abc-1", "mcpserver-calc-abc-1"):
        body = {"metadata": {"name": name}, "involvedObject": {"kind": "Pod", "name": name, "namespace": room},
                "reason": "BackOff", "message": name, "type": "Warning"}  # fmt: skip
        client.create(EVENTS, body, room)
    found = take(client, room)
    assert [one["metadata"]["name"] for one in found.pods[short]] == ["mcpserver-calc-1"]
    assert [one.message for one in found.events[long]] == ["mcpserver-calc-two-abc-1"]
    assert [one.message for one in found.events[short] if one.reason == "BackOff"] == ["mcpserver-calc-abc-1"]


def test_secrets_are_looked_up_for_what_is_not_well_and_only_their_keys_are_kept(client, room):
    server(client, room, "good", phase="Ready", ready=True, reason="Ready")
    asking = Partly(client)
    assert take(asking, room).keys == {}
    assert "Secret" not in asking.asked
    server(client, room, "bad", **BROKEN)
    assert take(client, room).keys == {("Secret", room, "tok"): None}
    client.create(SECRETS, {"metadata": {"name": "tok"}, "data": {"b": "c2VjcmV0"}}, room)
    found = take(client, room)
    assert found.keys == {("Secret", room, "tok"): frozenset({"b"})}
    assert "c2VjcmV0" not in repr(found)


@pytest.mark.parametrize("forbidden", [PODS, DEPLOYMENTS, EVENTS, SECRETS], ids=lambda one: one.kind)
def test_a_missing_right_is_named_and_the_cause_is_found_all_the_same(client, room, forbidden):
    server(client, room, "bad", **BROKEN)
    found = take(Partly(client, forbidden), room)
    assert [f"cannot list {forbidden.plural}" in told for told in found.unread] == [True]
    assert [one.cause.about for one in troubles(found)][-1] == f"Secret {room}/tok"


def test_who_may_see_no_kind_at_all_is_refused(client, room):
    with pytest.raises(Forbidden):
        declared(Partly(client, "MCPServer", "ModelAPI", "Agent"), room)
    assert len(declared(Partly(client, "Agent"), room).unread) == 1


def test_the_pods_of_an_operator_in_the_cluster_are_counted_where_none_works(client, room):
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "x", "image": "x:1"}]}},
    }
    assert take(client, room).operator_pods is None
    client.create(DEPLOYMENTS, {"metadata": {"name": "kaos-operator"}, "spec": spec}, "kaos-system")
    try:
        assert take(client, room).operator_pods == (0, 0)
    finally:
        client.delete(DEPLOYMENTS, "kaos-operator", "kaos-system")
