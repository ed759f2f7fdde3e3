"""Pods run as processes of this machine: what they get, how they live, and how they end."""

from __future__ import annotations

import base64
import json
import socket

import pytest

from tests.live import LiveCluster
from tests.unit.local.kube import Kube, container, is_ready, moment, phase, pod

SLEEP = "import time; time.sleep(600)"
SERVER = (
    "import http.server as h, os\n"
    "class Echo(h.BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        self.send_response(200); self.end_headers(); self.wfile.write(os.environ['NAME'].encode())\n"
    "    def log_message(self, *a): pass\n"
    "h.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Echo).serve_forever()"
)


def config_map(name: str, **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def secret(name: str, **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def said(kube: Kube, *programs: str, **spec) -> str:
    """What a pod prints that runs to its end."""
    kube.create(pod("said", *programs, **spec))
    ended = kube.until("Pod", "said", phase("Succeeded", "Failed"))
    log = kube.logs("said", container="main")
    assert ended["status"]["phase"] == "Succeeded", log
    return log


# What they get.


def test_a_pod_runs_to_its_end(kube):
    assert said(kube, "print('hello')") == "hello\n"
    ended = container(kube.get("Pod", "said"))["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (0, "Completed")


def test_a_failed_pod_tells_its_exit_code_and_last_words(kube):
    program = "import os, sys; open(os.environ['LAST'], 'w').write('oh no'); sys.exit(3)"
    env = [{"name": "LAST", "value": "/dev/termination-log"}]
    kube.create(pod("failed", program, container={"env": env}))
    ended = container(kube.until("Pod", "failed", phase("Failed")))["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (3, "Error", "oh no")


def test_last_words_may_come_from_the_log(kube):
    kube.create(
        pod("failed", "raise SystemExit('it broke')", container={"terminationMessagePolicy": "FallbackToLogsOnError"})
    )
    ended = container(kube.until("Pod", "failed", phase("Failed")))["state"]["terminated"]
    assert ended["message"] == "it broke\n"


def test_a_command_that_is_not_there_is_named(kube):
    missing = pod("missing", "")
    missing["metadata"]["annotations"]["local.kaos.tools/command.main"] = json.dumps(["/no/such/program"])
    kube.create(missing)
    ended = container(kube.until("Pod", "missing", phase("Failed")))["state"]["terminated"]
    assert ended["reason"] == "StartError"
    assert "/no/such/program: No such file or directory" in ended["message"]


def test_the_machines_environment_stays_outside_but_for_what_is_allowed(kube):
    kept = json.loads(said(kube, "import json, os; print(json.dumps(dict(os.environ)))"))
    assert "PATH" in kept
    assert "A_SECRET_OF_THE_TESTER" not in kept
    assert "SSH_AUTH_SOCK" not in kept
    assert kept["HOSTNAME"] == "said"
    assert "/pods/" in kept["HOME"]


def test_environment_from_every_source(kube):
    kube.create(config_map("settings", color="blue", size="small"))
    kube.create(secret("keys", token="t0ken"))
    env = [
        {"name": "COLOR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "color"}}},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
        {"name": "ABSENT", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "no", "optional": True}}},
        {"name": "BOTH", "value": "$(COLOR)-$(TOKEN)-$(UNKNOWN)-$$(COLOR)"},
    ]
    limits = {"resources": {"limits": {"memory": "256Mi"}}}
    source = {"envFrom": [{"prefix": "S_", "configMapRef": {"name": "settings"}}]}
    got = json.loads(
        said(kube, "import json, os; print(json.dumps(dict(os.environ)))", container={"env": env, **limits, **source})
    )
    wanted = {
        "COLOR": "blue", "TOKEN": "t0ken", "NAME": "said", "APP": "said", "LIMIT": "256", "S_color": "blue",
        "S_size": "small", "BOTH": "blue-t0ken-$(UNKNOWN)-$(COLOR)",
    }  # fmt: skip
    assert {name: got.get(name) for name in wanted} == wanted
    assert "ABSENT" not in got


def test_arguments_see_variables(kube):
    spec = {"env": [{"name": "A", "value": "1"}], "args": ["$(A)", "$(B)", "$$(A)"]}
    assert said(kube, "import sys; print(sys.argv[1:])", container=spec) == "['1', '$(B)', '$(A)']\n"


def test_a_missing_secret_is_waited_for(kube):
    env = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}}]
    kube.create(pod("waits", "import os; print(os.environ['TOKEN'])", container={"env": env}))
    waiting = kube.until("Pod", "waits", lambda obj: "CreateContainerConfigError" in json.dumps(obj))
    assert container(waiting)["state"]["waiting"]["message"] == 'secret "keys" not found'
    kube.create(secret("keys", other="x"))
    told = "couldn't find key token in Secret"
    kube.until("Pod", "waits", lambda obj: told in container(obj)["state"].get("waiting", {}).get("message", ""))
    before = moment()
    kube.patch("Secret", "keys", {"stringData": {"token": "now"}})
    kube.until("Pod", "waits", phase("Succeeded"))
    assert moment() - before < 3  # it does not wait for the next look
    assert kube.logs("waits") == "now\n"


