"""The Lease: one leads, others stand by; on a live local API server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from kaos.cluster import resolve
from kaos.cluster.aio import AsyncClient
from kaos.kube.resources import LEASES
from kaos.operator import lease as leases
from kaos.operator.lease import Lease, lease_name
from tests.live import LiveCluster
from tests.torture.faults import Call, Fate, Proxy
from tests.unit.operator.conditions import until

Object = dict[str, Any]
NAME = "kaos-operator"
DURATION_S = 2  # an operator that a busy machine holds up for longer rightly loses its lead


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "DURATION_S", DURATION_S)
    monkeypatch.setattr(leases, "RENEW_S", 0.1)
    monkeypatch.setattr(leases, "RETRY_S", 0.05)


class Contender:
    """One who wants to lead."""

    def __init__(self, client: AsyncClient, room: str, identity: str) -> None:
        self.waited_for: list[str] = []
        self.lease = Lease(client, room, NAME, identity, self.waited_for.append)
        self._task = asyncio.create_task(self.lease.keep())

    @property
    def leads(self) -> bool:
        return self.lease.leading.is_set()

    async def give_up(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def die(self) -> None:
        """As by kill -9: nothing is given back."""
        self.lease._give_back = lambda: asyncio.sleep(0)
        await self.give_up()


@pytest.fixture
async def contend(client: AsyncClient, room: str) -> AsyncIterator[Any]:
    made: list[Contender] = []

    def start(identity: str, by: AsyncClient = client) -> Contender:
        made.append(Contender(by, room, identity))
        return made[-1]

    yield start
    for contender in made:
        await contender.give_up()


async def held(client: AsyncClient, room: str) -> Object:
    return (await client.get(LEASES, NAME, room))["spec"]


async def test_of_two_one_leads_and_the_other_knows_who(contend: Any) -> None:
    both = [contend("a"), contend("b")]
    await until(lambda: any(one.leads for one in both))
    await asyncio.sleep(2 * DURATION_S)
    leader, other = sorted(both, key=lambda one: not one.leads)
    assert leader.leads
    assert not other.leads
    assert other.waited_for == [{both[0]: "a", both[1]: "b"}[leader]], "told once"


async def test_the_lead_lapses_with_a_leader_that_died(contend: Any, client: AsyncClient, room: str) -> None:
    first = contend("a")
    await until(lambda: first.leads)
    second = contend("b")
    await until(lambda: second.waited_for)
    await first.die()
    died = time.monotonic()
    await until(lambda: second.leads)
    assert time.monotonic() - died > DURATION_S - 0.3
    spec = await held(client, room)
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("b", 1)


async def test_the_lead_that_is_given_back_is_taken_at_once(contend: Any, client: AsyncClient, room: str) -> None:
    first = contend("a")
    await until(lambda: first.leads)
    second = contend("b")
    await until(lambda: second.waited_for)
    await first.give_up()
    assert not first.leads
    await until(lambda: second.leads, timeout_s=DURATION_S * 0.8)


async def test_one_that_is_the_same_as_before_takes_its_own_lead_at_once(contend: Any) -> None:
    first = contend("kaos-local")
    await until(lambda: first.leads)
    await first.die()
    second = contend("kaos-local")
    await until(lambda: second.leads, timeout_s=DURATION_S * 0.8)


async def test_a_lead_that_was_taken_away_is_lost_and_told(contend: Any, client: AsyncClient, room: str) -> None:
    first = contend("a")
    await until(lambda: first.leads)
    taken = {"spec": {"holderIdentity": "thief", "renewTime": "2099-01-01T00:00:00.000000Z"}}
    await client.patch(LEASES, NAME, taken, room)
    await asyncio.wait_for(first.lease.lost.wait(), 30)
    assert not first.leads
    assert first.waited_for == ["thief"]
    await until(lambda: first.leads)
    assert not first.lease.lost.is_set()


async def test_clocks_of_others_are_not_trusted(contend: Any, client: AsyncClient, room: str) -> None:
    for renewed in ("1999-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z"):
        spec = {"holderIdentity": "b", "leaseDurationSeconds": DURATION_S, "renewTime": renewed}
        await client.create(LEASES, {"metadata": {"name": NAME}, "spec": spec}, room)
        began = time.monotonic()
        one = contend("a")
        await until(lambda one=one: one.leads)
        assert time.monotonic() - began >= DURATION_S
        await one.give_up()
        await client.delete(LEASES, NAME, room)


async def test_a_deleted_lease_is_made_again(contend: Any, client: AsyncClient, room: str) -> None:
    first = contend("a")
    await until(lambda: first.leads)
    await client.delete(LEASES, NAME, room)
    async with asyncio.timeout(30):
        while await client.find(LEASES, NAME, room) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert first.leads


@pytest.mark.parametrize("damage", [{"spec": None}, {"spec": {"holderIdentity": None}}, {"spec": {"renewTime": None}}])
async def test_a_damaged_lease_is_mended(contend: Any, client: AsyncClient, room: str, damage: Object) -> None:
    first = contend("a")
    await until(lambda: first.leads)
    await client.patch(LEASES, NAME, damage, room)

    async def spec() -> Object:
        return (await client.get(LEASES, NAME, room)).get("spec") or {}

    async with asyncio.timeout(30):
        while not ((found := await spec()).get("renewTime") and found.get("holderIdentity") == "a"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert first.leads


async def test_a_leader_that_cannot_renew_leads_on_until_its_time_is_over(
    live: LiveCluster, contend: Any, tmp_path: Any
) -> None:
    async with Proxy(live.kubeconfig) as proxy:
        async with AsyncClient(resolve(kubeconfig=str(proxy.kubeconfig_for("a", tmp_path)))) as behind:
            first = contend("a", behind)
            await until(lambda: first.leads)

            async def fail(_: Call) -> web.Response | Fate:
                return web.Response(status=503)

            proxy.rule = fail
            failed = time.monotonic()
            await asyncio.wait_for(first.lease.lost.wait(), 30)
            assert time.monotonic() - failed > DURATION_S / 2
            await first.give_up()


def test_operators_of_other_namespaces_have_another_lease() -> None:
    assert lease_name(()) == NAME
    assert lease_name(("a", "b")) == lease_name(("b", "a")) != lease_name(("a",))
    assert len(lease_name(tuple("abcdefghij"))) < 63
