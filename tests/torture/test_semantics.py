"""What the operator promises while the way to the API server is a good one."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import Counter

import pytest

from kaos.api.names import MCPSERVERS
from kaos.cluster import ApiError
from kaos.kube.resources import CONFIGMAPS, DEPLOYMENTS, LEASES, NETWORKPOLICIES, PODS, SERVICES
from kaos.operator.lease import lease_name
from kaos.operator.run import DEEPEST_JSON
from tests.torture.bench import Bench, differences, gone, has_reason, is_ready

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]
CHILD = "mcpserver-calc"


async def test_creating_takes_few_writes_and_none_twice(bench: Bench) -> None:
    namespace = await bench.namespace("few-writes")
    bench.operator()
    await bench.server(namespace)
    await bench.until(is_ready, namespace)
    await bench.quiet(2)
    paths = Counter(call.path.rpartition(f"{namespace}/")[2] for call in bench.proxy.writes() if namespace in call.path)
    for child in ("deployments", "services", "networkpolicies"):
        assert paths.pop(f"{child}/{CHILD}") == 1
    assert paths.pop("mcpservers/calc/status") <= 6
    assert paths.pop("events") == 1
    assert not paths


@pytest.mark.parametrize("behaviour", ["good", "hang", "crash"])
async def test_a_restart_writes_nothing(bench: Bench, behaviour: str) -> None:
    namespace = await bench.namespace(f"restart-{behaviour}")
    first = bench.operator("first")
    await bench.server(namespace, behaviour=behaviour, suspend=behaviour == "crash")
    reason = {"good": "Ready", "hang": "HandshakeFailed", "crash": "Suspended"}[behaviour]
    await bench.until(has_reason(reason), namespace)
    await bench.quiet(2)
    before = await bench.versions(namespace)
    await first.stop()
    second = bench.operator("second")
    await asyncio.sleep(15 if behaviour == "hang" else 5)
    assert second.leads
    assert [str(call) for call in bench.proxy.writes("second")] == []
    assert await bench.versions(namespace) == before


async def test_a_steady_state_writes_nothing_but_renewals_of_the_lease(bench: Bench) -> None:
    namespace = await bench.namespace("steady")
    bench.operator()
    await bench.server(namespace)
    await bench.server(namespace, "idle", suspend=True)
    await bench.server(namespace, "lost", container={"image": "x", "envFrom": [{"configMapRef": {"name": "nothere"}}]})
    await bench.until(is_ready, namespace)
    await bench.until(has_reason("Suspended"), namespace, "idle")
    await bench.until(has_reason("ConfigMapNotFound"), namespace, "lost")
    await bench.quiet(3)
    before, versions = len(bench.proxy.calls), await bench.versions(namespace)
    await asyncio.sleep(65)
    calls = bench.proxy.calls[before:]
    assert [str(call) for call in calls if call.is_write] == []
    assert await bench.versions(namespace) == versions
    quiet = [call for call in calls if not call.is_proxied and "/leases" not in call.path]
    assert len(quiet) <= 65, Counter(map(str, quiet))


async def test_the_second_operator_stands_by_and_takes_over_from_a_killed_one(bench: Bench) -> None:
    namespace = await bench.namespace("takeover")
    first = bench.operator("first")
    await bench.server(namespace)
    await bench.until(is_ready, namespace)
    second = bench.operator("second")
    await bench.quiet(2)
    assert bench.proxy.writes("second") == []
    assert not second.leads
    first.kill()
    killed = time.monotonic()
    await bench.client.patch(MCPSERVERS, "calc", {"spec": {"replicas": 2}}, namespace)
    await bench.until(is_ready, namespace, timeout_s=40)
    assert time.monotonic() - killed < 30
    assert second.leads


async def test_the_lead_is_given_back_so_that_the_next_takes_it_at_once(bench: Bench) -> None:
    await bench.namespace("lead-back")
    first = bench.operator("first")
    await _leads(first)
    second = bench.operator("second")
    await asyncio.sleep(2)
    await first.stop()
    began = time.monotonic()
    await _leads(second)
    assert time.monotonic() - began < 5


async def test_a_deleted_lease_is_made_again_and_nobody_minds(bench: Bench) -> None:
    namespace = await bench.namespace("no-lease")
    operator = bench.operator()
    await _leads(operator)
    await bench.client.delete(LEASES, lease_name(operator.namespaces), "kaos-system")
    await bench.server(namespace)
    await bench.until(is_ready, namespace)
    await bench.until(lambda lease: lease is not None, "kaos-system", lease_name(operator.namespaces), LEASES)
    assert operator.leads


async def _leads(operator) -> None:
    async with asyncio.timeout(30):
        while not operator.leads:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


DAMAGES = {
    "scaled": (DEPLOYMENTS, {"spec": {"replicas": 3}}),
    "edited": (DEPLOYMENTS, {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 17}}}}),
    "hash taken away": (DEPLOYMENTS, {"metadata": {"annotations": {"kaos.tools/applied-hash": None}}}),
    "its label taken away": (DEPLOYMENTS, {"metadata": {"labels": {"app.kubernetes.io/part-of": None}}}),
    "its names taken away": (DEPLOYMENTS, {"metadata": {"labels": {"mcpserver": None, "kaos.tools/kind": None}}}),
    "its owner taken away": (DEPLOYMENTS, {"metadata": {"ownerReferences": None}}),
    "all of that": (
        SERVICES,
        {"metadata": {"ownerReferences": None, "labels": {"mcpserver": "x"}}, "spec": {"sessionAffinity": "None"}},
    ),
    "selector of the service": (SERVICES, {"spec": {"selector": {"mcpserver": "else"}}}),
    "policy opened": (NETWORKPOLICIES, {"spec": {"ingress": [{}]}}),
}


@pytest.mark.parametrize("while_away", [False, True], ids=["while it runs", "while it is away"])
async def test_drift_is_repaired(bench: Bench, while_away: bool) -> None:
    namespace = await bench.namespace(f"drift-{'away' if while_away else 'there'}")
    operator = bench.operator("first")
    await bench.server(namespace)
    await bench.until(is_ready, namespace)
    await bench.quiet(1)
    wanted = await bench.dump(namespace)
    if while_away:
        await operator.stop()
    for resource, patch in DAMAGES.values():
        await bench.client.patch(resource, CHILD, patch, namespace)
        if not while_away:
            await _same(bench, namespace, wanted, 10)
    for resource in (DEPLOYMENTS, SERVICES, NETWORKPOLICIES):
        await bench.client.delete(resource, CHILD, namespace)
        if not while_away:
            await _same(bench, namespace, wanted, 20)
    if while_away:
        bench.operator("second")
    await _same(bench, namespace, wanted, 30)
    await bench.quiet(3)


async def _same(bench: Bench, namespace: str, wanted: dict, timeout_s: float) -> None:
    """The namespace looks as wanted again, and goes on to."""
    found: dict = {}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            alike = 0
            while alike < 10:
                found = await bench.dump(namespace)
                alike = alike + 1 if found == wanted else 0
                await asyncio.sleep(0.1)
    assert differences(found, wanted) == []


async def test_what_others_add_lives_on(bench: Bench) -> None:
    namespace = await bench.namespace("foreign-fields")
    bench.operator()
    await bench.server(namespace)
    await bench.until(is_ready, namespace)
    restarted = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-11-24T00:00:00Z"}}}
    await bench.client.patch(DEPLOYMENTS, CHILD, {"spec": {"template": restarted}}, namespace)
    await bench.client.patch(DEPLOYMENTS, CHILD, {"metadata": {"labels": {"team": "blue"}}}, namespace)
    await bench.client.patch(MCPSERVERS, "calc", {"spec": {"replicas": 2}}, namespace)
    await bench.until(is_ready, namespace)
    found = await bench.client.get(DEPLOYMENTS, CHILD, namespace)
    assert found["metadata"]["labels"]["team"] == "blue"
    assert found["spec"]["template"]["metadata"]["annotations"].items() >= restarted["metadata"]["annotations"].items()
    assert found["spec"]["replicas"] == 2


async def test_a_foreign_object_is_left_alone_and_its_going_is_noticed(bench: Bench) -> None:
    namespace = await bench.namespace("conflict")
    service = {"metadata": {"name": CHILD}, "spec": {"ports": [{"port": 1}]}}
    made = await bench.client.create(SERVICES, service, namespace)
    bench.operator()
    await bench.server(namespace)
    await bench.until(has_reason("Conflict"), namespace)
    assert await bench.client.find(DEPLOYMENTS, CHILD, namespace) is None
    found = await bench.client.get(SERVICES, CHILD, namespace)
    assert (found["spec"], found["metadata"].get("labels")) == (made["spec"], made["metadata"].get("labels"))
    assert "kaos-operator" not in {one["manager"] for one in found["metadata"]["managedFields"]}
    await bench.client.delete(SERVICES, CHILD, namespace)
    await bench.until(is_ready, namespace)


async def test_deleting_works_while_the_operator_is_away_and_nothing_is_left(bench: Bench) -> None:
    namespace = await bench.namespace("away")
    operator = bench.operator("first")
    await bench.server(namespace)
    await bench.until(is_ready, namespace)
    operator.kill()
    await bench.client.delete(MCPSERVERS, "calc", namespace)
    await bench.until(gone, namespace, timeout_s=5)
    for resource in (DEPLOYMENTS, SERVICES, NETWORKPOLICIES):
        await bench.until(gone, namespace, CHILD, resource)
    await _empty(bench, namespace)


async def _empty(bench: Bench, namespace: str) -> None:
    async with asyncio.timeout(30):
        while (await bench.client.list(PODS, namespace)).items:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert await bench.dump(namespace) == {}


async def test_a_server_that_is_deleted_and_made_again_at_once_becomes_ready_and_never_fails(bench: Bench) -> None:
    namespace = await bench.namespace("again")
    bench.operator()
    seen: set[str] = set()
    for _ in range(5):
        made = await bench.server(namespace)

        def noted(obj: dict | None, uid: str = made["metadata"]["uid"]) -> bool:
            if obj is None or obj["metadata"]["uid"] != uid:
                return False
            seen.add((obj.get("status") or {}).get("phase", ""))
            return is_ready(obj)

        await bench.until(noted, namespace)
        await bench.client.delete(MCPSERVERS, "calc", namespace)
    assert seen <= {"", "Pending", "Ready"}


async def test_a_dependency_that_appears_is_noticed(bench: Bench) -> None:
    namespace = await bench.namespace("appears")
    bench.operator()
    source = [{"configMapRef": {"name": "settings"}}]
    await bench.server(namespace, container=bench.container() | {"envFrom": source})
    await bench.until(has_reason("ConfigMapNotFound"), namespace, timeout_s=10)
    await bench.client.create(CONFIGMAPS, {"metadata": {"name": "settings"}, "data": {"A": "1"}}, namespace)
    await bench.until(is_ready, namespace)


async def test_an_endlessly_nested_resource_harms_nobody(bench: Bench) -> None:
    sys.setrecursionlimit(DEEPEST_JSON)  # the test reads it too
    namespace = await bench.namespace("deep")
    bench.operator()
    meta = '"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": "deep"}'
    answers = []
    for depth in (9000, 90):  # the local API server takes less than Kubernetes does
        nested = '{"a":' * depth + "1" + "}" * depth
        body = f'{{{meta}, "spec": {{"runtime": "custom", "container": {{"image": "x"}}, "podSpec": {nested}}}}}'
        async with bench.client.request(
            "POST", MCPSERVERS.path(namespace), body.encode(), {"Content-Type": "application/json"}
        ) as response:
            answers.append(response.status)
        if response.status == 201:
            break
    assert answers[-1] == 201
    assert set(answers[:-1]) <= {400}
    await bench.server(namespace)
    await bench.until(is_ready, namespace)
    await bench.until(has_reason("InvalidPodSpec"), namespace, "deep")


async def test_a_typo_in_pod_spec_is_told(bench: Bench) -> None:
    namespace = await bench.namespace("typo")
    bench.operator()
    await bench.server(namespace, podSpec={"nodeSelecter": {"a": "b"}})
    found = await bench.until(has_reason("InvalidPodSpec"), namespace)
    assert "nodeSelecter" in found["status"]["message"]
    before = len(bench.proxy.writes())
    await asyncio.sleep(11)
    assert len(bench.proxy.writes()) - before <= 6, "tried again, and not in a hurry"
    with pytest.raises(ApiError):
        await bench.client.get(DEPLOYMENTS, CHILD, namespace)