def test_mounted_files_and_paths(kube):
    kube.create(config_map("settings", **{"a.txt": "A", "b.txt": "B"}))
    kube.create(secret("keys", token="t0ken"))
    volumes = [
        {"name": "settings", "configMap": {"name": "settings", "items": [{"key": "a.txt", "path": "sub/a"}]}},
        {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o400}},
        {"name": "about", "downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
        {"name": "all", "projected": {"sources": [{"configMap": {"name": "settings"}}, {"secret": {"name": "keys"}}]}},
    ]
    mounts = [
        {"name": "settings", "mountPath": "/etc/settings"},
        {"name": "keys", "mountPath": "/etc/keys"},
        {"name": "about", "mountPath": "/about"},
        {"name": "all", "mountPath": "/all"},
    ]
    program = (
        "import os, sys\n"
        "print(open(sys.argv[1]).read(), open(os.environ['KEY']).read(), open('/about/name').read())\n"
        "print(sorted(os.listdir('/all')))"
    )
    spec = {
        "volumeMounts": mounts,
        "args": ["/etc/settings/sub/a"],
        "env": [{"name": "KEY", "value": "/etc/keys/token"}],
    }
    assert said(kube, program, container=spec, volumes=volumes) == "A t0ken said\n['a.txt', 'b.txt', 'token']\n"


def test_an_empty_directory_is_shared_by_the_containers_of_a_pod(kube):
    shared = {"volumeMounts": [{"name": "box", "mountPath": "/box"}]}
    reader = "import os, time\nwhile not os.path.exists('/box/done'): time.sleep(0.01)\nprint(open('/box/done').read())"
    made = pod("shares", reader, "open('/box/.new', 'w').write('hi'); import os; os.rename('/box/.new', '/box/done')")
    for one in made["spec"]["containers"]:
        one |= shared
    made["spec"]["volumes"] = [{"name": "box", "emptyDir": {}}]
    kube.create(made)
    kube.until("Pod", "shares", phase("Succeeded"))
    assert kube.logs("shares", container="main") == "hi\n"


def test_a_mounted_config_map_follows_its_changes(kube):
    kube.create(config_map("settings", value="old"))
    program = (
        "import time\nprint('started', flush=True)\nwhile open('/etc/settings/value').read() != 'new': time.sleep(0.02)"
    )
    volumes = [{"name": "settings", "configMap": {"name": "settings"}}]
    mounts = {"volumeMounts": [{"name": "settings", "mountPath": "/etc/settings"}]}
    kube.create(pod("follows", program, container=mounts, volumes=volumes))
    kube.until("Pod", "follows", is_ready)
    kube.patch("ConfigMap", "settings", {"data": {"value": "new"}})
    kube.until("Pod", "follows", phase("Succeeded"))


def test_a_claim_keeps_its_files_from_pod_to_pod(kube):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec}
    kube.create(claim)
    kube.until("PersistentVolumeClaim", "data", phase("Bound"))
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    mounts = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    kube.create(pod("writes", "open('/data/x', 'w').write('kept')", container=mounts, volumes=volumes))
    kube.until("Pod", "writes", phase("Succeeded"))
    assert said(kube, "print(open('/data/x').read())", container=mounts, volumes=volumes) == "kept\n"


