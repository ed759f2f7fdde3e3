"""The way to the API server fails in every way that it can; the operator lives through it, and ends where it should."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from kaos.api.names import MCPSERVERS
from kaos.kube.resources import DEPLOYMENTS
from tests.live import LiveCluster
from tests.torture.bench import Bench, differences, gone, has_reason, is_ready
from tests.torture.faults import Call, Fate, Rule
from tests.torture.operators import Operator

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]
Object = dict[str, Any]
AGAIN_S = 30.0


def status(code: int, reason: str, message: str = "") -> Callable[[], web.Response]:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
    text = json.dumps(body | {"message": message or reason})
    return lambda: web.Response(status=code, text=text, content_type="application/json")


def always(fate: Fate | Callable[[], web.Response]) -> Rule:
    async def rule(_: Call) -> Fate | web.Response:
        return fate if isinstance(fate, Fate) else fate()

    return rule


class Town:
    """Three servers that run: one will change, one will go, one will be left alone; and a fourth will come."""

    def __init__(self, bench: Bench, namespace: str, operator: Operator) -> None:
        self.bench, self.namespace, self.operator = bench, namespace, operator

    async def settle(self) -> None:
        for name in ("changes", "goes", "stays"):
            await self.bench.server(self.namespace, name)
        for name in ("changes", "goes", "stays"):
            await self.bench.until(is_ready, self.namespace, name)
        await self.bench.quiet(1)
        self.before = await self._untouched()

    async def live_on(self) -> None:
        """What people do meanwhile."""
        await self.bench.client.patch(MCPSERVERS, "changes", {"spec": {"params": "x: 1"}}, self.namespace)
        await self.bench.client.delete(MCPSERVERS, "goes", self.namespace)
        await self.bench.server(self.namespace, "comes")

    async def arrive(self, timeout_s: float) -> None:
        """Everything is as it should be by then, and stays so."""
        began = time.monotonic()
        for name in ("comes", "changes", "stays"):
            await self.bench.until(is_ready, self.namespace, name, timeout_s=timeout_s)
        await self.bench.until(gone, self.namespace, "mcpserver-goes", DEPLOYMENTS)
        assert time.monotonic() - began < timeout_s
        await self.bench.quiet(3)
        found = await self.bench.client.get(DEPLOYMENTS, "mcpserver-changes", self.namespace)
        container = found["spec"]["template"]["spec"]["containers"][0]
        assert {"name": "MCP_PARAMS", "value": "x: 1"} in container["env"]
        assert differences(await self._untouched(), self.before) == []
        assert self.operator.alive

    async def _untouched(self) -> Object:
        versions = await self.bench.versions(self.namespace)
        return {place: version for place, version in versions.items() if "stays" in place and "MCPServer" not in place}


@pytest.fixture
async def town(bench: Bench, request: pytest.FixtureRequest) -> Town:
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name.lower())
    namespace = await bench.namespace(name[-50:].strip("-"))
    made = Town(bench, namespace, bench.operator())
    await made.settle()
    return made


OUTAGES = {
    "refused": always(Fate.LOST),
    "503": always(status(503, "ServiceUnavailable")),
    "500": always(status(500, "InternalError")),
    "429": always(status(429, "TooManyRequests")),
    "401": always(status(401, "Unauthorized")),
    "403": always(status(403, "Forbidden")),
    "no JSON": always(lambda: web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")),
}


@pytest.mark.parametrize("outage", OUTAGES)
async def test_an_outage_of_half_a_minute(bench: Bench, town: Town, outage: str) -> None:
    bench.proxy.rule = OUTAGES[outage]
    bench.proxy.cut_watches()
    await town.live_on()
    await asyncio.sleep(30)
    bench.proxy.rule = always(Fate.PASS)
    await town.arrive(AGAIN_S)


async def test_a_short_outage_that_costs_no_lead(bench: Bench, town: Town) -> None:
    bench.proxy.rule = always(Fate.LOST)
    bench.proxy.cut_watches()
    await town.live_on()
    await asyncio.sleep(4)
    bench.proxy.rule = always(Fate.PASS)
    await town.arrive(AGAIN_S)


@pytest.mark.parametrize("how", ["cut", "500", "504", "429", "410", "all of them again and again"])
async def test_watches_that_end(bench: Bench, town: Town, how: str) -> None:
    reasons = {"500": "InternalError", "504": "Timeout", "429": "TooManyRequests", "410": "Expired"}
    if how in reasons:
        assert bench.proxy.send_error(int(how), reasons[how]) >= 5
    else:
        assert bench.proxy.cut_watches() >= 5
    await town.live_on()
    if how == "all of them again and again":
        for code, reason in reasons.items():
            await asyncio.sleep(1)
            bench.proxy.send_error(int(code), reason)
            await asyncio.sleep(1)
            bench.proxy.cut_watches()
    await town.arrive(AGAIN_S)


async def test_watches_that_hang(bench: Bench, town: Town) -> None:
    bench.proxy.silence_watches()
    await town.live_on()
    await town.arrive(90)


async def test_events_that_are_hidden_and_events_that_come_twice(bench: Bench, town: Town) -> None:
    bench.proxy.hide, bench.proxy.repeat = 0.3, 0.3
    await town.live_on()
    await asyncio.sleep(5)
    bench.proxy.hide = bench.proxy.repeat = 0.0
    bench.proxy.send_error(410, "Expired")
    await town.arrive(AGAIN_S)


@pytest.mark.parametrize("fate", [Fate.LOST, Fate.UNANSWERED])
async def test_a_third_of_all_writes_is_lost(bench: Bench, town: Town, fate: Fate) -> None:
    chance = random.Random(1)

    async def rule(call: Call) -> Fate:
        return fate if call.is_write and chance.random() < 0.33 else Fate.PASS

    bench.proxy.rule = rule
    await town.live_on()
    await town.arrive(AGAIN_S)


async def test_every_write_takes_half_a_second(bench: Bench, town: Town) -> None:
    async def rule(call: Call) -> Fate:
        if call.is_write:
            await asyncio.sleep(0.5)
        return Fate.PASS

    bench.proxy.rule = rule
    await town.live_on()
    await town.arrive(AGAIN_S)


async def test_a_missing_right_is_told_and_its_return_noticed(bench: Bench, town: Town) -> None:
    forbidden = status(403, "Forbidden", 'services "x" is forbidden: User "kaos" cannot patch resource "services"')

    async def rule(call: Call) -> Fate | web.Response:
        return forbidden() if call.is_write and "/services/" in call.path else Fate.PASS

    bench.proxy.rule = rule
    await town.live_on()
    found = await bench.until(has_reason("Refused"), town.namespace, "comes")
    assert 'cannot patch resource "services"' in found["status"]["message"]
    await asyncio.sleep(5)  # until the pods have come up
    before = len(bench.proxy.writes())
    await asyncio.sleep(20)
    assert len(bench.proxy.writes()) - before <= 6, "tried again, and not in a hurry"
    bench.proxy.rule = always(Fate.PASS)
    await town.arrive(AGAIN_S)


async def test_a_webhook_that_is_down_is_told(bench: Bench, town: Town) -> None:
    down = status(500, "InternalError", 'Internal error occurred: failed calling webhook "policy.example.org": refused')

    async def rule(call: Call) -> Fate | web.Response:
        return down() if call.is_write and "/deployments/" in call.path else Fate.PASS

    bench.proxy.rule = rule
    await town.live_on()
    found = await bench.until(has_reason("Refused"), town.namespace, "comes")
    assert "policy.example.org" in found["status"]["message"]
    bench.proxy.rule = always(Fate.PASS)
    await town.arrive(AGAIN_S)


async def test_an_api_server_that_is_killed_and_started_again(bench: Bench, town: Town, cluster: LiveCluster) -> None:
    for _ in range(3):
        await asyncio.to_thread(cluster.kill)
        await asyncio.sleep(1)
        await asyncio.to_thread(cluster.start)
        await asyncio.sleep(2)
    await town.live_on()
    for name in ("comes", "changes", "stays"):
        await bench.until(is_ready, town.namespace, name)
    await bench.until(gone, town.namespace, "mcpserver-goes", DEPLOYMENTS)
    assert town.operator.alive
