"""The operator is killed before and after each of its writes; the next one must end where an unharmed one would.

One create, one update, one delete and one dependency that appears, each cut at every write that it takes.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from kaos.api.names import MCPSERVERS
from kaos.kube.resources import CONFIGMAPS
from tests.torture.bench import Bench, differences, gone, has_reason, is_ready
from tests.torture.faults import Call, Fate
from tests.torture.operators import Operator

pytestmark = pytest.mark.timeout(600)
Object = dict[str, Any]
AT_ONCE = 4
SETTLED_S = 1.5


@dataclass(frozen=True)
class Scenario:
    """What a person does, from one settled state to the next."""

    name: str
    prepare: Callable[[Bench, str], Awaitable[None]]
    act: Callable[[Bench, str], Awaitable[None]]
    done: Callable[[Object | None], bool]


async def nothing(bench: Bench, namespace: str) -> None:
    pass


async def create(bench: Bench, namespace: str) -> None:
    await bench.server(namespace, replicas=1)


async def created(bench: Bench, namespace: str) -> None:
    await create(bench, namespace)
    await bench.until(is_ready, namespace)


async def update(bench: Bench, namespace: str) -> None:
    await bench.client.patch(MCPSERVERS, "calc", {"spec": {"params": "x: 1", "port": 8123}}, namespace)


async def suspend(bench: Bench, namespace: str) -> None:
    await bench.client.patch(MCPSERVERS, "calc", {"spec": {"suspend": True}}, namespace)


async def delete(bench: Bench, namespace: str) -> None:
    await bench.client.delete(MCPSERVERS, "calc", namespace)


async def needy(bench: Bench, namespace: str) -> None:
    source = [{"configMapRef": {"name": "settings"}}]
    await bench.server(namespace, container=bench.container() | {"envFrom": source})
    await bench.until(has_reason("ConfigMapNotFound"), namespace)


async def appear(bench: Bench, namespace: str) -> None:
    await bench.client.create(CONFIGMAPS, {"metadata": {"name": "settings"}, "data": {"A": "1"}}, namespace)


def suspended(obj: Object | None) -> bool:
    return has_reason("Suspended")(obj) and obj["status"]["replicas"] == 0


SCENARIOS = [
    Scenario("create", nothing, create, is_ready),
    Scenario("update", created, update, is_ready),
    Scenario("suspend", created, suspend, suspended),
    Scenario("appears", needy, appear, is_ready),
    Scenario("delete", created, delete, gone),
]


@dataclass
class Cut:
    """Kills the operator of one namespace at its n-th write, once."""

    namespace: str
    number: int
    fate: Fate
    operator: Operator | None = None
    seen: int = 0
    happened: bool = False

    async def __call__(self, call: Call) -> Fate:
        self.seen += 1
        if self.happened or self.seen != self.number:
            return Fate.PASS
        self.happened = True
        if self.fate is Fate.LOST:
            self.operator.kill()
        else:  # the write is on its way: it will be done, and its author never know
            asyncio.get_running_loop().call_later(0.05, self.operator.kill)
        return self.fate


@pytest.fixture
def cuts(bench: Bench) -> dict[str, Cut]:
    """Which operator is to be killed when, by its name."""
    wanted: dict[str, Cut] = {}

    async def rule(call: Call) -> Fate:
        cut = wanted.get(call.operator)
        return await cut(call) if cut is not None and call.is_write else Fate.PASS

    bench.proxy.rule = rule
    return wanted


async def run(
    bench: Bench, scenario: Scenario, namespace: str, cuts: dict[str, Cut], cut: Cut | None
) -> tuple[Object, int]:
    """Play the scenario in a namespace of its own; what is left when nothing changes any more, and its writes."""
    await bench.namespace(namespace)
    first = bench.operator(f"{namespace}-1", (namespace,))
    await scenario.prepare(bench, namespace)
    await bench.quiet(0.5, of=namespace)
    before = writes(bench, namespace)
    if cut is not None:
        cut.operator = first
        cuts[f"{namespace}-1"] = cut
    await scenario.act(bench, namespace)
    if cut is not None:
        async with asyncio.timeout(60):
            while not cut.happened and not await _is_over(bench, scenario, namespace):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        if first.alive:
            await asyncio.sleep(0.1)
            first.kill()
        await bench.forget_lead(namespace)
        bench.operator(f"{namespace}-2", (namespace,))
    await bench.until(scenario.done, namespace)
    await bench.quiet(SETTLED_S, of=namespace)
    found = await bench.dump(namespace)
    await bench.done_with(namespace)
    return found, writes(bench, namespace) - before


def writes(bench: Bench, namespace: str) -> int:
    return sum(len(bench.proxy.writes(f"{namespace}-{life}")) for life in (1, 2))


async def _is_over(bench: Bench, scenario: Scenario, namespace: str) -> bool:
    return scenario.done(await bench.client.find(MCPSERVERS, "calc", namespace))


async def sweep(bench: Bench, scenario: Scenario, cuts: dict[str, Cut], every: int = 1) -> None:
    """Cut at each `every`-th write, before and after."""
    prefix = scenario.name if every == 1 else f"{scenario.name}-some"
    wanted, budget = await run(bench, scenario, f"{prefix}-calm", cuts, None)
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, fate: Fate) -> list[str]:
        namespace = f"{prefix}-{fate.name.lower()}-{number}"
        async with room:
            found, spent = await run(bench, scenario, namespace, cuts, Cut(namespace, number, fate))
        wrong = [f"{namespace}: {one}" for one in differences(found, wanted)]
        if spent > 2 * max(budget, 4):
            wrong.append(f"{namespace}: {spent} writes where {budget} are enough")
        return wrong

    points = itertools.product(range(1, max(budget, 2) + 1, every), (Fate.LOST, Fate.UNANSWERED))
    results = await asyncio.gather(*(one(number, fate) for number, fate in points))
    assert [wrong for result in results for wrong in result] == []


@pytest.mark.full
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_every_crash_ends_where_no_crash_would(bench: Bench, scenario: Scenario, cuts: dict[str, Cut]) -> None:
    await sweep(bench, scenario, cuts)


async def test_some_crashes_of_a_creation(bench: Bench, cuts: dict[str, Cut]) -> None:
    await sweep(bench, SCENARIOS[0], cuts, every=5)