@pytest.mark.parametrize(
    ("volume", "why"),
    [
        ({"configMap": {"name": "no"}}, 'configmap "no" not found'),
        ({"persistentVolumeClaim": {"claimName": "no"}}, 'persistentvolumeclaim "no" not found'),
        ({"hostPath": {"path": "/no/such/path"}}, "hostPath /no/such/path does not exist on this machine"),
        ({"nfs": {"server": "x", "path": "/"}}, "the local cluster has no nfs volumes"),
        (
            {"secret": {"secretName": "keys", "items": [{"key": "no", "path": "x"}]}},
            "references non-existent secret key: no",
        ),
        (
            {"secret": {"secretName": "keys", "items": [{"key": "a", "path": "../x"}]}},
            "the path ../x leaves the volume",
        ),
    ],
    ids=["configmap", "claim", "hostpath", "nfs", "key", "path"],
)
def test_a_volume_that_cannot_be_made_is_told(kube, volume, why):
    kube.create(secret("keys", a="x"))
    kube.create(pod("stuck", SLEEP, volumes=[{"name": "v", **volume}]))
    said_so = lambda events: any(why in event["message"] for event in events)  # noqa: E731
    with kube.http.stream("GET", kube.path("Event"), params={"watch": "true", "timeoutSeconds": "10"}) as events:
        assert any(said_so([json.loads(line)["object"]]) for line in events.iter_lines())


def test_a_server_listens_where_its_port_leads(kube):
    ports = {"ports": [{"name": "http", "containerPort": 8000}]}
    env = {"env": [{"name": "PORT", "value": "8000"}, {"name": "NAME", "value": "at $(PORT)"}]}
    probe = {"readinessProbe": {"httpGet": {"port": "http"}}}
    kube.create(pod("web", SERVER, container=ports | env | probe))
    kube.until("Pod", "web", is_ready)
    through = kube.http.get(f"{kube.path('Pod', 'web')}:8000/proxy/")
    assert through.status_code == 200
    port = int(through.text.removeprefix("at "))
    assert port != 8000
    with socket.create_connection(("127.0.0.1", port), timeout=2):
        pass


def test_an_image_without_a_local_command_needs_docker(kube):
    made = pod("image", SLEEP)
    made["metadata"]["annotations"] = {}
    kube.create(made)
    waiting = kube.until(
        "Pod", "image", lambda obj: "waiting" in container(obj)["state"] and "Docker" in json.dumps(obj)
    )
    state = container(waiting)["state"]["waiting"]
    assert state["reason"] == "ImageNeedsDocker"
    assert "example.com/x:1" in state["message"]


# How they live.


def test_a_crashing_container_is_started_again_ever_later(kube):
    kube.create(pod("crash", "raise SystemExit(1)", restartPolicy="Always"))
    looping = kube.until(
        "Pod", "crash", lambda obj: container(obj)["restartCount"] >= 2 and "waiting" in container(obj)["state"]
    )
    state = container(looping)["state"]["waiting"]
    assert state["reason"] == "CrashLoopBackOff"
    assert state["message"].startswith("back-off 0.")
    assert container(looping)["lastState"]["terminated"]["exitCode"] == 1
    assert looping["status"]["phase"] == "Running"


def test_on_failure_ends_with_success(kube):
    program = (
        "import os, sys; mark = os.path.expanduser('~/mark'); tried = os.path.exists(mark); open(mark, 'w'); "
        "sys.exit(0 if tried else 1)"
    )
    kube.create(pod("retry", program, restartPolicy="OnFailure"))
    assert container(kube.until("Pod", "retry", phase("Succeeded")))["restartCount"] == 1


def test_readiness_comes_and_goes(kube):
    kube.create(config_map("health", word="well"))
    look = "import os, sys; sys.exit(open(os.environ['HEALTH']).read() != 'well')"
    probe = {
        "exec": {"command": ["python", "-c", look]},
        "periodSeconds": 1,
        "timeoutSeconds": 20,
        "failureThreshold": 1,
    }
    probed = {
        "readinessProbe": probe,
        "env": [{"name": "HEALTH", "value": "/etc/health/word"}],
        "volumeMounts": [{"name": "health", "mountPath": "/etc/health"}],
    }
    volumes = [{"name": "health", "configMap": {"name": "health"}}]
    kube.create(pod("probed", SLEEP, container=probed, volumes=volumes))
    kube.until("Pod", "probed", is_ready)
    kube.patch("ConfigMap", "health", {"data": {"word": "ill"}})
    unready = kube.until("Pod", "probed", lambda obj: not is_ready(obj))
    assert unready["status"]["phase"] == "Running"
    kube.patch("ConfigMap", "health", {"data": {"word": "well"}})
    kube.until("Pod", "probed", is_ready)


