"""The children of an MCPServer: names, labels, owner, and a hash that changes when, and only when, they do."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from kaos.operator.decide.mcpserver import decide
from kaos.operator.decide.world import Gateway, Settings, World
from tests.unit.operator.worlds import NAME, children, config_map, made, running, server, world

Object = dict[str, Any]
HASH = "kaos.tools/applied-hash"
GATEWAY = Settings(gateway=Gateway("kaos", "gateways", {"MCPServer": "45s"}))


def kids(around: World | None = None, **spec: Any) -> dict[str, Object]:
    return made(decide(server(**spec), around or world()))


def hashes(around: World | None = None, **spec: Any) -> dict[str, str]:
    return {kind: one["metadata"]["annotations"][HASH] for kind, one in kids(around, **spec).items()}


def test_every_child_has_the_contracts_name_labels_and_owner() -> None:
    for kind, child in kids(world(settings=GATEWAY)).items():
        meta = child["metadata"]
        assert (meta["name"], meta["namespace"]) == (NAME, "apps"), kind
        assert meta["labels"] == {
            "app.kubernetes.io/name": "mcpserver",
            "app.kubernetes.io/instance": "calc",
            "app.kubernetes.io/component": "mcpserver",
            "app.kubernetes.io/part-of": "kaos",
            "app.kubernetes.io/managed-by": "kaos-operator",
            "kaos.tools/kind": "MCPServer",
            "mcpserver": "calc",
        }
        owner = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "name": "calc", "uid": "uid-of-calc"}
        assert meta["ownerReferences"] == [owner | {"controller": True, "blockOwnerDeletion": True}]


def test_names_of_children_are_valid_for_the_longest_name() -> None:
    obj = server()
    obj["metadata"]["name"] = "a" * 53
    for child in decide(obj, world(settings=GATEWAY)).children:
        assert len(child.object["metadata"]["name"]) <= 63
        assert all(len(value) <= 63 for value in child.object["metadata"]["labels"].values())


def test_the_service_is_on_port_8000_whatever_the_server_listens_on() -> None:
    spec = kids(port=9090)["Service"]["spec"]
    assert spec["ports"] == [{"name": "http", "port": 8000, "targetPort": "http", "protocol": "TCP"}]
    assert spec["sessionAffinity"] == "ClientIP"
    template = kids()["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert spec["selector"].items() <= template.items()


def test_the_network_policy_admits_the_served_port_and_nothing_else() -> None:
    spec = kids(port=9090)["NetworkPolicy"]["spec"]
    assert spec["ingress"] == [{"ports": [{"protocol": "TCP", "port": 9090}]}]
    assert spec["policyTypes"] == ["Ingress"]
    assert "NetworkPolicy" not in kids(world(settings=Settings(network_policies=False)))


def test_a_strict_policy_admits_ours_the_operator_and_the_api_servers_only() -> None:
    strict = Settings(system_namespace="tools", strict_network=True, api_servers=("10.0.0.1/32", "fd00::1/128"))
    (rule,) = kids(world(settings=strict), port=9090)["NetworkPolicy"]["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 9090}]
    neighbours, operator, *addresses = rule["from"]
    assert neighbours == {"podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "kaos"}}}
    assert operator == {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tools"}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "kaos-operator"}},
    }
    assert addresses == [{"ipBlock": {"cidr": "10.0.0.1/32"}}, {"ipBlock": {"cidr": "fd00::1/128"}}]


def test_the_route_leads_from_the_gateway_to_the_services_root() -> None:
    route = kids(world(settings=GATEWAY))["HTTPRoute"]["spec"]
    rule = route["rules"][0]
    assert route["parentRefs"] == [{"name": "kaos", "namespace": "gateways"}]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/apps/mcp/calc"}}]
    assert rule["filters"][0]["urlRewrite"]["path"] == {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
    assert rule["backendRefs"] == [{"name": NAME, "port": 8000}]
    assert rule["timeouts"] == {"request": "45s"}
    own = kids(world(settings=GATEWAY), gatewayRoute={"timeout": "5s"})["HTTPRoute"]["spec"]
    assert own["rules"][0]["timeouts"] == {"request": "5s"}
    assert "HTTPRoute" not in kids()


@pytest.mark.parametrize(
    ("spec", "replicas"), [({}, 1), ({"replicas": 3}, 3), ({"replicas": 3, "suspend": True}, 0), ({"replicas": 0}, 0)]
)
def test_replicas(spec: Object, replicas: int) -> None:
    assert kids(**spec)["Deployment"]["spec"]["replicas"] == replicas


def test_pods_are_replaced_without_a_gap() -> None:
    strategy = kids()["Deployment"]["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        items = [(key, shuffled(inner, chance)) for key, inner in value.items()]
        chance.shuffle(items)
        return dict(items)
    return [shuffled(inner, chance) for inner in value] if isinstance(value, list) else value


SPEC = {
    "params": "code: x",
    "container": {
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "resources": {"limits": {"cpu": "1"}},
    },
    "podSpec": {"nodeSelector": {"a": "b", "c": "d"}, "tolerations": [{"key": "k", "operator": "Exists"}]},
}


def test_the_same_spec_has_the_same_hash_whatever_the_order_of_its_keys() -> None:
    first = hashes(**SPEC)
    for seed in range(20):
        assert hashes(**shuffled(json.loads(json.dumps(SPEC)), random.Random(seed))) == first


def test_the_hash_does_not_depend_on_status_time_or_anything_alive() -> None:
    before = kids(**SPEC)
    around = running(server(**SPEC), now="2030-01-01T00:00:00Z")
    after = made(decide(server({"phase": "Ready", "ready": True}, generation=9, **SPEC), around))
    assert after == before


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({"params": "code: y"}, {"Deployment"}),
        ({"port": 9090}, {"Deployment", "NetworkPolicy"}),
        ({"path": "/x"}, set()),
        ({"replicas": 2}, {"Deployment"}),
        ({"container": {"env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]}}, {"Deployment"}),
    ],
)
def test_a_change_shows_in_the_hash_of_what_it_changes(change: Object, changed: set[str]) -> None:
    before = hashes(**SPEC)
    after = hashes(**(SPEC | change))
    assert {kind for kind in before if before[kind] != after[kind]} == changed


NEEDS = {"container": {"envFrom": [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "keys"}}]}}


def rolls(before: World, after: World) -> bool:
    one, other = (kids(around, **NEEDS)["Deployment"]["spec"]["template"] for around in (before, after))
    return one != other


def secret(version: str, **data: str) -> Object:
    found = config_map("keys", **data)
    found["metadata"]["resourceVersion"] = version
    return {"keys": found}


def test_pods_are_rolled_when_what_they_refer_to_changes() -> None:
    settings = {"settings": config_map("settings", a="1")}
    changed = {"settings": config_map("settings", a="2")}
    labelled = {
        "settings": settings["settings"] | {"metadata": settings["settings"]["metadata"] | {"resourceVersion": "9"}}
    }
    assert rolls(world(configmaps=settings), world(configmaps=changed))
    assert not rolls(world(configmaps=settings), world(configmaps=labelled)), "only its content counts"
    assert not rolls(world(configmaps=settings), world(configmaps=settings | {"other": config_map("other", x="1")}))
    with_secret = {"configmaps": settings, "secrets": secret("1", key="")}
    assert rolls(world(**with_secret), world(**(with_secret | {"secrets": secret("2", key="")})))


def test_pods_are_not_rolled_while_what_they_refer_to_is_away() -> None:
    obj = server(**NEEDS)
    around = world(configmaps={"settings": config_map("settings", a="1")})
    live = children(obj, around)
    away = made(decide(obj, world(children=live)))
    assert away["Deployment"]["spec"] == live["Deployment", NAME]["spec"]


def test_mentions_are_what_is_to_be_watched() -> None:
    assert decide(server(**NEEDS), world()).mentions == {("ConfigMap", "settings")}
    assert decide(server(**NEEDS), world(secrets={})).mentions == {("ConfigMap", "settings"), ("Secret", "keys")}
    odd = {
        "container": {"envFrom": [{"configMapRef": {"name": "a,metadata.name!=a"}}, {"configMapRef": {"name": "UP"}}]}
    }
    decision = decide(server(**odd), world())
    assert decision.mentions == frozenset(), "such names would be other field selectors"
    assert decision.status["reason"] == "ConfigMapNotFound"
