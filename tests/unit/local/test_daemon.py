"""The local cluster lives, is killed and comes back: nothing is orphaned, lost or started twice."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.live import LiveCluster
from tests.unit.local.kube import Kube, container, is_ready, pod

SERVER = (
    "import http.server as h, os\n"
    "class Echo(h.BaseHTTPRequestHandler):\n"
    "    protocol_version = 'HTTP/1.1'\n"
    "    def do_GET(self):\n"
    "        body = os.environ['NAME'].encode()\n"
    "        self.send_response(200); self.send_header('Content-Length', str(len(body))); self.end_headers()\n"
    "        self.wfile.write(body)\n"
    "    def log_message(self, *a): pass\n"
    "h.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Echo).serve_forever()"
)
# A process that leaves children behind in every way there is: in the background, in a session of its own, twice forked.
LEAVES_CHILDREN = (
    "import os, subprocess, sys, time\n"
    "subprocess.Popen(['sleep', '601'])\n"
    "subprocess.Popen(['sleep', '602'], start_new_session=True)\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        os.execvp('sleep', ['sleep', '603'])\n"
    "    os._exit(0)\n"
    "print('up', flush=True)\n"
    "time.sleep(604)"
)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LiveCluster]:
    live = LiveCluster(tmp_path / "local")
    yield live.start()
    live.stop()


@pytest.fixture
def kube(cluster: LiveCluster) -> Iterator[Kube]:
    with cluster.http() as http:
        yield Kube(http, "default")


def processes_of(uid: str) -> list[psutil.Process]:
    """Every process of a pod, its shim included, found without the local cluster's help."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("KAOS_POD_UID") == uid:
                found.append(process)
        except psutil.Error:
            continue
    return found


def all_gone(processes: list[psutil.Process], timeout_s: float = 20) -> bool:
    return not psutil.wait_procs(processes, timeout=timeout_s)[1]


