"""Following logs when things go wrong: the API server ends, lines come in masses, somebody leaves."""

from __future__ import annotations

import json
import sys
import threading

import pytest

from kaos.actions.following import Following, _after
from kaos.actions.kinds import MCPSERVER
from kaos.actions.podlogs import LogLine, PodsOf, Selection
from kaos.actions.system import install_prerequisites
from kaos.cluster import Client, resolve, wait
from kaos.kube.resources import PODS
from tests.live import LiveCluster

COUNTING = "import sys,time\nfor n in range(int(sys.argv[1])):\n    print('line', n, flush=True)\n"


@pytest.fixture
def cluster(tmp_path):
    with LiveCluster(tmp_path / "cluster") as cluster:
        install_prerequisites(Client(resolve(kubeconfig=str(cluster.kubeconfig))))
        yield cluster


def counting_pod(client, room, name, count, then="time.sleep(600)"):
    command = json.dumps([sys.executable, "-c", COUNTING + then, str(count)])
    meta = {
        "name": name,
        "labels": {"mcpserver": "calc"},
        "annotations": {"local.kaos.tools/command.mcp-server": command},
    }
    containers = [{"name": "mcp-server", "image": "example.org/said:1"}]
    client.create(
        PODS, {"metadata": meta, "spec": {"terminationGracePeriodSeconds": 1, "containers": containers}}, room
    )
    wait.until(client, PODS, name, room, lambda pod: (pod or {}).get("status", {}).get("phase") == "Running", 20)


def server(client, room):
    obj = {"apiVersion": "kaos.tools/v1alpha1", "kind": "MCPServer", "metadata": {"name": "calc"},
           "spec": {"runtime": "rawpython"}}  # fmt: skip
    client.create(MCPSERVER.resource, obj, room)
    return PodsOf.resource(MCPSERVER, "calc", room)


class Reader:
    """Takes what a Following has, and lets a test wait for it."""

    def __init__(self, client, source):
        self.lines = []
        self.news = threading.Event()
        self.following = Following(client, [source], Selection(), self.news.set)
        self.following.begin()

    def until(self, holds):
        while not holds(self.lines):
            assert self.news.wait(20), self.lines[-5:]
            self.news.clear()
            self.lines += self.following.take(10_000)


def lines_told(reader):
    return [line.text for line in reader.lines if line.notice]


def says(word):
    return lambda lines: any(word in line.text for line in lines)


def test_a_restart_of_the_api_server_is_told_and_outlived(cluster):
    client = Client(resolve(kubeconfig=str(cluster.kubeconfig)))
    counting_pod(client, "default", "one", 3)
    reader = Reader(client, server(client, "default"))
    reader.until(says("line 2"))
    cluster.kill()
    reader.until(says("Trying again until it answers."))
    assert reader.following.lost
    cluster.start()
    reader.until(says("The API server answers again."))
    reader.until(lambda lines: [line.text for line in lines].count("line 2") == 2)  # the pod's next life
    assert not reader.following.lost
    reader.following.close()


def test_a_long_log_comes_whole_and_once(client, room):
    source = server(client, room)
    count = 40_000
    counting_pod(client, room, "one", count)
    reader = Reader(client, source)
    reader.until(says(f"line {count - 1}"))
    assert [line.text for line in reader.lines] == [f"line {n}" for n in range(count)]
    reader.following.close()


def test_several_pods_begin_in_the_order_of_time(client, room):
    source = server(client, room)
    counting_pod(client, room, "one", 5)
    counting_pod(client, room, "two", 5)
    reader = Reader(client, source)
    reader.until(lambda lines: len(lines) == 10)
    assert reader.lines == sorted(reader.lines, key=lambda line: line.time)
    assert {line.pod for line in reader.lines} == {"one", "two"}
    reader.following.close()


def test_the_end_of_a_container_is_told_with_its_code_and_the_next_life_is_read(client, room):
    source = server(client, room)
    counting_pod(client, room, "one", 1, then="sys.exit(3)")
    reader = Reader(client, source)
    reader.until(says("Pod one ended with code 3."))
    reader.until(lambda lines: [line.text for line in lines].count("line 0") >= 2)
    reader.following.close()


def test_while_it_waits_to_start_again_what_it_said_before_its_crash_is_read(client, room):
    source = server(client, room)
    counting_pod(client, room, "one", 1, then="sys.exit(3)")

    def waits(pod):
        (status,) = pod["status"].get("containerStatuses") or ({"state": {}},)
        return "waiting" in status["state"] and status.get("restartCount", 0) >= 5  # for longer than this test

    wait.until(client, PODS, "one", room, waits, 30)
    reader = Reader(client, source)
    reader.until(says("Pod one ended with code 3."))
    assert [line.text for line in reader.lines][:2] == ["line 0", "Pod one ended with code 3."]
    reader.following.close()


def test_a_pod_that_goes_is_told(client, room):
    source = server(client, room)
    counting_pod(client, room, "one", 1)
    reader = Reader(client, source)
    reader.until(says("line 0"))
    client.delete(PODS, "one", room)
    reader.until(lambda lines: lines[-1].notice)
    assert lines_told(reader)[0].startswith(("Pod one is gone.", "Pod one ended"))
    reader.following.close()


def test_leaving_ends_every_reader(client, room):
    source = server(client, room)
    counting_pod(client, room, "one", 1)
    before = set(threading.enumerate())
    reader = Reader(client, source)
    reader.until(says("line 0"))
    (thread,) = [one for one in set(threading.enumerate()) - before if one._target.__name__ == "_read"]
    reader.following.close()
    thread.join(10)
    assert not thread.is_alive()


def test_lines_that_were_read_before_a_cut_are_known_by_their_time_and_count():
    lines = [LogLine("p", text, time) for text, time in (("a", "1"), ("b", "2"), ("c", "2"), ("d", "2"), ("e", "3"))]
    kept, left = _after(lines, "2", 2)
    assert ([line.text for line in kept], left) == (["d", "e"], 0)
