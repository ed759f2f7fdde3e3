"""Which rights an account has, whoever gave them."""

from __future__ import annotations

from kaos.actions import rbac
from kaos.actions.accounts import account_of, rights_of
from kaos.actions.served import served


def give(client, room, **asked):
    request = rbac.Request("viewer", room, **asked)
    rbac.apply(client, rbac.plan(request, served(client)))


def test_what_was_given_the_dangerous_first(client, room):
    give(client, room, resources=("pods", "deployments", "secrets"))
    found = rights_of(client, "mcpserver-viewer", room)
    assert found.exists
    assert found.complete
    assert found.lets("mcpserver", "viewer")
    assert not found.lets("mcpserver", "other")
    assert [grant.rule.resources for grant in found.grants] == [("pods", "secrets"), ("deployments",), ("pods/log",)]
    assert {(grant.namespace, grant.by) for grant in found.grants} == {(room, "Role mcpserver-viewer")}


def test_what_holds_everywhere_and_for_groups_counts(client, room):
    give(client, room, resources=("nodes",), cluster_wide=True)
    role = {"metadata": {"name": "all"}, "rules": [{"apiGroups": [""], "resources": ["events"], "verbs": ["list"]}]}
    client.create(rbac.ROLES, role, room)
    group = {"kind": "Group", "name": f"system:serviceaccounts:{room}", "apiGroup": rbac.RBAC}
    reference = {"apiGroup": rbac.RBAC, "kind": "Role", "name": "all"}
    client.create(rbac.ROLEBINDINGS, {"metadata": {"name": "all"}, "subjects": [group], "roleRef": reference}, room)
    found = rights_of(client, "mcpserver-viewer", room).grants
    assert {(grant.namespace, grant.by) for grant in found} == {
        (None, f"ClusterRole mcpserver-{room}-viewer"), (room, "Role all"),
    }  # fmt: skip


def test_an_account_that_is_not_there_may_do_nothing_and_lets_nobody(client, room):
    found = rights_of(client, "nobody", room)
    assert (found.exists, found.grants, found.allows) == (False, (), ())


def test_the_account_of_a_server_is_the_one_of_its_pods():
    assert account_of({"spec": {"serviceAccountName": "a", "podSpec": {"serviceAccountName": "b"}}}) == "b"
    assert account_of({"spec": {}}) == ""
