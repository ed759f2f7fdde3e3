"""Both clients on a real API server: verbs, pages, watches, dry runs and refusals, the same in every place."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kaos.cluster import ApiError, Client, Connection, requests, resolve
from kaos.cluster.aio import AsyncClient
from kaos.cluster.wait import until
from kaos.errors import NotFound
from kaos.kube import times
from kaos.kube.resources import CONFIGMAPS, DEPLOYMENTS, NAMESPACES, PODS, SECRETS, SERVICEACCOUNTS, Resource
from tests.live import LiveCluster

Object = dict[str, Any]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def connection(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A connection to the place's API server; no operator is needed."""
    if request.config.getoption("--place") == "cluster":
        yield resolve(kubeconfig=os.environ["KUBECONFIG"])
    else:
        with LiveCluster(tmp_path_factory.mktemp("clients")) as cluster:
            yield resolve(kubeconfig=str(cluster.kubeconfig))


@pytest.fixture
def client(connection: Connection) -> Client:
    return Client(connection)


@pytest.fixture
async def aio(connection: Connection) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(connection) as client:
        yield client


@pytest.fixture
def room(client: Client) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"clients-{os.getpid()}-{next(_numbers)}"
    client.create(NAMESPACES, {"metadata": {"name": name}})
    yield name
    client.delete(NAMESPACES, name)


