"""The store keeps what it acknowledged, says what it cannot do, and tells every change once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import httpx
import pytest

from kaos.errors import KaosError
from kaos.local.status import ApiStatus
from kaos.local.store import Store
from tests.live import ROOT, LiveCluster

KEY = ("configmaps", "default", "one")


def made(name: str, **more) -> dict:
    return {"metadata": {"name": name, "namespace": "default"}, **more}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def test_objects_come_back_as_they_were_put(path):
    store = Store(path)
    store.put(KEY, made("one", data={"ü": "✓"}))
    revision = store.revision
    store.close()
    again = Store(path)
    assert again.get(KEY).obj["data"] == {"ü": "✓"}
    assert again.revision == revision


def test_revisions_never_go_back_not_even_after_a_deletion(path):
    store = Store(path)
    store.put(KEY, made("one"))
    store.delete(KEY)
    revision = store.revision
    store.close()
    assert Store(path).revision == revision


def test_lists_are_ordered_by_namespace_and_name(path):
    store = Store(path)
    for namespace, name in (("b", "a"), ("a", "b"), ("a", "a")):
        store.put(("configmaps", namespace, name), made(name))
    assert [place for place, _ in store.items("configmaps")] == [("a", "a"), ("a", "b"), ("b", "a")]
    assert [place for place, _ in store.items("configmaps", "a")] == [("a", "a"), ("a", "b")]


def test_changes_are_told_since_any_revision_that_is_remembered(path):
    store = Store(path, kept_changes=3)
    for number in range(5):
        store.put(KEY, made("one", number=number))
    since = store.changes_since(store.revision - 2)
    assert [change.stored.obj["number"] for change in since] == [3, 4]
    with pytest.raises(ApiStatus) as forgotten:
        store.changes_since(store.revision - 4)
    assert forgotten.value.code == 410


def test_a_collection_is_shown_as_it_was(path):
    store = Store(path, kept_changes=4)
    for name in ("a", "b"):
        store.put(("configmaps", "default", name), made(name, v=1))
    then = store.revision
    store.put(("secrets", "default", "s"), made("s"))
    store.put(("configmaps", "default", "a"), made("a", v=2))
    store.delete(("configmaps", "default", "b"))
    store.put(("configmaps", "default", "c"), made("c"))
    now = {name: stored.obj.get("v") for (_, name), stored in store.items("configmaps")}
    before = {name: stored.obj.get("v") for (_, name), stored in store.items("configmaps", at=then)}
    assert (now, before) == ({"a": 2, "c": None}, {"a": 1, "b": 1})
    with pytest.raises(ApiStatus) as forgotten:
        store.items("configmaps", at=then - 1)
    assert forgotten.value.code == 410


async def test_a_slow_reader_is_told_to_begin_again(path):
    store = Store(path)
    with store.subscribe(limit=2) as changes:
        for _ in range(5):
            store.put(KEY, made("one"))
        got = [await changes.get() for _ in range(3)]
    assert [change is None for change in got] == [False, False, True]


async def test_every_change_is_told_once_and_in_order(path):
    store = Store(path)
    with store.subscribe() as changes:
        store.put(KEY, made("one"))
        store.put(KEY, made("one", data={}))
        store.delete(KEY)
        kinds = [(await asyncio.wait_for(changes.get(), 30)).kind for _ in range(3)]
    assert kinds == ["ADDED", "MODIFIED", "DELETED"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"this is no database" * 500),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(bytes(b ^ 0x55 for b in path.read_bytes()[:8192]) + path.read_bytes()[8192:]),
        lambda path: _in_database(path, "UPDATE objects SET body = '{cut'"),
    ],
    ids=["rubbish", "half of it", "flipped bits", "a broken object"],
)
def test_a_damaged_store_is_refused_and_left_as_it_is(path, damage):
    store = Store(path)
    for number in range(200):
        store.put(("configmaps", "default", f"cm-{number}"), made(f"cm-{number}", data={"x": "y" * 200}))
    store.close()
    damage(path)
    before = path.read_bytes()
    with pytest.raises(KaosError) as refused:
        Store(path)
    assert str(path) in refused.value.cause
    assert "kaos local reset" in refused.value.cure
    assert path.read_bytes() == before


def _in_database(path: Path, statement: str) -> None:
    import sqlite3

    with sqlite3.connect(path) as database:
        database.execute(statement)
    database.close()


def test_a_store_that_cannot_be_made_says_why(tmp_path):
    with pytest.raises(KaosError, match="unable to open database file"):
        Store(tmp_path / "no" / "such" / "directory" / "state.db")


def test_a_full_disk_fails_writes_keeps_reads_and_hurts_nothing(path):
    """A limit on file size stands in for the end of the disk."""
    program = textwrap.dedent(
        """
        import resource, signal, sys
        from pathlib import Path
        from kaos.local.status import ApiStatus
        from kaos.local.store import Store

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        store = Store(Path(sys.argv[1]))
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limit[1]))
        kept = 0
        try:
            while kept < 10_000:
                name = f"cm-{kept}"
                store.put(("configmaps", "default", name), {"metadata": {"name": name}, "x": "y" * 5000})
                kept += 1
        except ApiStatus as refused:
            print(refused.code, refused.message)
        revision = store.revision
        assert len(store.items("configmaps")) == kept > 0
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        store.put(("configmaps", "default", "after"), {"metadata": {"name": "after"}})
        assert store.revision == revision + 1
        store.close()
        again = Store(Path(sys.argv[1]))
        assert len(again.items("configmaps")) == kept + 1
        print("fine")
        """
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    refused, fine = ran.stdout.splitlines()
    assert refused.startswith("507 the local cluster could not store the object: ")
    assert fine == "fine"


def test_acknowledged_writes_survive_kill_9(tmp_path):
    cluster = LiveCluster(tmp_path / "local").start()
    path = "/api/v1/namespaces/default/configmaps"
    acknowledged: dict[str, str] = {}
    for life in range(4):
        stop = threading.Event()
        with cluster.http() as http:

            def write(writer: int, http: httpx.Client = http, stop: threading.Event = stop, life: int = life) -> None:
                number = 0
                while not stop.is_set():
                    name = f"cm-{life}-{writer}-{number}"
                    try:
                        made = http.post(path, json={"metadata": {"name": name}})
                    except httpx.HTTPError:
                        return
                    acknowledged[name] = made.json()["metadata"]["resourceVersion"]
                    number += 1

            writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
            for thread in writers:
                thread.start()
            enough = len(acknowledged) + 40 + 25 * life
            while len(acknowledged) < enough:
                writers[0].join(0.001)
            cluster.kill()
            stop.set()
            for thread in writers:
                thread.join()
        cluster.start()
        with cluster.http() as http:
            listed = http.get(path).json()
            found = {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in listed["items"]}
            assert acknowledged.items() <= found.items()
            assert int(listed["metadata"]["resourceVersion"]) >= max(map(int, acknowledged.values()))
    cluster.stop()


def test_of_many_that_count_at_once_every_acknowledged_step_counts(kube):
    """50 clients read, add one, and write it back at the version that they read."""
    kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "counter"}, "data": {"n": "0"}})
    path = kube.path("ConfigMap", "counter")
    steps, outcomes = 1, []

    def count() -> None:
        done = 0
        while done < steps:
            read = kube.http.get(path).json()
            read["data"]["n"] = str(int(read["data"]["n"]) + 1)
            code = kube.http.put(path, json=read).status_code
            outcomes.append(code)
            done += code == 200

    clients = [threading.Thread(target=count) for _ in range(50)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    assert set(outcomes) <= {200, 409}
    assert 409 in outcomes
    assert kube.get("ConfigMap", "counter")["data"]["n"] == str(outcomes.count(200)) == str(50 * steps)