def test_a_failed_liveness_probe_restarts(kube):
    probe = {"tcpSocket": {"port": 9}, "periodSeconds": 1, "failureThreshold": 1}
    kube.create(pod("dead", SLEEP, container={"livenessProbe": probe}, restartPolicy="Always"))
    restarted = kube.until("Pod", "dead", lambda obj: container(obj)["restartCount"] >= 1)
    assert container(restarted)["lastState"]["terminated"]["exitCode"] == 143
    reasons = {event["reason"] for event in kube.list("Event")}
    assert {"Unhealthy", "Killing"} <= reasons


def test_a_container_that_never_starts_up_is_restarted(kube):
    probe = {"tcpSocket": {"port": 9}, "periodSeconds": 1, "failureThreshold": 2}
    kube.create(pod("slow", SLEEP, container={"startupProbe": probe}, restartPolicy="Always"))
    kube.until("Pod", "slow", lambda obj: container(obj)["restartCount"] >= 1)


def test_init_containers_run_in_order_before_the_others(kube):
    append = "open('/box/log', 'a').write('{}')"
    made = pod("inits", "print(open('/box/log').read())", "", "")
    made["spec"]["initContainers"] = made["spec"]["containers"][1:]
    made["spec"]["containers"] = made["spec"]["containers"][:1]
    for name, letter in (("second", "a"), ("third", "b")):
        made["metadata"]["annotations"][f"local.kaos.tools/command.{name}"] = json.dumps(
            ["python", "-c", append.format(letter)]
        )
    for one in made["spec"]["containers"] + made["spec"]["initContainers"]:
        one["volumeMounts"] = [{"name": "box", "mountPath": "/box"}]
    made["spec"]["volumes"] = [{"name": "box", "emptyDir": {}}]
    kube.create(made)
    kube.until("Pod", "inits", phase("Succeeded"))
    assert kube.logs("inits") == "ab\n"


def test_a_failed_init_container_fails_the_pod(kube):
    made = pod("init", SLEEP, "raise SystemExit(1)")
    made["spec"]["initContainers"] = [made["spec"]["containers"].pop()]
    kube.create(made)
    failed = kube.until("Pod", "init", phase("Failed"))
    assert container(failed)["state"] == {"waiting": {"reason": "ContainerCreating"}}


def test_a_sidecar_lives_beside_the_main_container_and_ends_with_it(kube):
    made = pod("sidecar", "import time; time.sleep(0.3); print('done')", SLEEP)
    made["spec"]["initContainers"] = [made["spec"]["containers"].pop() | {"restartPolicy": "Always"}]
    kube.create(made)
    kube.until("Pod", "sidecar", phase("Succeeded"))


def test_memory_beyond_the_limit_ends_the_container(kube):
    hungry = "import time; held = bytearray(200 << 20); time.sleep(600)"
    kube.create(pod("hungry", hungry, container={"resources": {"limits": {"memory": "64Mi"}}}))
    ended = container(kube.until("Pod", "hungry", phase("Failed")))["state"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


# How they end.


def test_a_pod_may_end_itself_in_its_grace(kube):
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('bye', flush=True), sys.exit(0)))\n"
        "print('up', flush=True)\n"
        "time.sleep(600)"
    )
    kube.create(pod("polite", program, terminationGracePeriodSeconds=20))
    kube.until("Pod", "polite", is_ready)
    with kube.http.stream("GET", f"{kube.path('Pod', 'polite')}/log", params={"follow": "true"}) as log:
        lines = log.iter_lines()
        assert next(lines) == "up"
        before = moment()
        kube.delete("Pod", "polite")
        assert next(lines) == "bye"
    kube.gone("Pod", "polite")
    assert moment() - before < 5


