"""An operator written with kopf works on the local cluster: events, creation, deletion behind a finalizer."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from functools import partial

import httpx
import kopf
import pytest
import yaml

WIDGETS = "/apis/parity.example.com/v1/namespaces/kopf/widgets"


class Operator:
    """A kopf operator in a thread; what its handlers see comes out of `seen`."""

    def __init__(self, kubeconfig: str) -> None:
        self.seen: queue.Queue[tuple[str, str]] = queue.Queue()
        self._registry = kopf.OperatorRegistry()
        self._kubeconfig = kubeconfig
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._handlers()

    def _handlers(self) -> None:
        registry, seen = self._registry, self.seen
        on = {"registry": registry}

        @kopf.on.login(**on)
        def login(**_):
            with open(self._kubeconfig) as file:
                config = yaml.safe_load(file)
            cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
            authority = cluster["certificate-authority-data"].encode()
            return kopf.ConnectionInfo(
                server=cluster["server"], ca_data=authority, scheme="Bearer", token=user["token"]
            )

        @kopf.on.event("widgets", **on)
        def event(type, name, **_):
            seen.put((str(type), name))

        @kopf.on.create("widgets", **on)
        def create(spec, patch, **_):
            patch.status["phase"] = "Busy"
            return None

        @kopf.on.delete("widgets", **on)
        def delete(name, **_):
            seen.put(("cleaned", name))

    def _run(self) -> None:
        asyncio.run(
            kopf.operator(
                registry=self._registry,
                namespaces=["kopf"],
                stop_flag=self._stop,
                ready_flag=self._ready,
                standalone=True,
            )
        )

    def __enter__(self) -> Operator:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join(20)

    def wait_for(self, wanted: tuple[str, str]) -> None:
        while self.seen.get(timeout=20) != wanted:
            pass


@pytest.fixture
def operator(live, http: httpx.Client) -> Iterator[Operator]:
    http.post("/api/v1/namespaces", json={"metadata": {"name": "kopf"}}).raise_for_status()
    with Operator(str(live.kubeconfig)) as running:
        yield running
    http.delete("/api/v1/namespaces/kopf")


def until(ask: Callable[[], httpx.Response], holds: Callable[[httpx.Response], bool]) -> httpx.Response:
    for _ in range(400):
        if holds(answer := ask()):
            return answer
        threading.Event().wait(0.05)
    raise AssertionError(answer.text)


def widget(name: str) -> dict:
    identity = {"apiVersion": "parity.example.com/v1", "kind": "Widget"}
    return {**identity, "metadata": {"name": name}, "spec": {"size": "small"}}


def test_an_operator_sees_writes_and_cleans_up(operator: Operator, http: httpx.Client) -> None:
    for name in ("listed", "one"):
        http.post(WIDGETS, json=widget(name)).raise_for_status()
        served = until(partial(http.get, f"{WIDGETS}/{name}"), lambda got: "status" in got.json())
        assert served.json()["status"]["phase"] == "Busy"
        assert served.json()["metadata"]["finalizers"] == ["kopf.zalando.org/KopfFinalizerMarker"]
    operator.wait_for(("ADDED", "one"))
    http.delete(f"{WIDGETS}/one").raise_for_status()
    operator.wait_for(("cleaned", "one"))
    operator.wait_for(("DELETED", "one"))
    assert http.get(f"{WIDGETS}/one").status_code == 404
