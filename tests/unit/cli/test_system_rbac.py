"""`kaos system create-rbac`: what it prints and makes, on a live cluster."""

from __future__ import annotations

import pytest
import yaml

from kaos.actions.rbac import CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES
from kaos.kube.resources import NAMESPACES, SERVICEACCOUNTS

MADE = "✓ {} created: mcpserver-k8s-tools"


@pytest.fixture
def create(kaos, room):
    def run(*flags):
        return kaos("system", "create-rbac", "--name", "k8s-tools", "--namespace", room, *flags)

    return run


@pytest.fixture
def staging(client, room):
    client.create(NAMESPACES, {"metadata": {"name": f"{room}-staging"}})
    return f"{room}-staging"


def test_the_output_of_the_proposal(create, room, staging):
    made = create(
        "--namespaces", f"{room},{staging}", "--resources", "pods,services,deployments", "--verbs", "get,list,watch"
    ).ok()
    assert made.stdout == ""
    assert made.stderr.splitlines()[1:] == [
        f"It will act in: {room}, {staging}",
        "Creating RBAC for MCPServer k8s-tools...",
        *(MADE.format(kind) for kind in ("ServiceAccount", "Role", "RoleBinding")),
    ]


def test_again_and_again_does_no_harm(create):
    create("--read-only").ok()
    again = create("--read-only").ok().stderr
    assert again.count("unchanged: mcpserver-k8s-tools\n") == 3


def test_what_is_asked_for_last_is_what_there_is(create, client, room, staging):
    create("--namespaces", f"{room},{staging}").ok()
    told = create("--dry-run").ok().stderr
    assert f"! Role mcpserver-k8s-tools in {staging} would be removed" in told
    assert client.find(ROLES, "mcpserver-k8s-tools", staging)
    create().ok()
    assert client.find(ROLES, "mcpserver-k8s-tools", staging) is None
    assert client.find(ROLEBINDINGS, "mcpserver-k8s-tools", staging) is None
    assert client.find(ROLES, "mcpserver-k8s-tools", room)


def test_from_the_whole_cluster_back_to_a_namespace(create, client, room):
    wide = create("--cluster-wide").ok().stderr
    name = f"mcpserver-{room}-k8s-tools"
    assert f"✓ ClusterRole created: {name}\n✓ ClusterRoleBinding created: {name}\n" in wide
    create().ok()
    assert client.find(CLUSTERROLES, name) is client.find(CLUSTERROLEBINDINGS, name) is None


def test_a_dry_run_prints_what_apply_takes_and_makes_nothing(create, kaos, client, room):
    printed = create("--read-only", "--dry-run").ok().stdout
    assert [one["kind"] for one in yaml.safe_load_all(printed)] == ["ServiceAccount", "Role", "RoleBinding"]
    assert client.find(SERVICEACCOUNTS, "mcpserver-k8s-tools", room) is None
    kaos("apply", "-f", "-", stdin=printed).ok()
    assert create("--read-only").ok().stderr.count("unchanged") == 3


def test_what_is_dangerous_is_shown_first_and_must_be_said(create, client, room):
    flags = ("--resources", "pods,secrets,pods/exec", "--verbs", "get,create")
    refused = create(*flags)
    assert refused.code == 2
    assert refused.stderr.startswith("! get, create on secrets: passwords and tokens")
    assert refused.stderr.endswith("If it is meant: --allow-dangerous\n")
    assert client.find(SERVICEACCOUNTS, "mcpserver-k8s-tools", room) is None
    lines = create(*flags, "--allow-dangerous").ok().stderr.splitlines()
    assert [line[:1] for line in lines[:3]] == ["!", "!", "!"]
    assert MADE.format("Role") in lines


def test_a_missing_namespace_is_told_before_anything_is_made(create, client, room):
    refused = create("--namespaces", f"{room},nowhere")
    assert refused.code == 3
    assert "There is no namespace nowhere." in refused.stderr
    assert client.find(SERVICEACCOUNTS, "mcpserver-k8s-tools", room) is None


def test_what_somebody_else_made_is_left_alone(create, client, room):
    mine = {"metadata": {"name": "mcpserver-k8s-tools"}, "rules": []}
    client.create(ROLES, mine, room)
    refused = create()
    assert refused.code == 1
    assert "Role mcpserver-k8s-tools exists and is not of this account." in refused.stderr
    assert not client.get(ROLES, "mcpserver-k8s-tools", room).get("rules")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "Rights for which MCPServer?"),
        (["--name", "x", "--cluster-wide", "--namespaces", "a"], "--cluster-wide is every namespace"),
        (["--name", "x", "--read-only", "--verbs", "delete"], "--read-only does not go with --verbs delete"),
        (["--name", "x", "--verbs", "get,"], "--verbs names nothing"),
    ],
)
def test_wrong_usage_in_one_line(kaos, flags, said):
    refused = kaos("system", "create-rbac", *flags)
    assert refused.code == 2
    assert said in refused.stderr
    assert refused.stderr.count("\n") <= 2


def test_the_server_alone_names_the_account(kaos, client, room):
    kaos("system", "create-rbac", "--mcpserver", "viewer", "-n", room).ok()
    account = client.get(SERVICEACCOUNTS, "mcpserver-viewer", room)
    assert account["metadata"]["annotations"] == {"kaos.tools/allow": "mcpserver/viewer"}