def test_a_pod_that_will_not_end_is_killed(kube):
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    kube.create(pod("stubborn", stubborn, terminationGracePeriodSeconds=1))
    kube.until("Pod", "stubborn", is_ready)
    kube.delete("Pod", "stubborn")
    kube.gone("Pod", "stubborn", timeout_s=5)


def test_a_container_that_is_still_starting_is_not_waited_for(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # a Docker daemon that takes its time to answer
        silent.settimeout(20)
        docker = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with LiveCluster(tmp_path / "local", DOCKER_HOST=docker) as cluster, cluster.http() as http:
            kube = Kube(http, "default")
            made = pod("early", SLEEP, terminationGracePeriodSeconds=600)
            made["metadata"]["annotations"] = {}
            kube.create(made)
            with silent.accept()[0]:
                kube.delete("Pod", "early")
                kube.gone("Pod", "early", timeout_s=10)


def test_a_forced_deletion_waits_for_nothing(kube):
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    kube.create(pod("stubborn", stubborn, terminationGracePeriodSeconds=600))
    kube.until("Pod", "stubborn", is_ready)
    kube.delete("Pod", "stubborn")
    kube.delete("Pod", "stubborn", gracePeriodSeconds=0)
    kube.gone("Pod", "stubborn", timeout_s=2)


# What they say.


def test_logs_from_any_point(kube):
    program = "for i in range(5): print('line', i)"
    said(kube, program)
    assert kube.logs("said", tailLines="2") == "line 3\nline 4\n"
    assert kube.logs("said", limitBytes="3") == "lin"
    assert kube.logs("said", sinceSeconds="100").count("line") == 5
    stamp, _, rest = kube.logs("said", timestamps="true").splitlines()[0].partition(" ")
    assert (rest, stamp[-1]) == ("line 0", "Z")
    assert kube.logs("said", sinceTime="2100-01-01T00:00:00Z") == ""


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"container": "nobody"}, "container nobody is not valid for pod two"),
        ({}, "a container name must be specified for pod two, choose one of: [main second]"),
        ({"container": "main", "previous": "true"}, 'previous terminated container "main" in pod "two" not found'),
        ({"container": "main", "tailLines": "many"}, "tailLines: 'many' is no number"),
    ],
)
def test_logs_that_cannot_be_had(kube, query, why):
    kube.create(pod("two", SLEEP, SLEEP))
    kube.until("Pod", "two", is_ready)
    refused = kube.http.get(f"{kube.path('Pod', 'two')}/log", params=query)
    assert (refused.status_code, refused.json()["message"]) == (400, why)


def test_long_logs_are_rotated_and_followed_without_a_gap(kube, live):
    lines = 150_000  # more than one file holds, and no more than are kept for a reader that is slow
    made = kube.create(pod("loud", f"for i in range({lines}): print(f'{{i:07d}}', 'x' * 60)"))
    kube.until("Pod", "loud", lambda obj: "running" in container(obj)["state"] or phase("Succeeded")(obj))
    with kube.http.stream("GET", f"{kube.path('Pod', 'loud')}/log", params={"follow": "true"}) as log:
        numbers = [int(line.split()[0]) for line in log.iter_lines()]
    assert numbers == list(range(lines))
    assert (live.directory / "pods" / made["metadata"]["uid"] / "logs" / "main.log.1").exists()
    assert kube.logs("loud").splitlines()[-1] == f"{lines - 1:07d} {'x' * 60}"


def test_bytes_that_are_no_text_come_through(kube):
    kube.create(pod("raw", r"import sys; sys.stdout.buffer.write(b'\xff\xfe\x00ok\n')"))
    kube.until("Pod", "raw", phase("Succeeded"))
    assert kube.http.get(f"{kube.path('Pod', 'raw')}/log").content == b"\xff\xfe\x00ok\n"


def test_binary_config_maps_are_mounted_as_they_are(kube):
    raw = bytes(range(256))
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "raw"},
        "binaryData": {"x": base64.b64encode(raw).decode()},
    }
    kube.create(body)
    mounts = {"volumeMounts": [{"name": "raw", "mountPath": "/raw"}]}
    volumes = [{"name": "raw", "configMap": {"name": "raw"}}]
    assert (
        said(kube, "print(open('/raw/x', 'rb').read() == bytes(range(256)))", container=mounts, volumes=volumes)
        == "True\n"
    )
