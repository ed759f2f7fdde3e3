"""What the chart's values change, rendered by helm; skipped where there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from kaos.api import registry
from kaos.operator import environment
from kaos.operator.decide.world import GATEWAY_TIMEOUTS, Gateway, Settings
from kaos.operator.lease import lease_name
from tests.unit.chart.conftest import CHART, helm


def operator(rendered):
    return rendered.one("Deployment", "kaos-operator")["spec"]["template"]["spec"]["containers"][0]


def settings(rendered):
    return environment.settings({one["name"]: one.get("value", "") for one in operator(rendered)["env"]})


def test_the_rendering_for_those_without_helm_is_up_to_date(render, released):
    assert render().objects == released.objects, "run: make chart"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("colour=blue", "colour"),
        ("image.tag=1", "/image"),
        ("secrets.wotch=true", "wotch"),
        ("defaultImages.mcpNothing=x", "mcpNothing"),
        ("networkPolicy.apiServers={10.0.0.1}", "/networkPolicy/apiServers"),
        ("telemetry.endpoint=collector:4318", "/telemetry/endpoint"),
        ("logLevel=loud", "/logLevel"),
        ("replicas=-1", "/replicas"),
    ],
)
def test_unknown_keys_and_values_of_no_meaning_are_refused(render, given, named):
    refused = helm("--set", given)
    assert refused.returncode != 0
    assert named in refused.stderr


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("agentRuntime", "kaos_image"),
        ("modelMock", "mock_image"),
        ("mcpBridge", "bridge_image"),
        ("mcpPackage", "package_image"),
        ("litellm", "litellm_image"),
        ("ollama", "ollama_image"),
    ],
)
def test_a_default_image_can_be_another_one(render, name, field):
    rendered = render(**{f"defaultImages.{name}": "example.org/own:1"})
    assert settings(rendered) == replace(Settings(), **{field: "example.org/own:1"})
    assert operator(rendered)["image"] == operator(render())["image"]


def test_every_image_of_a_runtime_is_of_one_that_there_is():
    values = yaml.safe_load((CHART / "values.yaml").read_text())["defaultImages"]
    named = {one.removeprefix("mcp").lower() for one in values if one.startswith("mcp")} - {"bridge", "package"}
    assert named == set(registry.parse(registry.builtin_text())[0])


@pytest.mark.parametrize("chosen", [["mcpRawPython"], None], ids=["one", "all"])
def test_runtimes_can_be_given_other_images(render, chosen):
    values = yaml.safe_load((CHART / "values.yaml").read_text())["defaultImages"]
    chosen = chosen or [one for one in values if one.startswith("mcp") and one not in ("mcpBridge", "mcpPackage")]
    own = {one.removeprefix("mcp").lower(): f"example.org/{one.lower()}:1" for one in chosen}
    found = registry.read(render(**{f"defaultImages.{key}": f"example.org/{key.lower()}:1" for key in chosen})
                          .all("ConfigMap"))  # fmt: skip
    usual = registry.parse(registry.builtin_text())[0]
    assert found.problems == ()
    assert found.runtimes == {name: replace(one, image=own.get(name, one.image)) for name, one in usual.items()}


def test_the_operators_own_image_can_be_another(render):
    rendered = render(image="example.org/kaos:1")
    assert operator(rendered)["image"] == "example.org/kaos:1"
    assert settings(rendered) == Settings()


def test_telemetry_for_all_is_told_to_the_operator(render):
    told = settings(render(telemetry={"enabled": True, "endpoint": "http://collector:4318"}))
    assert (told.telemetry, told.telemetry_endpoint) == (True, "http://collector:4318")


def test_strict_network_policies_are_told_to_the_operator(render):
    told = settings(render(networkPolicy={"strict": True, "apiServers": ["10.0.0.1/32", "fd00::1/128"]}))
    assert (told.strict_network, told.api_servers) == (True, ("10.0.0.1/32", "fd00::1/128"))


def test_additional_runtimes_join_the_registry(render):
    mine = {"type": "python", "image": "example.org/weather:1", "requiredEnv": ["WEATHER_API_KEY"]}
    found = registry.read(render(**{"mcpRuntimes.additionalRuntimes": {"weather": mine}}).all("ConfigMap"))
    assert found.problems == ()
    assert found.runtimes["weather"].requiredEnv == ("WEATHER_API_KEY",)
    assert "rawpython" in found.runtimes


def test_an_operator_of_some_namespaces_has_rights_in_these_only(render):
    rendered = render(watchNamespaces=["b", "a"], **{"aggregatedRoles.enabled": False})
    assert rendered.all("ClusterRole") == rendered.all("ClusterRoleBinding") == []
    assert {one["metadata"]["namespace"] for one in rendered.all("Role")} == {"kaos-system", "a", "b"}
    assert operator(rendered)["args"][2:] == ["--namespace=b", "--namespace=a"]
    (policy,) = rendered.all("ValidatingAdmissionPolicy")
    (expression,) = policy["spec"]["matchConstraints"]["namespaceSelector"]["matchExpressions"]
    assert expression["values"] == ["b", "a"]
    lease = rendered.one("Role", "kaos-operator-system")["rules"][-1]["resourceNames"]
    assert lease == [lease_name(("b", "a"))]


def test_a_gateway_is_made_and_told_to_the_operator(render):
    rendered = render(gatewayAPI={"enabled": True, "gatewayClassName": "nginx", "timeouts": {"agent": "900s"}})
    (gateway,) = rendered.all("Gateway")
    assert (gateway["metadata"]["name"], gateway["spec"]["gatewayClassName"]) == ("kaos-gateway", "nginx")
    assert settings(rendered).gateway == Gateway("kaos-gateway", "kaos-system", GATEWAY_TIMEOUTS | {"Agent": "900s"})
    own = render(gatewayAPI={"enabled": True, "createGateway": False, "gatewayName": "front"})
    assert own.all("Gateway") == []
    assert settings(own).gateway == Gateway("front", "kaos-system")


def test_a_gateway_without_a_class_is_refused_in_words(render):
    refused = helm("--set", "gatewayAPI.enabled=true")
    assert "gatewayAPI.gatewayClassName is needed" in refused.stderr


@pytest.mark.parametrize(("value", "resource"), [("gatewayAPI.enabled", "httproutes"), ("secrets.watch", "secrets")])
def test_rights_that_a_value_asks_for_are_given_with_it_and_are_documented(render, value, resource):
    from tests.unit.chart.test_chart import table, words

    more = {"gatewayAPI.createGateway": False} if "gateway" in value else {}
    rules = render(**{value: True}, **more).one("ClusterRole", "kaos-system-operator")["rules"]
    (given,) = [rule for rule in rules if rule["resources"] == [resource]]
    (told,) = [row for row in table("Only when they are asked for") if row[0] == value]
    assert (told[1].replace("core", ""), told[2], words(told[3])) == (
        given["apiGroups"][0], resource, sorted(given["verbs"])
    )  # fmt: skip


def test_what_can_be_switched_off_is_off(render):
    off = {f"{key}.enabled": False for key in ("networkPolicy", "admissionPolicy", "aggregatedRoles")}
    rendered = render(**off)
    kinds = {one["kind"] for one in rendered.objects}
    assert not kinds & {"NetworkPolicy", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    assert len(rendered.all("ClusterRole")) == 1
    assert not settings(rendered).network_policies


def test_two_installations_share_no_object(render):
    def places(namespace):
        done = helm("-n", namespace)
        return {
            (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])
            for one in yaml.safe_load_all(done.stdout)
        }

    assert not places("one") & places("two")
