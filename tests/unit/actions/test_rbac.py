"""What `create-rbac` would make, and what it warns of: pure, by tables."""

from __future__ import annotations

import pytest
import yaml

from kaos.actions import rbac
from kaos.actions.rbac import Request, plan
from kaos.actions.rights import READ, Rule, by_danger, risks, rules_of
from kaos.actions.served import Served, parsed
from kaos.errors import UsageError
from tests.conftest import ROOT

PODS = Served("", "pods", True, ("pod", "po"), ("status", "log"))
KNOWN = (
    PODS,
    Served("", "services", True, ("service", "svc")),
    Served("", "secrets", True, ("secret",)),
    Served("", "nodes", False, ("node", "no")),
    Served("", "namespaces", False, ("namespace", "ns")),
    Served("", "serviceaccounts", True, ("serviceaccount", "sa")),
    Served("", "events", True, ("event", "ev")),
    Served("apps", "deployments", True, ("deployment", "deploy"), ("scale",)),
    Served("events.k8s.io", "events", True, ("event", "ev")),
    Served("metrics.k8s.io", "pods", True, ("podmetrics",)),
)
PROPOSED = """
- apiGroups: [""]
  resources: ["pods", "services"]
  verbs: ["get", "list", "watch"]
- apiGroups: ["apps"]
  resources: ["deployments"]
  verbs: ["get", "list", "watch"]
- apiGroups: [""]
  resources: ["pods/log"]
  verbs: ["get"]
"""


def asked(*resources, name="k8s-tools", namespace="default", **more):
    return plan(Request(name, namespace, resources=resources, **more), KNOWN)


def manifests(found):
    return [rule.manifest for rule in found.rules]


def test_the_rules_of_the_proposal():
    found = asked("pods", "services", "deployments", verbs=("get", "list", "watch"))
    assert manifests(found) == yaml.safe_load(PROPOSED)


def test_the_objects_of_the_proposal():
    account, role, binding = asked("pods").objects
    assert (account["kind"], account["metadata"]["name"]) == ("ServiceAccount", "mcpserver-k8s-tools")
    assert account["metadata"]["annotations"] == {"kaos.tools/allow": "mcpserver/k8s-tools"}
    assert (role["kind"], role["metadata"]["name"]) == ("Role", "mcpserver-k8s-tools")
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "mcpserver-k8s-tools",
    }  # fmt: skip
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "mcpserver-k8s-tools", "namespace": "default"}]


def test_a_role_and_a_binding_in_each_namespace_and_one_account():
    found = asked("pods", namespaces=("default", "staging", "default"))
    assert [(one["kind"], one["metadata"]["namespace"]) for one in found.objects] == [
        ("ServiceAccount", "default"),
        ("Role", "default"), ("Role", "staging"),
        ("RoleBinding", "default"), ("RoleBinding", "staging"),
    ]  # fmt: skip
    assert {one["subjects"][0]["namespace"] for one in found.objects[3:]} == {"default"}


def test_names_of_the_whole_cluster_hold_the_namespace():
    found = asked("pods", "nodes", namespace="team", cluster_wide=True)
    assert [(one["kind"], one["metadata"]["name"]) for one in found.objects] == [
        ("ServiceAccount", "mcpserver-k8s-tools"),
        ("ClusterRole", "mcpserver-team-k8s-tools"),
        ("ClusterRoleBinding", "mcpserver-team-k8s-tools"),
    ]
    assert found.objects[2]["roleRef"]["kind"] == "ClusterRole"


def test_without_a_word_it_reads_workloads_and_nothing_secret():
    found = asked()
    assert {verb for rule in found.rules for verb in rule.verbs} == {"get", "list", "watch"}
    assert manifests(found)[0]["resources"] == ["pods", "services", "events"]
    assert risks(found.rules) == []
    assert asked(cluster_wide=True).rules[0].resources[-2:] == ("namespaces", "nodes")


@pytest.mark.parametrize(
    ("word", "group", "name"),
    [
        ("po", "", "pods"),
        ("Pod", "", "pods"),
        ("deploy", "apps", "deployments"),
        ("deployments.apps/scale", "apps", "deployments/scale"),
        ("events", "", "events"),
        ("events.events.k8s.io", "events.k8s.io", "events"),
        ("pods.metrics.k8s.io", "metrics.k8s.io", "pods"),
        ("pods/exec", "", "pods/exec"),
        ("*", "*", "*"),
    ],
)
def test_a_resource_by_any_of_its_names(word, group, name):
    rule = asked(word).rules[0]
    assert (rule.group, rule.resources) == (group, (name,))


