"""The bridge in front of a server: which port leads where, and what it is told."""

from __future__ import annotations

from typing import Any

from kaos.operator.decide.mcpserver import decide
from tests.unit.operator.worlds import server, world

Object = dict[str, Any]


def made(kind: str, **spec: Any) -> Object:
    wanted = decide(server(**spec), world()).children
    return next(one.object for one in wanted if one.object["kind"] == kind)


def containers(**spec: Any) -> dict[str, Object]:
    pod = made("Deployment", **spec)["spec"]["template"]["spec"]
    return {one["name"]: one for one in pod["containers"]}


def env(container: Object) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


def test_only_the_filter_can_be_reached_from_outside() -> None:
    filtered = {"tools": {"allow": ["get_*"], "deny": ["-x"]}}
    found = containers(**filtered)
    bridge, behind = found["bridge"], found["mcp-server"]
    assert [port["name"] for port in bridge["ports"]] == ["http"]
    assert [port["name"] for port in behind["ports"]] == ["server"]
    outer, inner = bridge["ports"][0]["containerPort"], behind["ports"][0]["containerPort"]
    assert (env(bridge)["PORT"], env(behind)["PORT"], env(behind)["HOST"]) == (str(outer), str(inner), "127.0.0.1")
    assert made("Service", **filtered)["spec"]["ports"][0]["targetPort"] == "http"
    assert made("NetworkPolicy", **filtered)["spec"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": outer}]}]
    assert outer != inner
    assert bridge["args"] == [
        "--path", "/mcp", "--upstream", "http://127.0.0.1:$(UPSTREAM_PORT)/mcp", "--allow=get_*", "--deny=-x",
    ]  # fmt: skip
    assert env(bridge)["UPSTREAM_PORT"] == str(inner)


def test_a_server_on_the_port_of_the_filter_has_its_own() -> None:
    assert containers(port=8099, tools={"deny": ["x"]})["bridge"]["ports"][0]["containerPort"] == 8098


def test_an_empty_filter_needs_no_bridge() -> None:
    assert list(containers(tools={"allow": []})) == ["mcp-server"]


def test_a_stdio_server_is_filtered_by_its_bridge() -> None:
    container = {"image": "x:1", "command": ["x"]}
    found = containers(runtime="custom", transport="stdio", container=container, tools={"deny": ["x"]})
    assert found["bridge"]["args"][-1] == "--deny=x"


def test_a_remote_server_is_relayed_with_headers_that_only_the_pod_knows() -> None:
    reference = {"name": "keys", "key": "token"}
    remote = {
        "url": "https://example.org/mcp?x=$(PATH)",
        "headersFrom": [{"name": "Authorization", "secretKeyRef": reference}],
    }
    wanted = decide(
        server(runtime=None, remote=remote, tools={"allow": ["a"]}),
        world(secrets={"keys": {"metadata": {"name": "keys"}, "data": {"token": "c2VjcmV0"}}}),
    ).children
    pod = next(one.object for one in wanted if one.object["kind"] == "Deployment")["spec"]["template"]["spec"]
    relay = pod["containers"][0]
    assert relay["args"] == [
        "--path", "/mcp", "--upstream", "https://example.org/mcp?x=$$(PATH)",
        "--header", "Authorization=KAOS_HEADER_0", "--allow=a",
    ]  # fmt: skip
    assert env(relay)["KAOS_HEADER_0"] == {"secretKeyRef": reference}
    assert len(pod["containers"]) == 1
