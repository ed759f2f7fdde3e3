"""What the kubelet hears from an operator: on a live API server, from a leader and from one that stands by."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from kaos.cluster import resolve
from kaos.operator.decide.world import Settings
from kaos.operator.run import run
from tests.conftest import free_port
from tests.live import LiveCluster
from tests.unit.operator.conditions import until


class Operator:
    """One with a port for probes, on a thread."""

    def __init__(self, live: LiveCluster) -> None:
        self.port, self.stop, self.ready = free_port(), threading.Event(), threading.Event()
        self.waits_for: list[str] = []
        self._thread = threading.Thread(target=self._run, args=(resolve(kubeconfig=str(live.kubeconfig)),), daemon=True)
        self._thread.start()

    def _run(self, connection) -> None:
        run(
            connection, stop=self.stop, ready=self.ready, settings=Settings(), namespaces=("default",),
            on_waiting=self.waits_for.append, probe_port=self.port,
        )  # fmt: skip

    def says(self, path: str) -> int | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            return refused.code
        except OSError:
            return None

    def end(self) -> None:
        self.stop.set()
        self._thread.join(20)


@pytest.fixture
def leader(live: LiveCluster) -> Iterator[Operator]:
    made = Operator(live)
    yield made
    made.end()


@pytest.fixture
def second(live: LiveCluster, leader: Operator) -> Iterator[Operator]:
    assert leader.ready.wait(30)
    made = Operator(live)
    yield made
    made.end()


async def test_a_leader_is_ready_once_it_watches(leader):
    await until(lambda: leader.says("/readyz") == 200)
    assert leader.ready.is_set()
    assert leader.says("/livez") == 200


async def test_a_leader_whose_watches_fail_is_not_ready_and_in_the_end_not_alive(live, monkeypatch):
    async def fail(*_, **__):
        raise OSError("no watches today")

    monkeypatch.setattr("kaos.operator.watch.Watcher._run", fail)
    monkeypatch.setattr("kaos.operator.run.HOPELESS_S", 4)
    leader = Operator(live)
    try:
        await until(leader.ready.is_set)
        assert leader.says("/readyz") == 503
        assert leader.says("/livez") == 200
        await until(lambda: leader.says("/livez") == 503)
    finally:
        leader.end()


async def test_one_that_stands_by_is_ready_to_take_over(second):
    await until(lambda: second.waits_for)
    await until(lambda: second.says("/readyz") == 200)
    assert not second.ready.is_set()


async def test_other_paths_and_other_protocols_get_no_good_word(leader):
    import socket

    await until(lambda: leader.says("/livez") == 200)
    assert leader.says("/") == 503
    with socket.create_connection(("127.0.0.1", leader.port), timeout=5) as line:
        line.sendall(b"\x00" * 100_000)
        line.shutdown(socket.SHUT_WR)
        assert b"200" not in line.recv(100)
    assert leader.says("/livez") == 200