@pytest.mark.parametrize(
    ("request_", "said", "cure"),
    [
        ({"resources": ("podz",)}, "no resource 'podz'", "pods"),
        ({"resources": ("pods/logs",)}, "no subresource 'logs'", "pods/log"),
        ({"resources": ("nodes",)}, "belong to no namespace", "--cluster-wide"),
        ({"verbs": ("lst",)}, "no verb 'lst'", "list"),
        ({"verbs": ("get", "delete"), "read_only": True}, "--read-only does not go with --verbs delete", ""),
        ({"namespaces": ("a",), "cluster_wide": True}, "--cluster-wide is every namespace", ""),
        ({"namespaces": ("A",)}, "'A' cannot be a namespace", ""),
        ({"servers": ("a/b",)}, "'a/b' cannot be the name of an MCPServer", "'*'"),
        ({"name": "x" * 54}, "cannot be the name of an MCPServer", "53"),
    ],
)
def test_what_contradicts_itself_or_the_cluster_is_refused(request_, said, cure):
    with pytest.raises(UsageError) as refused:
        plan(Request(**{"name": "k8s-tools", "namespace": "default"} | request_), KNOWN)
    assert said in refused.value.cause
    assert cure in refused.value.cure


def test_read_only_goes_with_verbs_that_read():
    assert asked("pods", verbs=("list",), read_only=True).rules == (Rule("", ("pods",), ("list",)),)


def test_others_may_be_let_use_the_account():
    account = asked("pods", servers=("a", "b")).objects[0]
    assert account["metadata"]["annotations"]["kaos.tools/allow"] == "mcpserver/a,mcpserver/b"


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (Rule("", ("secrets",), ("list",)), "passwords and tokens"),
        (Rule("", ("pods/exec",), ("create",)), "within any pod"),
        (Rule("", ("serviceaccounts/token",), ("create",)), "becomes any ServiceAccount"),
        (Rule("", ("serviceaccounts",), ("impersonate",)), "acts as somebody else"),
        (Rule(rbac.RBAC, ("roles",), ("bind",)), "rights that it does not have itself"),
        (Rule(rbac.RBAC, ("rolebindings",), ("create",)), "gives rights to others"),
        (Rule("", ("pods",), ("*",)), "whatever there is"),
        (Rule("*", ("*",), ("get",)), "Secrets too"),
        (Rule("*", ("secrets",), ("get",)), "passwords and tokens"),
        (Rule("", ("nodes/proxy",), ("get",)), "past their guards"),
    ],
)
def test_what_must_be_asked_for_by_name(rule, why):
    found = risks([rule])
    assert found[0].grave
    assert why in found[0].why


@pytest.mark.parametrize(
    "rule",
    [
        Rule("", ("pods", "services"), ("get", "list", "watch")),
        Rule("", ("pods",), ("delete",)),
        Rule("example.org", ("secrets",), ("get",)),
        Rule(rbac.RBAC, ("roles",), ("get",)),
    ],
)
def test_what_is_not_dangerous(rule):
    assert risks([rule]) == []


def test_running_pods_is_told_but_not_refused():
    (found,) = risks([Rule("apps", ("deployments",), ("create",))])
    assert not found.grave
    assert "any Secret" in found.why


def test_the_gravest_come_first():
    rules = [Rule("", ("pods",), ("get",)), Rule("", ("pods",), ("create",)), Rule("", ("secrets",), ("get",))]
    assert [rule for rule, _ in by_danger(rules)] == [rules[2], rules[1], rules[0]]
    assert [risk.grave for risk in risks(rules)] == [True, False]


def test_a_role_is_told_in_words():
    role = {"rules": [
        {"apiGroups": ["", "apps"], "resources": ["pods"], "verbs": ["get"], "resourceNames": ["a"]},
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["/healthz"], "verbs": ["get"]},
    ]}  # fmt: skip
    assert [rule.words for rule in rules_of(role)] == [
        "pods named a: get",
        "pods of apps named a: get",
        "everything: everything",
    ]


def test_of_several_versions_the_preferred_one_counts():
    resource = {"resource": "things", "scope": "Namespaced", "responseKind": {"kind": "Thing"}, "shortNames": ["th"]}
    listing = {"items": [{"metadata": {"name": "g"}, "versions": [
        {"version": "v1", "resources": [resource]},
        {"version": "v1beta1", "resources": [resource | {"shortNames": ["old"]}]},
    ]}]}  # fmt: skip
    assert list(parsed(listing)) == [Served("g", "things", True, ("thing", "th"))]


def test_the_documented_defaults_are_these():
    page = (ROOT / "docs/operator/mcpserver/service-accounts.md").read_text()
    told = dict(line.strip("|").split("|") for line in page.splitlines() if line.startswith("| `--"))
    told = {key.strip(): value.strip() for key, value in told.items()}
    assert told["`--resources`"] == ", ".join(rbac.DEFAULT_RESOURCES)
    assert told["`--resources` with `--cluster-wide`"] == " and ".join(rbac.DEFAULT_CLUSTER_RESOURCES) + " besides"
    assert told["`--verbs`"] == ", ".join(READ)