def programs(processes: list[psutil.Process]) -> list[str]:
    """The command lines of the children that LEAVES_CHILDREN leaves."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if process.cmdline()[:1] == ["sleep"]:
                found.append(" ".join(process.cmdline()))
    return sorted(found)


def deployment(name: str, replicas: int = 1, note: str = "a") -> dict:
    template = pod(name, SERVER)
    template["spec"] |= {"restartPolicy": "Always", "terminationGracePeriodSeconds": 5}
    template["spec"]["containers"][0] |= {
        "env": [{"name": "PORT", "value": "8000"}, {"name": "NAME", "value": note}],
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": {"httpGet": {"port": "http"}, "periodSeconds": 1},
    }
    template["metadata"].pop("name")
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def service(name: str) -> dict:
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": "http"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def rolled_out(replicas: int = 1):
    def holds(obj) -> bool:
        status = (obj or {}).get("status", {})
        counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
        return counts == [replicas] * 3 and status.get("observedGeneration") == obj["metadata"]["generation"]

    return holds


def address_of(kube: Kube, name: str) -> str:
    key = "local.kaos.tools/address.80"
    found = kube.until("Service", name, lambda obj: key in (obj["metadata"].get("annotations") or {}))
    return found["metadata"]["annotations"][key]


def run_children(kube: Kube) -> list[psutil.Process]:
    made = kube.create(pod("parent", LEAVES_CHILDREN))
    kube.until("Pod", "parent", is_ready)
    return all_there(made["metadata"]["uid"])


def all_there(uid: str) -> list[psutil.Process]:
    """The processes of a pod that leaves children, when all children are there."""
    for _ in range(1000):
        processes = processes_of(uid)
        if programs(processes) == ["sleep 601", "sleep 602", "sleep 603"]:
            return processes
        threading.Event().wait(0.02)  # processes tell nobody that they are there
    raise AssertionError(programs(processes))


def test_after_kill_9_of_the_daemon_no_process_of_a_pod_is_left(cluster, kube):
    processes = run_children(kube)
    cluster.kill()
    assert all_gone(processes)


def test_after_a_stop_no_process_of_a_pod_is_left(cluster, kube):
    processes = run_children(kube)
    cluster.stop()
    assert all_gone(processes)


def test_a_deleted_pod_leaves_nothing(cluster, kube):
    processes = run_children(kube)
    directory = cluster.directory / "pods" / kube.get("Pod", "parent")["metadata"]["uid"]
    assert directory.exists()
    kube.delete("Pod", "parent")
    kube.gone("Pod", "parent")
    assert all_gone(processes)
    assert not directory.exists()


def test_what_a_container_left_ends_with_it(kube):
    made = kube.create(pod("brief", LEAVES_CHILDREN.replace("time.sleep(604)", "time.sleep(0.1)")))
    kube.until("Pod", "brief", lambda obj: obj["status"]["phase"] == "Succeeded")
    assert programs(processes_of(made["metadata"]["uid"])) == []


def test_when_a_shim_is_killed_its_processes_end_and_the_container_starts_once_again(kube):
    made = pod("parent", LEAVES_CHILDREN)
    made["spec"]["restartPolicy"] = "Always"
    uid = kube.create(made)["metadata"]["uid"]
    kube.until("Pod", "parent", is_ready)
    before = all_there(uid)
    (shim,) = [p for p in before if "shim.py" in " ".join(p.cmdline())]
    shim.kill()
    again = kube.until("Pod", "parent", lambda obj: container(obj)["restartCount"] == 1 and is_ready(obj))
    assert container(again)["lastState"]["terminated"]["exitCode"] == 137
    assert all_gone(before)
    mains = [p for p in all_there(uid) if "time.sleep(604)" in " ".join(p.cmdline())]
    assert len(mains) == 1


def test_killed_with_its_shims_leftovers_are_ended_at_the_next_start(cluster, kube):
    processes = run_children(kube)
    shims = [p for p in processes if "shim.py" in " ".join(p.cmdline())]
    os.kill(cluster.pid, signal.SIGSTOP)  # so that it cannot mend what is done to it
    for shim in shims:
        shim.kill()
    cluster.kill()
    assert programs(processes) != []  # what no shim holds any more
    cluster.start()
    assert all_gone(processes)


def test_pods_start_again_from_the_store_and_only_once(cluster, kube):
    kube.create(deployment("web", replicas=2))
    kube.until("Deployment", "web", rolled_out(2))
    names = {p["metadata"]["name"] for p in kube.list("Pod")}
    for _ in range(3):
        cluster.kill()
        cluster.start()
        with cluster.http() as http:
            kube = Kube(http, "default")
            kube.until("Deployment", "web", rolled_out(2))
            pods = kube.list("Pod")
            assert {p["metadata"]["name"] for p in pods} == names
            for one in pods:
                assert len(processes_of(one["metadata"]["uid"])) == 2  # the shim and the server
    assert all(container(one)["restartCount"] == 3 for one in pods)


def test_no_pod_counts_as_ready_before_it_runs_again(cluster, kube):
    kube.create(deployment("web"))
    kube.create(service("web"))
    kube.until("Deployment", "web", rolled_out())
    cluster.kill()
    cluster.start()
    with cluster.http() as http:
        assert not any(is_ready(p) for p in Kube(http, "default").list("Pod"))


def test_a_services_address_outlives_the_daemon(cluster, kube):
    kube.create(deployment("web", note="hello"))
    kube.create(service("web"))
    kube.until("Deployment", "web", rolled_out())
    address = address_of(kube, "web")
    assert httpx.get(f"http://{address}/").text == "hello"
    cluster.kill()
    cluster.start()
    with cluster.http() as http:
        kube = Kube(http, "default")
        kube.until("Deployment", "web", rolled_out())
        assert address_of(kube, "web") == address
        assert httpx.get(f"http://{address}/").text == "hello"


def test_a_rolling_update_loses_no_request(kube):
    kube.create(deployment("web", replicas=2, note="old"))
    kube.create(service("web"))
    kube.until("Deployment", "web", rolled_out(2))
    address = address_of(kube, "web")
    answers: list[str] = []
    failures: list[str] = []
    enough = threading.Event()

    def ask() -> None:
        while not enough.is_set():
            try:
                answers.append(httpx.get(f"http://{address}/", timeout=20).text)
            except httpx.HTTPError as error:
                failures.append(repr(error))

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    for note in ("new", "newer"):
        env = [{"name": "PORT", "value": "8000"}, {"name": "NAME", "value": note}]
        template = {"spec": {"containers": [{"name": "main", "env": env}]}}
        media = "application/strategic-merge-patch+json"
        kube.patch("Deployment", "web", {"spec": {"template": template}}, media)
        kube.until("Deployment", "web", rolled_out(2))
    enough.set()
    for thread in asking:
        thread.join()
    assert failures == []
    assert {"old", "new", "newer"} >= set(answers)
    assert len(answers) > 10
    assert httpx.get(f"http://{address}/").text == "newer"


def test_a_url_of_a_service_leads_to_it_from_a_pod(kube):
    kube.create(deployment("web", note="hello"))
    kube.create(service("web"))
    kube.until("Deployment", "web", rolled_out())
    program = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
    for name, url in (("full", "http://web.default.svc.cluster.local:80/"), ("short", "http://web/")):
        kube.create(pod(name, program, container={"args": [url]}))
        kube.until("Pod", name, lambda obj: obj["status"]["phase"] in ("Succeeded", "Failed"))
        assert kube.logs(name) == "hello\n"


def test_a_port_that_another_program_took_is_given_up(cluster, kube):
    import socket

    made = pod("web", SERVER)
    made["spec"] |= {"restartPolicy": "Always"}
    made["spec"]["containers"][0] |= {
        "env": [{"name": "PORT", "value": "8000"}, {"name": "NAME", "value": "x"}],
        "ports": [{"containerPort": 8000}],
        "readinessProbe": {"httpGet": {"port": 8000}},
    }
    uid = kube.create(made)["metadata"]["uid"]
    first = json.loads(kube.until("Pod", "web", is_ready)["metadata"]["annotations"]["local.kaos.tools/ports"])["8000"]
    processes = processes_of(uid)
    cluster.kill()
    assert all_gone(processes)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", first))
        taken.listen()
        cluster.start()
        with cluster.http() as http:
            again = Kube(http, "default").until("Pod", "web", is_ready)
    assert json.loads(again["metadata"]["annotations"]["local.kaos.tools/ports"])["8000"] != first


def test_a_second_daemon_in_the_same_directory_names_the_first(cluster):
    with pytest.raises(AssertionError, match="did not come up"):
        LiveCluster(cluster.directory).start()


def test_starting_takes_less_than_two_seconds_of_a_processor(cluster):
    spent = psutil.Process(cluster.pid).cpu_times()
    assert spent.user + spent.system < 2


def test_with_client_affinity_all_calls_lead_to_one_pod_while_it_serves(kube):
    made = deployment("web", replicas=2)
    made["spec"]["template"]["spec"]["containers"][0]["env"][1] = {
        "name": "NAME",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
    }
    kube.create(made)
    for name, affinity in (("web", "None"), ("sticky", "ClientIP")):
        one = service("web")
        one["metadata"]["name"] = name
        one["spec"]["sessionAffinity"] = affinity
        kube.create(one)
    kube.until("Deployment", "web", rolled_out(2))
    spread = {httpx.get(f"http://{address_of(kube, 'web')}/").text for _ in range(6)}
    pinned = [httpx.get(f"http://{address_of(kube, 'sticky')}/").text for _ in range(6)]
    assert len(spread) == 2
    assert len(set(pinned)) == 1
    kube.delete("Pod", pinned[0])
    kube.gone("Pod", pinned[0])
    assert httpx.get(f"http://{address_of(kube, 'sticky')}/").text != pinned[0]


@pytest.mark.full
@pytest.mark.timeout(600)
def test_killed_at_many_moments_under_load_it_always_comes_back_whole(cluster, kube):
    """Writes and pods under way; every acknowledged write is there, nothing is orphaned, nothing runs twice."""
    kube.create(deployment("web", replicas=2))
    kube.until("Deployment", "web", rolled_out(2))
    moments = random.Random(7)
    acknowledged: dict[str, int] = {}
    for life in range(15):
        with cluster.http() as http:
            now = Kube(http, "default")
            stop = threading.Event()

            def write(now: Kube = now, stop: threading.Event = stop, life: int = life) -> None:
                number = 0
                while not stop.is_set():
                    name = f"cm-{life}-{number}"
                    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
                    template = {"metadata": {"annotations": {"life": f"{life}-{number}"}}}
                    try:
                        made = now.create(body)
                        if number == 3:  # a rollout in the middle of it
                            now.patch("Deployment", "web", {"spec": {"template": template}})
                    except (httpx.HTTPError, json.JSONDecodeError):
                        return
                    acknowledged[name] = int(made["metadata"]["resourceVersion"])
                    number += 1

            writer = threading.Thread(target=write)
            writer.start()
            writer.join(moments.uniform(0.0, 0.6))
            uids = {p["metadata"]["uid"] for p in now.list("Pod")}
            processes = [process for uid in uids for process in processes_of(uid)]
            cluster.kill()
            stop.set()
            writer.join()
        assert all_gone(processes)
        cluster.start()
        with cluster.http() as http:
            now = Kube(http, "default")
            listed = http.get(now.path("ConfigMap")).json()
            found = {item["metadata"]["name"]: int(item["metadata"]["resourceVersion"]) for item in listed["items"]}
            assert acknowledged.items() <= found.items()
            assert int(listed["metadata"]["resourceVersion"]) >= max(acknowledged.values(), default=0)
    with cluster.http() as http:
        now = Kube(http, "default")
        now.until("Deployment", "web", rolled_out(2), timeout_s=60)
        pods = [p for p in now.list("Pod") if "deletionTimestamp" not in p["metadata"]]
        assert len(pods) == 2
        for one in pods:
            assert len(processes_of(one["metadata"]["uid"])) == 2
