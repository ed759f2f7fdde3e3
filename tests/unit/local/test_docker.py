"""Images without a local command run in Docker, where a daemon answers; they end with the local cluster."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kaos.local.node.docker import DockerEngine
from tests.live import LiveCluster
from tests.unit.local.kube import Kube, container, is_ready, moment, phase

IMAGE = "python:3.13-slim"
SERVER = (
    "import http.server as h, os; "
    "h.ThreadingHTTPServer(('0.0.0.0', int(os.environ['PORT'])), h.SimpleHTTPRequestHandler).serve_forever()"
)


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=60)


def unusable() -> str:
    if shutil.which("docker") is None or docker("version").returncode:
        return "no Docker daemon answers"
    return "" if docker("image", "inspect", IMAGE).returncode == 0 else f"Docker has no image {IMAGE}"


pytestmark = [pytest.mark.full, pytest.mark.skipif(bool(unusable()), reason=unusable())]


def containers(cluster: LiveCluster) -> list[str]:
    return docker("ps", "-aq", "--filter", f"label={DockerEngine(cluster.directory).label}").stdout.split()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LiveCluster]:
    live = LiveCluster(tmp_path / "local")
    yield live.start()
    live.stop()


@pytest.fixture
def kube(cluster: LiveCluster) -> Iterator[Kube]:
    with cluster.http() as http:
        yield Kube(http, "default")


def pod(name: str, *programs: str, **spec) -> dict:
    """A pod of the image whose containers each run a line of Python."""
    extra = spec.pop("container", {})
    made = [
        {"name": container_name, "image": IMAGE, "command": ["python", "-c", program]}
        for container_name, program in zip(("main", "second"), programs, strict=False)
    ]
    made[0] |= extra
    full = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": made, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": full}


def test_it_runs_logs_and_ends(kube):
    kube.create(
        pod(
            "said",
            "import os, sys; print('out', os.environ['A']); print('err', file=sys.stderr); sys.exit(3)",
            container={"env": [{"name": "A", "value": "1"}]},
        )
    )
    ended = container(kube.until("Pod", "said", phase("Failed"), timeout_s=60))
    assert ended["state"]["terminated"]["exitCode"] == 3
    assert ended["containerID"].startswith("docker://")
    assert sorted(kube.logs("said").splitlines()) == ["err", "out 1"]


def test_a_server_is_reached_through_the_proxy(cluster, kube):
    spec = {
        "env": [{"name": "PORT", "value": "8000"}],
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": {"httpGet": {"port": "http"}, "periodSeconds": 1},
        "livenessProbe": {"exec": {"command": ["python", "-c", "pass"]}},
    }
    kube.create(pod("web", SERVER, container=spec))
    kube.until("Pod", "web", is_ready, timeout_s=60)
    assert kube.http.get(f"{kube.path('Pod', 'web')}:8000/proxy/").status_code == 200
    before = moment()
    kube.delete("Pod", "web")
    kube.gone("Pod", "web")
    assert moment() - before < 15
    assert containers(cluster) == []


def test_volumes_reach_a_user_of_the_images_own(kube):
    kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "v"}})
    program = (
        "import os; print(os.getuid(), open('/conf/k').read()); "
        "open('/box/x', 'w').write('y'); open('/dev/termination-log', 'w').write('bye')"
    )
    mounts = [{"name": "conf", "mountPath": "/conf", "readOnly": True}, {"name": "box", "mountPath": "/box"}]
    volumes = [{"name": "conf", "configMap": {"name": "c"}}, {"name": "box", "emptyDir": {}}]
    user = {"runAsUser": 65532, "runAsGroup": 65532}
    kube.create(pod("files", program, container={"volumeMounts": mounts, "securityContext": user}, volumes=volumes))
    ended = container(kube.until("Pod", "files", phase("Succeeded", "Failed"), timeout_s=60))["state"]["terminated"]
    assert kube.logs("files") == "65532 v\n"
    assert (ended["exitCode"], ended["message"]) == (0, "bye")


def test_containers_of_a_pod_share_its_network(kube):
    asks = (
        "import time, urllib.request\n"
        "for _ in range(100):\n"
        "    try: print(urllib.request.urlopen('http://127.0.0.1:8000/').status); break\n"
        "    except OSError: time.sleep(0.1)"
    )
    made = pod(
        "pair", SERVER, asks, container={"env": [{"name": "PORT", "value": "8000"}], "ports": [{"containerPort": 8000}]}
    )
    kube.create(made)
    kube.until("Pod", "pair", lambda obj: "terminated" in container(obj, "second")["state"], timeout_s=60)
    assert kube.logs("pair", container="second") == "200\n"


def test_an_image_that_cannot_be_had_is_named(kube):
    made = pod("nowhere", "")
    made["spec"]["containers"][0]["image"] = "127.0.0.1:1/no/such:image"
    kube.create(made)
    waiting = kube.until("Pod", "nowhere", lambda obj: "ErrImagePull" in json.dumps(obj), timeout_s=60)
    assert 'Failed to pull image "127.0.0.1:1/no/such:image"' in container(waiting)["state"]["waiting"]["message"]


def test_memory_is_limited_by_docker(kube):
    limits = {"resources": {"limits": {"memory": "32Mi"}}}
    kube.create(pod("hungry", "held = bytearray(300 << 20); print(len(held))", container=limits))
    ended = container(kube.until("Pod", "hungry", phase("Failed"), timeout_s=60))["state"]["terminated"]
    assert ended["exitCode"] in (137, 1)


def test_after_kill_9_of_the_daemon_no_container_is_left(cluster, kube):
    kube.create(pod("sleeps", "import time; time.sleep(600)"))
    kube.until("Pod", "sleeps", is_ready, timeout_s=60)
    (running,) = containers(cluster)
    waiting = subprocess.Popen(["docker", "wait", running], stdout=subprocess.DEVNULL)
    cluster.kill()
    assert waiting.wait(20) is not None
    cluster.start()
    with cluster.http() as http:
        Kube(http, "default").until("Pod", "sleeps", is_ready, timeout_s=60)
    assert len(containers(cluster)) == 1
    assert containers(cluster) != [running]
    cluster.stop()
    assert containers(cluster) == []
