"""Watches on single objects, against a live local API server and a way to it that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from kaos.cluster import resolve
from kaos.cluster.aio import AsyncClient
from kaos.kube.resources import CONFIGMAPS, SECRETS, Resource
from kaos.operator import references
from kaos.operator.cache import Cache
from kaos.operator.references import Selection, Watches, named
from tests.live import LiveCluster
from tests.torture.faults import Call, Fate, Proxy
from tests.unit.operator.conditions import until

Object = dict[str, Any]


class Watched:
    """Watches, and the names of what they told of."""

    def __init__(self, client: AsyncClient) -> None:
        self.cache = Cache()
        self.told: list[str] = []
        self.watches = Watches(client, self.cache, self._note)

    def _note(self, resource: Resource, obj: Object) -> None:
        self.told.append(obj["metadata"]["name"])

    def value(self, room: str, name: str = "settings", resource: Resource = CONFIGMAPS) -> str | None:
        found = self.cache.get(resource, room, name)
        return (found.get("data") or {}).get("a") if found else None


@pytest.fixture
async def watched(client: AsyncClient) -> AsyncIterator[Watched]:
    made = Watched(client)
    yield made
    await made.watches.stop()


def settings(value: str, name: str = "settings", **labels: str) -> Object:
    return {"metadata": {"name": name, "labels": labels}, "data": {"a": value}}


async def test_what_is_there_is_known_when_want_returns(client: AsyncClient, room: str, watched: Watched) -> None:
    await client.create(CONFIGMAPS, settings("1"), room)
    assert await watched.watches.want("me", frozenset({named(CONFIGMAPS, room, "settings")}))
    assert watched.value(room) == "1"
    found = watched.cache.get(CONFIGMAPS, room, "settings")
    assert (found["apiVersion"], found["kind"]) == ("v1", "ConfigMap"), "as if it had come alone"


async def test_wanting_the_same_again_is_nothing_new(client: AsyncClient, room: str, watched: Watched) -> None:
    wanted = frozenset({named(CONFIGMAPS, room, "nothere")})
    assert await watched.watches.want("me", wanted)
    assert not await watched.watches.want("me", wanted)
    assert not await watched.watches.want("you", frozenset())


async def test_creation_change_and_deletion_are_told(client: AsyncClient, room: str, watched: Watched) -> None:
    await watched.watches.want("me", frozenset({named(CONFIGMAPS, room, "settings")}))
    await client.create(CONFIGMAPS, settings("0", "another"), room)
    await client.create(CONFIGMAPS, settings("1"), room)
    await until(lambda: watched.value(room) == "1")
    await client.patch(CONFIGMAPS, "settings", {"data": {"a": "2"}}, room)
    await until(lambda: watched.value(room) == "2")
    await client.delete(CONFIGMAPS, "settings", room)
    await until(lambda: watched.value(room) is None)
    assert watched.told == ["settings"] * 3
    assert watched.value(room, "another") is None, "nobody asked for it"


async def test_an_object_that_loses_its_label_is_no_longer_of_those(
    client: AsyncClient, room: str, watched: Watched
) -> None:
    await client.create(CONFIGMAPS, settings("1", role="registry"), room)
    await watched.watches.want("me", frozenset({Selection(CONFIGMAPS, room, labels="role=registry")}))
    assert watched.value(room) == "1"
    await client.patch(CONFIGMAPS, "settings", {"metadata": {"labels": {"role": None}}}, room)
    await until(lambda: watched.value(room) is None)
    await client.patch(CONFIGMAPS, "settings", {"metadata": {"labels": {"role": "registry"}}}, room)
    await until(lambda: watched.value(room) == "1")
    assert watched.told == ["settings"] * 3


async def test_an_object_that_loses_its_label_stays_known_to_who_named_it(
    client: AsyncClient, room: str, watched: Watched
) -> None:
    await client.create(CONFIGMAPS, settings("1", role="registry"), room)
    await watched.watches.want("a", frozenset({Selection(CONFIGMAPS, room, labels="role=registry")}))
    await watched.watches.want("b", frozenset({named(CONFIGMAPS, room, "settings")}))
    patch = {"metadata": {"labels": {"role": None}}, "data": {"a": "2"}}
    await client.patch(CONFIGMAPS, "settings", patch, room)
    await until(lambda: watched.value(room) == "2")
    assert watched.cache.get(CONFIGMAPS, room, "settings") is not None


async def test_one_watch_serves_all_who_want_the_same_and_ends_with_the_last(
    client: AsyncClient, room: str, watched: Watched
) -> None:
    await client.create(CONFIGMAPS, settings("1"), room)
    wanted = frozenset({named(CONFIGMAPS, room, "settings")})
    await watched.watches.want("a", wanted)
    await watched.watches.want("b", wanted)
    assert len(watched.watches._tasks) == 1
    obj = watched.cache.get(CONFIGMAPS, room, "settings")
    assert sorted(watched.watches.who_wants(CONFIGMAPS, obj)) == ["a", "b"]
    await watched.watches.want("a", frozenset())
    assert watched.value(room) == "1"
    await watched.watches.want("b", frozenset())
    assert watched.value(room) is None
    assert not watched.watches._tasks
    await watched.watches.want("c", wanted)
    assert watched.value(room) == "1", "and may begin again"


async def test_values_of_secrets_are_not_kept(client: AsyncClient, room: str, watched: Watched) -> None:
    await client.create(SECRETS, {"metadata": {"name": "keys"}, "stringData": {"a": "canary"}}, room)
    await watched.watches.want("me", frozenset({named(SECRETS, room, "keys")}))
    assert watched.value(room, "keys", SECRETS) == ""


# A way that fails.


@pytest.fixture
async def proxy(live: LiveCluster) -> AsyncIterator[Proxy]:
    async with Proxy(live.kubeconfig) as made:
        yield made


@pytest.fixture
async def behind(proxy: Proxy, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    monkeypatch.setattr(references, "FIRST_RETRY_S", 0.05)
    monkeypatch.setattr(references, "LAST_RETRY_S", 0.2)
    monkeypatch.setattr(references, "SHORTEST_S", 0.05)
    async with AsyncClient(resolve(kubeconfig=str(proxy.kubeconfig_for("me", tmp_path)))) as client:
        made = Watched(client)
        yield made
        await made.watches.stop()


@pytest.mark.parametrize("how", ["410", "500", "cut"])
async def test_what_was_deleted_while_a_watch_was_broken_is_found_missing(
    client: AsyncClient, room: str, proxy: Proxy, behind: Watched, how: str
) -> None:
    for name in ("goes", "stays"):
        await client.create(CONFIGMAPS, settings("1", name, role="x"), room)
    await behind.watches.want("me", frozenset({Selection(CONFIGMAPS, room, labels="role=x")}))
    proxy.silence_watches()
    await client.delete(CONFIGMAPS, "goes", room)
    await client.patch(CONFIGMAPS, "stays", {"data": {"a": "2"}}, room)
    assert (proxy.cut_watches() if how == "cut" else proxy.send_error(int(how), "Expired")) == 1
    await until(lambda: behind.value(room, "stays") == "2")
    await until(lambda: behind.value(room, "goes") is None)
    assert sorted(behind.told) == ["goes", "goes", "stays", "stays"]


@pytest.mark.parametrize("code", [403, 404])
async def test_what_may_not_be_read_counts_as_missing_until_it_may(
    client: AsyncClient, room: str, proxy: Proxy, behind: Watched, code: int
) -> None:
    async def refuse(call: Call) -> web.Response:
        return web.json_response({"kind": "Status", "apiVersion": "v1", "code": code, "message": "no"}, status=code)

    await client.create(CONFIGMAPS, settings("1"), room)
    proxy.rule = refuse
    await behind.watches.want("me", frozenset({named(CONFIGMAPS, room, "settings")}))
    assert behind.value(room) is None
    proxy.rule = _pass
    await until(lambda: behind.value(room) == "1")
    assert behind.told == ["settings"]


@pytest.mark.parametrize("failing", [503, 429, None])
async def test_an_outage_is_waited_for_and_is_no_sign_that_anything_is_missing(
    client: AsyncClient, room: str, proxy: Proxy, behind: Watched, failing: int | None
) -> None:
    async def fail(call: Call) -> web.Response | Fate:
        return web.Response(status=failing) if failing else Fate.LOST

    await client.create(CONFIGMAPS, settings("1"), room)
    proxy.rule = fail
    wanting = asyncio.ensure_future(behind.watches.want("me", frozenset({named(CONFIGMAPS, room, "settings")})))
    await until(lambda: len(proxy.calls) >= 3)
    assert not wanting.done()
    proxy.rule = _pass
    await wanting
    assert behind.value(room) == "1"


async def test_a_server_that_ends_every_watch_at_once_is_not_run_over(
    client: AsyncClient, room: str, proxy: Proxy, behind: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "SHORTEST_S", 0.5)

    async def end(call: Call) -> web.Response | Fate:
        return web.Response(text="") if call.is_watch else Fate.PASS

    proxy.rule = end
    await behind.watches.want("me", frozenset({named(CONFIGMAPS, room, "settings")}))
    await until(lambda: sum(call.is_watch for call in proxy.calls) >= 2)
    assert sum(call.is_watch for call in proxy.calls) <= 3


async def _pass(_: Call) -> Fate:
    return Fate.PASS
