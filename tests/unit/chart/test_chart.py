"""The chart as it is for everyone: versions, defaults, rights as documented. Needs no helm."""

from __future__ import annotations

import json
import re

import yaml

import kaos
from kaos.api import registry
from kaos.api.names import REGISTRY_CONFIGMAP
from kaos.operator import environment
from kaos.operator.decide.world import Settings
from tests.conftest import ROOT
from tests.unit.chart.conftest import CHART

RIGHTS = (ROOT / "docs/operator/rights.md").read_text()


def table(heading):
    """The rows below a heading of the page on rights, without the table's own heading."""
    section = RIGHTS.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def words(cell):
    return sorted(cell.split(", "))


def documented(rows):
    return [("" if row[0] == "core" else row[0], words(row[1]), words(row[2])) for row in rows]


def granted(role):
    return [(rule["apiGroups"][0], sorted(rule["resources"]), sorted(rule["verbs"])) for rule in role["rules"]]


def test_chart_and_program_have_one_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == chart["version"] == kaos.__version__


def test_the_operators_rights_are_the_documented_ones(released):
    role = released.one("ClusterRole", "kaos-system-operator")
    assert granted(role) == documented(table("In the namespaces that it looks after"))


def test_its_rights_in_its_own_namespace_are_the_documented_ones(released):
    rules = released.one("Role", "kaos-operator-system")["rules"]
    told = [
        ("" if group == "core" else group, words(resources), [] if names == "any" else words(names), words(verbs))
        for group, resources, names, verbs, _ in table("In its own namespace")
    ]
    assert told == [
        (rule["apiGroups"][0], rule["resources"], rule.get("resourceNames", []), sorted(rule["verbs"]))
        for rule in rules
    ]


def test_what_people_get_is_as_documented(released):
    told = {(role.split(",")[0], resources): words(verbs) for role, resources, verbs in table("What people get")}
    for name in ("view", "edit"):
        for rule in released.one("ClusterRole", f"kaos-system-{name}")["rules"]:
            assert told.pop((name, ", ".join(rule["resources"]))) == sorted(rule["verbs"])
    assert not told


def test_nobody_gets_everything_or_secrets_or_more_rights(released):
    for role in [*released.all("ClusterRole"), *released.all("Role")]:
        for rule in role["rules"]:
            assert "*" not in str(rule)
            assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])
            assert rule["apiGroups"] != ["rbac.authorization.k8s.io"]
            assert not {"secrets", "pods/exec", "pods/attach", "serviceaccounts/token"} & set(rule["resources"])


def test_the_registry_is_the_programs_own(released):
    assert (CHART / "files/runtimes.yaml").read_text() == (ROOT / "kaos/api/runtimes.yaml").read_text()
    assert released.one("ConfigMap", REGISTRY_CONFIGMAP)["data"] == registry.configmap()["data"]


def test_by_default_the_operator_is_set_up_as_one_outside_a_cluster(released):
    (container,) = released.one("Deployment", "kaos-operator")["spec"]["template"]["spec"]["containers"]
    told = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    assert environment.settings(told) == Settings()
    assert container["image"] == Settings().kaos_image


def test_every_value_is_in_the_schema_and_told_in_words():
    def keys(values, schema, where=""):
        assert schema.get("additionalProperties") is False, f"{where} admits anything"
        assert set(values) == set(schema["properties"]), where
        for key, value in values.items():
            inner = schema["properties"][key]
            if isinstance(value, dict) and "properties" in inner and value:
                keys(value, inner, f"{where}.{key}")

    values = yaml.safe_load((CHART / "values.yaml").read_text())
    keys(values, json.loads((CHART / "values.schema.json").read_text()))
    page = (ROOT / "docs/install.md").read_text()
    for key, value in values.items():
        named = [f"{key}.{inner}" for inner in value] if isinstance(value, dict) and key != "resources" else [key]
        assert [one for one in named if f"`{one}`" not in page] == []


def test_the_policy_judges_what_the_operator_judges(released):
    (policy,) = released.all("ValidatingAdmissionPolicy")
    (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
    assert rule["resources"] == ["mcpservers", "modelapis", "agents"]
    text = str(policy["spec"])
    source = (ROOT / "kaos/operator/decide/podspec.py").read_text()
    judged = source.partition("def refused(")[2].partition("def references(")[0]
    names = set(re.findall(r'"([a-zA-Z_0-9.]+)"', judged))
    assert "hostPath" in names
    assert {name for name in names if name not in text} == set()
