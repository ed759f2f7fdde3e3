"""What a person does with any resource, against a live API server."""

from __future__ import annotations

import pytest

from kaos.actions import resources
from kaos.actions.kinds import MCPSERVER
from kaos.errors import KaosError, NotFound, NotReady, UsageError


@pytest.fixture
def calculator(client, room):
    obj = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": "calculator"},
           "spec": {"runtime": "rawpython"}}  # fmt: skip
    return client.create(MCPSERVER.resource, obj, room)


def spec(client, room):
    return client.get(MCPSERVER.resource, "calculator", room)["spec"]


def test_a_table_has_the_servers_columns_and_no_empty_cells(client, room, calculator):
    table = resources.table(client, MCPSERVER, room)
    assert table.columns == ["Name", "Runtime", "Transport", "Tools", "Ready", "Reason", "Age"]
    assert table.rows[0][:6] == ["calculator", "rawpython", "-", "-", "-", "-"]
    assert resources.table(client, MCPSERVER, room, wide=True).columns[-2:] == ["Endpoint", "Message"]


def test_a_table_of_all_namespaces_knows_where_each_is(client, room, calculator):
    table = resources.table(client, MCPSERVER, None)
    assert (room, "calculator") in zip(table.namespaces, table.names, strict=True)


def test_what_is_shown_has_no_records_of_owners(client, room, calculator):
    assert "managedFields" not in resources.get(client, MCPSERVER, "calculator", room)["metadata"]
    assert "managedFields" not in resources.listed(client, MCPSERVER, room)[0]["metadata"]


def test_scale_suspend_and_resume_change_one_field_each(client, room, calculator):
    resources.scale(client, MCPSERVER, "calculator", room, 3)
    resources.suspend(client, MCPSERVER, "calculator", room)
    assert spec(client, room) == {"runtime": "rawpython", "replicas": 3, "suspend": True}
    resources.resume(client, MCPSERVER, "calculator", room)
    assert spec(client, room)["suspend"] is False


def test_more_pods_than_allowed_are_refused_with_the_bound(client, room, calculator):
    with pytest.raises(UsageError, match="100"):
        resources.scale(client, MCPSERVER, "calculator", room, 101)


@pytest.mark.parametrize("verb", ["get", "delete", "suspend", "resume", "restart"])
def test_a_name_that_is_not_there_is_not_found(client, room, verb):
    with pytest.raises(NotFound, match="There is no MCPServer nobody in namespace room-"):
        getattr(resources, verb)(client, MCPSERVER, "nobody", room)


def test_a_server_without_pods_cannot_be_restarted(client, room, calculator):
    with pytest.raises(NotReady, match="no pods to restart"):
        resources.restart(client, MCPSERVER, "calculator", room)


def test_an_edit_keeps_what_others_changed_meanwhile(client, room, calculator):
    def change(before):
        resources.scale(client, MCPSERVER, "calculator", room, 2)
        return before | {"spec": before["spec"] | {"suspend": True}}

    with pytest.raises(KaosError, match="was changed by someone else meanwhile"):
        resources.edit(client, MCPSERVER, "calculator", room, change)
    assert spec(client, room)["replicas"] == 2


def test_an_edit_that_changes_nothing_writes_nothing(client, room, calculator):
    assert not resources.edit(client, MCPSERVER, "calculator", room, lambda before: None)
    assert not resources.edit(client, MCPSERVER, "calculator", room, lambda before: dict(before))
    version = client.get(MCPSERVER.resource, "calculator", room)["metadata"]["resourceVersion"]
    assert version == calculator["metadata"]["resourceVersion"]


def test_an_edit_may_not_rename(client, room, calculator):
    with pytest.raises(KaosError, match="cannot be edited"):
        resources.edit(
            client, MCPSERVER, "calculator", room,
            lambda before: before | {"metadata": before["metadata"] | {"name": "other"}},
        )  # fmt: skip


def test_a_namespace_that_is_not_there_is_known(client, room):
    assert resources.namespace_exists(client, room)
    assert not resources.namespace_exists(client, "nowhere-at-all")