def config_map(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_one_object_s_whole_life(client: Client, room: str) -> None:
    made = client.create(CONFIGMAPS, config_map("a", x="1"), room)
    assert client.get(CONFIGMAPS, "a", room) == made
    changed = client.replace(CONFIGMAPS, made | {"data": {"x": "2"}}, room)
    assert changed["data"] == {"x": "2"}
    with pytest.raises(ApiError) as stale:
        client.replace(CONFIGMAPS, made, room)
    assert (stale.value.code, stale.value.reason) == (409, "Conflict")
    assert client.patch(CONFIGMAPS, "a", {"data": {"y": "3"}}, room)["data"] == {"x": "2", "y": "3"}
    appended = [{"op": "add", "path": "/data/z", "value": "4"}]
    assert client.patch(CONFIGMAPS, "a", appended, room, media_type=requests.JSON_PATCH)["data"]["z"] == "4"
    client.delete(CONFIGMAPS, "a", room)
    assert client.find(CONFIGMAPS, "a", room) is None
    with pytest.raises(ApiError, match='configmaps "a" not found') as gone:
        client.get(CONFIGMAPS, "a", room)
    assert gone.value.exit_code == 3


def test_applying_keeps_what_others_own(client: Client, room: str) -> None:
    client.apply(CONFIGMAPS, config_map("a", mine="1"), room)
    client.apply(CONFIGMAPS, config_map("a", theirs="2"), room, manager="somebody")
    client.apply(CONFIGMAPS, config_map("a", mine="3"), room)
    assert client.get(CONFIGMAPS, "a", room)["data"] == {"mine": "3", "theirs": "2"}
    with pytest.raises(ApiError, match="conflict") as conflict:
        client.apply(CONFIGMAPS, config_map("a", theirs="9"), room, force=False)
    assert conflict.value.code == 409


def test_a_dry_run_changes_nothing(client: Client, room: str) -> None:
    assert client.create(CONFIGMAPS, config_map("a"), room, dry_run=True)["metadata"]["uid"]
    assert client.apply(CONFIGMAPS, config_map("a"), room, dry_run=True)["metadata"]["name"] == "a"
    assert client.find(CONFIGMAPS, "a", room) is None


def test_unknown_fields_are_refused(client: Client, room: str) -> None:
    with pytest.raises(ApiError, match='unknown field "dat"') as told:
        client.create(CONFIGMAPS, config_map("a") | {"dat": {}}, room)
    assert told.value.exit_code == 2


async def test_pages_add_up_to_the_whole(
    client: Client, aio: AsyncClient, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"item-{number}" for number in range(7)]
    for name in names:
        client.create(CONFIGMAPS, config_map(name) | {"metadata": {"name": name, "labels": {"of": "seven"}}}, room)
    whole = client.list(CONFIGMAPS, room, labels="of=seven")
    monkeypatch.setattr(requests, "PAGE_SIZE", 3)
    paged = client.list(CONFIGMAPS, room, labels="of=seven")
    assert [item["metadata"]["name"] for item in paged.items] == names
    assert paged.items == whole.items
    assert (await aio.list(CONFIGMAPS, room, labels="of=seven")).items == whole.items
    assert [
        item["metadata"]["name"] for item in client.list(CONFIGMAPS, room, fields="metadata.name=item-3").items
    ] == ["item-3"]


async def test_both_clients_see_the_same_events(client: Client, aio: AsyncClient, room: str) -> None:
    version = client.list(CONFIGMAPS, room).resource_version
    client.create(CONFIGMAPS, config_map("a", x="1"), room)
    client.patch(CONFIGMAPS, "a", {"data": {"x": "2"}}, room)
    client.create(CONFIGMAPS, config_map("b"), room)
    client.delete(CONFIGMAPS, "a", room)
    mine = ("a", "b")

    def seen(event: Any) -> tuple[str, str]:
        return event.type, event.object["metadata"]["name"]

    blocking: list[tuple[str, str]] = []
    for event in client.watch(CONFIGMAPS, room, resource_version=version, timeout_s=20):
        blocking += [seen(event)] if event.object["metadata"]["name"] in mine else []
        if event.type == "DELETED":
            break
    awaited: list[tuple[str, str]] = []
    async for event in aio.watch(CONFIGMAPS, room, version):
        awaited += [seen(event)] if event.object["metadata"]["name"] in mine else []
        if event.type == "DELETED":
            break
    assert blocking == awaited == [("ADDED", "a"), ("MODIFIED", "a"), ("ADDED", "b"), ("DELETED", "a")]


@pytest.mark.only("cluster")
async def test_a_version_that_is_long_gone_is_410(client: Client, aio: AsyncClient, room: str) -> None:
    born = times.parse(client.get(NAMESPACES, "kube-system")["metadata"]["creationTimestamp"])
    if datetime.now(UTC) - born < timedelta(minutes=15):
        pytest.skip("this cluster is too young to have forgotten anything: etcd is compacted every five minutes")
    with pytest.raises(ApiError) as told:
        list(client.watch(CONFIGMAPS, room, resource_version="1", timeout_s=5))
    assert told.value.code == 410
    with pytest.raises(ApiError) as told:
        async for _ in aio.watch(CONFIGMAPS, room, "1"):
            pass
    assert told.value.code == 410


def test_a_watch_ends_when_it_was_asked_to(client: Client, room: str) -> None:
    version = client.list(CONFIGMAPS, room).resource_version
    events = list(client.watch(CONFIGMAPS, room, name="none", resource_version=version, timeout_s=1))
    assert [event for event in events if event.type != "BOOKMARK"] == []


async def test_deletion_can_be_of_one_very_object(client: Client, aio: AsyncClient, room: str) -> None:
    made = client.create(CONFIGMAPS, config_map("a"), room)
    with pytest.raises(ApiError) as told:
        await aio.delete(CONFIGMAPS, "a", room, uid="00000000-0000-0000-0000-000000000000")
    assert told.value.code == 409
    await aio.delete(CONFIGMAPS, "a", room, uid=made["metadata"]["uid"])
    assert await aio.find(CONFIGMAPS, "a", room) is None


async def test_the_async_client_writes_as_the_blocking_one_does(client: Client, aio: AsyncClient, room: str) -> None:
    made = await aio.create(CONFIGMAPS, config_map("a", x="1"), room)
    await aio.apply(CONFIGMAPS, config_map("a", y="2"), room, manager="test")
    await aio.patch(CONFIGMAPS, "a", {"data": {"x": None}}, room)
    assert client.get(CONFIGMAPS, "a", room)["data"] == {"y": "2"}
    with pytest.raises(ApiError) as stale:
        await aio.replace(CONFIGMAPS, made, room)
    assert stale.value.code == 409


def test_kinds_are_found_by_discovery(client: Client) -> None:
    assert client.resource_for("apps/v1", "Deployment") == DEPLOYMENTS
    found = client.resource_for("rbac.authorization.k8s.io/v1", "ClusterRole")
    assert found == Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
    with pytest.raises(NotFound, match=r"There is no kind RoleBindin in rbac\.authorization") as told:
        client.resource_for("rbac.authorization.k8s.io/v1", "RoleBindin")
    assert told.value.cure == "Did you mean RoleBinding?"
    with pytest.raises(NotFound, match=r"The cluster serves no nowhere\.example\.com/v1"):
        client.resource_for("nowhere.example.com/v1", "Thing")


def test_the_server_s_own_table(client: Client, room: str) -> None:
    client.create(CONFIGMAPS, config_map("a", x="1", y="2"), room)
    table = client.table(CONFIGMAPS, room, labels=None, name="a")
    (row,) = table["rows"]
    assert [column["name"] for column in table["columnDefinitions"]][:3] == ["Name", "Data", "Age"]
    assert row["cells"][:2] == ["a", 2]
    assert row["object"]["metadata"]["name"] == "a"


def test_rights_can_be_asked_for(client: Client, room: str) -> None:
    assert client.can("create", CONFIGMAPS, room)
    assert client.can("get", PODS, room, "log")


def test_waiting_works_across_this_server(client: Client, room: str) -> None:
    created: list[Object] = []

    def create_once(_: Object | None) -> None:
        if not created:
            created.append(client.create(SECRETS, {"metadata": {"name": "late"}}, room))

    assert until(client, SECRETS, "late", room, timeout_s=20, on_change=create_once)["metadata"]["name"] == "late"


@pytest.mark.only("cluster")
def test_a_right_that_is_missing_is_named(client: Client, connection: Connection, room: str) -> None:
    client.create(SERVICEACCOUNTS, {"metadata": {"name": "nobody"}}, room)
    token = Resource("", "v1", "serviceaccounts", "TokenRequest").path(room, "nobody", "token")
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    issued = client.request("POST", token, requests.encode(request), {"Content-Type": "application/json"})
    import json

    nobody = replace(connection, user={"token": json.loads(issued.read())["status"]["token"]})
    with pytest.raises(ApiError) as told:
        Client(nobody).list(PODS, room)
    assert told.value.exit_code == 4
    assert told.value.cause == (
        f'pods is forbidden: User "system:serviceaccount:{room}:nobody" cannot list resource "pods" '
        f'in API group "" in the namespace "{room}"'
    )
    assert told.value.cure.startswith("Ask for that right")
    assert not Client(nobody).can("list", PODS, room)


@pytest.mark.only("cluster")
def test_acting_as_another_user_is_honoured(connection: Connection) -> None:
    somebody = replace(connection, user=connection.user | {"as": "somebody"})
    with pytest.raises(ApiError, match='User "somebody" cannot list resource "pods"'):
        Client(somebody).list(PODS, "default")


@pytest.mark.only("cluster")
def test_a_login_program_s_credentials_are_used(connection: Connection, tmp_path: Path) -> None:
    user = {
        key: base64.b64decode(connection.user[f"{key}-data"]).decode() for key in ("client-certificate", "client-key")
    }
    program = tmp_path / "login.py"
    status = {"clientCertificateData": user["client-certificate"], "clientKeyData": user["client-key"]}
    program.write_text(f"import json\nprint(json.dumps({{'kind': 'ExecCredential', 'status': {status!r}}}))")
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "python3", "args": [str(program)]}
    assert Client(replace(connection, user={"exec": plugin})).get(NAMESPACES, "default")

    async def ask() -> Object:
        async with AsyncClient(replace(connection, user={"exec": plugin})) as client:
            return await client.get(NAMESPACES, "default")

    assert asyncio.run(ask())["metadata"]["name"] == "default"
