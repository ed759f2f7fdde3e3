"""What ServiceAccounts may do here: what their Roles say, as on any other cluster. The owner may do all."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.kubehttp import client_of
from tests.unit.local.kube import pod

RBAC = "/apis/rbac.authorization.k8s.io/v1"
READ = {"apiGroups": [""], "resources": ["configmaps", "pods/log"], "verbs": ["get", "list", "watch"]}
TELL = "import os; print(open(os.environ['KUBECONFIG']).read())"


def give(kube, kind, rules, name="reader", subject=None):
    """A role of these rules, bound to the account or to `subject`."""
    place = f"{RBAC}/namespaces/{kube.namespace}" if kind == "Role" else RBAC
    kube.http.post(f"{place}/{kind.lower()}s", json={"metadata": {"name": name}, "rules": rules}).raise_for_status()
    subject = subject or {"kind": "ServiceAccount", "name": "reader", "namespace": kube.namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    binding = {"metadata": {"name": name}, "subjects": [subject], "roleRef": reference}
    kube.http.post(f"{place}/{kind.lower()}bindings", json=binding).raise_for_status()


@pytest.fixture
def account(kube):
    """An account that may read ConfigMaps and logs in its namespace."""
    accounts = f"/api/v1/namespaces/{kube.namespace}/serviceaccounts"
    kube.http.post(accounts, json={"metadata": {"name": "reader"}}).raise_for_status()
    give(kube, "Role", [READ])
    return f"system:serviceaccount:{kube.namespace}:reader"


@pytest.fixture
def reader(kube, account):
    """HTTP in the name of the account, as the owner of a cluster may ask."""
    http = kube.http
    who = {"Impersonate-User": account}
    with httpx.Client(base_url=http.base_url, verify=False, headers=dict(http.headers) | who, trust_env=False) as made:
        yield made


def test_a_pod_may_do_what_the_role_of_its_account_says_while_the_account_is_there(kube, account, tmp_path):
    kube.create(pod("reader", TELL, serviceAccountName="reader"))
    kube.until("Pod", "reader", lambda obj: obj["status"].get("phase") == "Succeeded")
    (tmp_path / "config").write_text(kube.http.get(f"{kube.path('Pod', 'reader')}/log").text)
    config = json.loads((tmp_path / "config").read_text())
    assert config["contexts"][0]["context"]["namespace"] == kube.namespace
    with client_of(tmp_path / "config") as http:
        assert http.get(kube.path("ConfigMap")).status_code == 200
        assert http.get(f"{kube.path('Pod', 'reader')}/log").status_code == 200
        assert http.get(kube.path("Secret")).status_code == 403
        forged = http.headers["Authorization"].replace(".reader.", ".default.")
        assert forged != http.headers["Authorization"]
        assert http.get(kube.path("ConfigMap"), headers={"Authorization": forged}).status_code == 401
        kube.http.delete(f"/api/v1/namespaces/{kube.namespace}/serviceaccounts/reader").raise_for_status()
        assert http.get(kube.path("ConfigMap")).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        ("GET", "/api/v1/namespaces/{ns}/secrets", 'secrets is forbidden: {user} cannot list resource "secrets"'),
        ("GET", "/api/v1/namespaces/{ns}/secrets?watch=true", 'cannot watch resource "secrets"'),
        ("GET", "/api/v1/namespaces/{ns}/pods/x", 'pods "x" is forbidden: {user} cannot get resource "pods"'),
        ("DELETE", "/api/v1/namespaces/{ns}/configmaps/x", 'cannot delete resource "configmaps"'),
        ("DELETE", "/api/v1/namespaces/{ns}/configmaps", 'cannot deletecollection resource "configmaps"'),
        ("POST", "/api/v1/namespaces/{ns}/configmaps", 'cannot create resource "configmaps"'),
        ("GET", "/api/v1/configmaps", 'resource "configmaps" in API group "" at the cluster scope'),
        ("GET", "/api/v1/namespaces/default/configmaps", 'in API group "" in the namespace "default"'),
        ("GET", "/apis/apps/v1/namespaces/{ns}/deployments", 'resource "deployments" in API group "apps"'),
        ("GET", "/api/v1/nodes", 'cannot list resource "nodes" in API group "" at the cluster scope'),
        ("GET", "/api/v1/namespaces/{ns}/pods/x/proxy/", 'cannot get resource "pods/proxy"'),
    ],
)
def test_what_no_role_says_is_refused_in_the_words_of_a_real_server(kube, reader, method, path, what):
    user = f'User "system:serviceaccount:{kube.namespace}:reader"'
    answer = reader.request(method, path.format(ns=kube.namespace), json={} if method == "POST" else None)
    assert answer.status_code == 403
    assert what.format(user=user) in answer.json()["message"]


def test_applying_what_is_not_there_needs_the_right_to_create(kube, reader):
    give(kube, "Role", [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]}], "patcher")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}}
    media = {"Content-Type": "application/apply-patch+yaml"}
    path = f"{kube.path('ConfigMap', 'new')}?fieldManager=me"
    refused = reader.patch(path, content=json.dumps(body), headers=media)
    assert "cannot create" in refused.json()["message"]
    kube.create(body)
    assert reader.patch(path, content=json.dumps(body), headers=media).status_code == 200


def test_rules_may_name_objects_and_wildcards(kube, reader):
    rules = [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["mine"]},
        {"apiGroups": ["apps"], "resources": ["*"], "verbs": ["*"]},
    ]
    give(kube, "Role", rules, "more")
    for name in ("mine", "other"):
        kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}})
    assert reader.get(kube.path("Secret", "mine")).status_code == 200
    assert reader.get(kube.path("Secret", "other")).status_code == 403
    assert reader.get(kube.path("Deployment")).status_code == 200


def test_a_cluster_role_holds_everywhere_and_groups_count(kube, reader):
    group = {"kind": "Group", "name": f"system:serviceaccounts:{kube.namespace}"}
    rule = {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["list"]}
    give(kube, "ClusterRole", [rule], f"look-{kube.namespace}", group)
    assert reader.get("/api/v1/nodes").status_code == 200
    assert reader.get("/api/v1/pods").status_code == 200


def test_it_may_ask_what_it_may_do(kube, reader):
    review = "/apis/authorization.k8s.io/v1/self"
    attributes = {"verb": "get", "resource": "pods", "subresource": "log", "namespace": kube.namespace}
    for verb, allowed in (("get", True), ("delete", False)):
        spec = {"resourceAttributes": attributes | {"verb": verb}}
        assert reader.post(f"{review}subjectaccessreviews", json={"spec": spec}).json()["status"]["allowed"] is allowed
    rules = reader.post(f"{review}subjectrulesreviews", json={"spec": {"namespace": kube.namespace}}).json()["status"]
    assert rules["resourceRules"] == [READ]
    who = reader.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json={}).json()["status"]["userInfo"]
    assert who["username"] == f"system:serviceaccount:{kube.namespace}:reader"


def test_a_pod_without_an_account_of_its_own_is_given_nothing(kube):
    kube.create(pod("plain", "import os; print(os.environ.get('KUBECONFIG', 'none'))"))
    kube.until("Pod", "plain", lambda obj: obj["status"].get("phase") == "Succeeded")
    assert kube.http.get(f"{kube.path('Pod', 'plain')}/log").text == "none\n"
