"""What the chart's values change, rendered by helm; skipped where there is none."""

from __future__ import annotations

import pytest
import yaml

from kaos.api import registry
from kaos.operator import environment
from kaos.operator.decide.world import GATEWAY_TIMEOUTS, Gateway
from kaos.operator.lease import lease_name
from tests.unit.chart.conftest import helm


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
        ("defaultImages.mcpSlack=x", "mcpSlack"),
        ("logLevel=loud", "/logLevel"),
        ("replicas=-1", "/replicas"),
    ],
)
def test_unknown_keys_and_values_of_no_meaning_are_refused(render, given, named):
    refused = helm("--set", given)
    assert refused.returncode != 0
    assert named in refused.stderr


@pytest.mark.parametrize(
    ("name", "field"), [("agentRuntime", "kaos_image"), ("litellm", "litellm_image"), ("ollama", "ollama_image")]
)
def test_a_default_image_can_be_another_one(render, name, field):
    rendered = render(**{f"defaultImages.{name}": "example.org/own:1"})
    assert getattr(settings(rendered), field) == "example.org/own:1"
    assert operator(rendered)["image"] == operator(render())["image"]


def test_the_image_of_the_runtime_kubernetes_can_be_another(render):
    rendered = render(**{"defaultImages.mcpKubernetes": "example.org/k8s:1"})
    assert registry.read(rendered.all("ConfigMap")).runtimes["kubernetes"].image == "example.org/k8s:1"
    released = registry.read(render().all("ConfigMap")).runtimes["kubernetes"].image
    assert released == registry.parse(registry.builtin_text())[0]["kubernetes"].image


def test_the_image_of_rawpython_and_the_operators_own_can_be_others(render):
    rendered = render(**{"defaultImages.mcpRawPython": "example.org/py:1", "image": "example.org/kaos:1"})
    found = registry.read(rendered.all("ConfigMap"))
    assert found.problems == ()
    assert found.runtimes["rawpython"].image == "example.org/py:1"
    assert operator(rendered)["image"] == "example.org/kaos:1"


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
