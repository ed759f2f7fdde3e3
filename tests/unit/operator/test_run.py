"""Starting and ending the operator: what is missing is named, and `stop` ends it whatever it is doing."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import kaos
from kaos.api.names import MCPSERVERS
from kaos.cluster import ApiError, Client, resolve
from kaos.cluster.connection import Connection
from kaos.errors import NoConnection, NotFound
from kaos.kube.resources import LEASES
from kaos.operator.lease import lease_name
from kaos.operator.run import run
from tests.live import LiveCluster
from tests.torture.faults import Call, Fate, Proxy
from tests.unit.operator.conditions import until


class Running:
    """`run` on a thread, as the local daemon has it."""

    def __init__(self, connection: Connection, namespaces: tuple[str, ...] = ()) -> None:
        self.stop, self.ready = threading.Event(), threading.Event()
        self.error: Exception | None = None
        self._arguments: dict[str, Any] = {"namespaces": namespaces}
        self._thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
        self._thread.start()

    def _run(self, connection: Connection) -> None:
        try:
            run(connection, stop=self.stop, ready=self.ready, **self._arguments)
        except Exception as error:
            self.error = error

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()


@pytest.fixture
async def proxy(live: LiveCluster) -> AsyncIterator[Proxy]:
    async with Proxy(live.kubeconfig) as made:
        yield made


@pytest.fixture
async def start(proxy: Proxy, tmp_path: Path) -> AsyncIterator[Callable[..., Running]]:
    made: list[Running] = []

    def begin(*namespaces: str) -> Running:
        made.append(Running(resolve(kubeconfig=str(proxy.kubeconfig_for("me", tmp_path))), namespaces))
        return made[-1]

    yield begin
    for one in made:
        one.stop.set()
    for one in made:
        await until(lambda one=one: one.ended)


def answers(path: str, code: int) -> Callable[[Call], Any]:
    async def rule(call: Call) -> web.Response | Fate:
        if not call.path.endswith(path):
            return Fate.PASS
        return web.json_response({"kind": "Status", "apiVersion": "v1", "code": code, "message": "no"}, status=code)

    return rule


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/mcpservers", "knows no MCPServers"),
        ("/namespaces/kaos-system", "has no namespace kaos-system"),
        ("/configmaps/kaos-mcp-runtimes", "ConfigMap kaos-system/kaos-mcp-runtimes, is missing"),
    ],
)
async def test_what_is_missing_is_named_with_its_cure(
    start: Callable[..., Running], proxy: Proxy, path: str, words: str
) -> None:
    proxy.rule = answers(path, 404)
    operator = start()
    await until(lambda: operator.ended)
    assert isinstance(operator.error, NotFound)
    assert words in operator.error.cause
    assert "kaos system install --no-operator" in operator.error.cure


async def test_nobody_answers() -> None:
    operator = Running(Connection("nowhere", "default", "http://127.0.0.1:1", "a test"))
    await until(lambda: operator.ended)
    assert isinstance(operator.error, NoConnection)
    assert "http://127.0.0.1:1" in operator.error.cause


async def test_a_missing_right_is_told(start: Callable[..., Running], proxy: Proxy) -> None:
    proxy.rule = answers("/mcpservers", 403)
    operator = start()
    await until(lambda: operator.ended)
    assert isinstance(operator.error, ApiError)
    assert operator.error.exit_code == 4


async def test_an_operator_of_some_namespaces_needs_no_rights_on_the_cluster(
    start: Callable[..., Running], proxy: Proxy, room: str
) -> None:
    async def rule(call: Call) -> web.Response | Fate:
        if f"/namespaces/{room}/" in call.path or "/namespaces/kaos-system/" in call.path:
            return Fate.PASS
        return await answers("", 403)(call)

    proxy.rule = rule
    operator = start(room)
    await until(operator.ready.is_set)


async def test_a_user_without_a_name_sees_what_is_declared(
    start: Callable[..., Running], live: LiveCluster, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the one of the operator's pod."""

    def nameless() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr("getpass.getuser", nameless)
    operator = start(room)
    await until(operator.ready.is_set)
    client = Client(resolve(kubeconfig=str(live.kubeconfig)))
    seen = {"apiVersion": MCPSERVERS.api_version, "kind": "MCPServer", "metadata": {"name": "seen"}}
    client.create(MCPSERVERS, seen | {"spec": {"runtime": "rawpython"}}, room)
    await until(lambda: client.get(MCPSERVERS, "seen", room).get("status"))


async def test_the_lease_tells_version_place_and_namespaces(
    start: Callable[..., Running], live: LiveCluster, room: str
) -> None:
    operator = start(room)
    await until(operator.ready.is_set)
    client = Client(resolve(kubeconfig=str(live.kubeconfig)))
    told = client.get(LEASES, lease_name((room,)), "kaos-system")["metadata"]["annotations"]
    assert told == {
        "kaos.tools/version": kaos.__version__, "kaos.tools/namespaces": room, "kaos.tools/runs-in": "process"
    }  # fmt: skip


async def test_stop_ends_it_while_it_leads_and_gives_the_lead_back(
    start: Callable[..., Running], live: LiveCluster
) -> None:
    operator = start()
    await until(operator.ready.is_set)
    operator.stop.set()
    began = time.monotonic()
    await until(lambda: operator.ended)
    assert time.monotonic() - began < 15
    assert operator.error is None
    assert not operator.ready.is_set()
    lease = Client(resolve(kubeconfig=str(live.kubeconfig))).get(LEASES, "kaos-operator", "kaos-system")
    assert not lease["spec"].get("holderIdentity")


@pytest.mark.parametrize("stuck", ["/deployments", "/configmaps", "/leases/kaos-operator"])
async def test_stop_ends_it_while_it_starts_and_gets_no_answer(
    start: Callable[..., Running], proxy: Proxy, stuck: str
) -> None:
    asked = threading.Event()

    async def rule(call: Call) -> web.Response | Fate:
        if call.path.endswith(stuck):
            asked.set()
            return web.Response(status=503)
        return Fate.PASS

    proxy.rule = rule
    operator = start()
    await until(asked.is_set)
    operator.stop.set()
    await until(lambda: operator.ended, timeout_s=20)
    assert operator.error is None


async def test_stop_ends_it_while_it_stands_by(start: Callable[..., Running], proxy: Proxy) -> None:
    first = start()
    await until(first.ready.is_set)
    leases = len([call for call in proxy.calls if "/leases/" in call.path])
    second = start()
    await until(lambda: len([call for call in proxy.calls if "/leases/" in call.path]) > leases + 2)
    second.stop.set()
    await until(lambda: second.ended, timeout_s=20)
    assert first.ready.is_set()
    assert not second.ready.is_set()


async def test_it_waits_for_a_cluster_that_cannot_be_read_yet(start: Callable[..., Running], proxy: Proxy) -> None:
    proxy.rule = answers("/deployments", 500)
    operator = start()
    await until(lambda: any(call.path.endswith("/deployments") for call in proxy.calls))
    assert not operator.ready.is_set()
    proxy.rule = answers("/nothing", 500)
    await until(operator.ready.is_set)
